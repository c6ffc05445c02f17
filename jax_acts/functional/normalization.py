"""Normalization along an axis: norms, moments, and nonexponential softmax variants."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.arguments import as_real, broadcast_mask, canonical_axes
from jax_acts._core.errors import check_choice
from jax_acts._core.function import function
from jax_acts._core.pointwise import CoefficientList, pointwise
from jax_acts._core.residuals import save_operands
from jax_acts._core.spec import Axis, Coefficients
from jax_acts._numerics.bitwise import clip, minimum, promote_16bit
from jax_acts._numerics.exp_log import expm1
from jax_acts._numerics.ordinary import custom_jvp, ordinary_form
from jax_acts._numerics.reduction import max_keepdims, sum_keepdims
from jax_acts._numerics.types import Axes, Real

__all__ = [
    "l1_normalize",
    "l2_normalize",
    "polynorm",
    "softpick",
    "standardize",
    "taylor_softmax",
]


@function()
def l1_normalize(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""L1 normalization, $x_i / \sum_j |x_j|$.

    The sum neither overflows nor underflows. All zeros, or fully masked entries, give 0
    with derivative 0. $k$ infinite entries give $\pm 1/k$ each. A NaN makes every entry
    along the axis NaN.

    Args:
        x: The input.
        axis: The axis or axes of the norm; None for all.
        where: A boolean mask, broadcast to x. Masked entries are excluded and give 0.

    Raises:
        TypeError: x is complex, or `where` is not boolean.
        ValueError: An axis is out of range, or `where` does not broadcast.

    >>> l1_normalize(jnp.array([1.0, -3.0]))
    Array([ 0.25, -0.75], dtype=float32)
    """
    x, axes, u, _ = _scale_to_unit("l1_normalize", x, axis, where)
    norm = sum_keepdims(jnp.where(u < 0, -u, u), axes)
    # Explicit reciprocal: XLA rewrites a quotient to it in some programs only.
    return (u * (1 / jnp.where(norm == 0, 1, norm))).astype(x.dtype)


@function()
def l2_normalize(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""L2 normalization, $x_i / \sqrt{\sum_j x_j^2}$.

    The conventions are those of `l1_normalize`; infinite entries give $\pm 1/\sqrt k$.

    Args:
        x: The input.
        axis: See `l1_normalize`.
        where: See `l1_normalize`.

    >>> l2_normalize(jnp.array([0.0, -4e30]))
    Array([ 0., -1.], dtype=float32)
    """
    x, axes, u, _ = _scale_to_unit("l2_normalize", x, axis, where)
    squares = sum_keepdims(jnp.square(u), axes)
    return (u * (1 / jnp.sqrt(jnp.where(squares == 0, 1, squares)))).astype(x.dtype)


@function(bounds={"epsilon": (1e-12, math.inf)})
def standardize(
    x: Array,
    axis: Axis = -1,
    mean: Array | None = None,
    variance: Array | None = None,
    epsilon: Real = 1e-5,
    where: Array | None = None,
    *,
    algorithm: str = "stable",
) -> Array:
    r"""Standardization, $(x - \mu) / \sqrt{\sigma^2 + \epsilon}$.

    Args:
        x: The input.
        axis: The axis or axes of $\mu$ and $\sigma^2$; None for all.
        mean: $\mu$; by default the mean of x.
        variance: $\sigma^2$; by default the variance of x.
        epsilon: $\epsilon$.
        where: A boolean mask of the entries that $\mu$ and $\sigma^2$ include.
        algorithm: The variance is the mean of $(x - \mu)^2$ ("stable"), or the mean of
            $x^2$ minus $\mu^2$ ("fast"), which cancels. The default of `jax.nn` is
            "fast".

    >>> standardize(jnp.array([10001.0, 10002.0, 10003.0]))
    Array([-1.2247356,  0.       ,  1.2247356], dtype=float32)
    """
    check_choice("standardize", "algorithm", algorithm, ("stable", "fast"))
    x = as_real("standardize", "x", x)
    axes = canonical_axes("standardize", x, axis)
    where, wide = broadcast_mask("standardize", x, where), promote_16bit(x)
    mask = {} if where is None else {"where": where}
    average = functools.partial(jnp.mean, axis=axes, keepdims=True, **mask)
    mu = average(wide) if mean is None else as_real("standardize", "mean", mean)
    centered = wide - promote_16bit(mu)
    if variance is not None:
        sigma2 = promote_16bit(as_real("standardize", "variance", variance))
    elif algorithm == "stable":
        sigma2 = average(jnp.square(centered))
    else:
        sigma2 = jnp.maximum(average(jnp.square(wide)) - jnp.square(mu), 0)
    return (centered * jax.lax.rsqrt(sigma2 + epsilon)).astype(x.dtype)


@function(cite="zhuo2024", bounds={"epsilon": (1e-12, math.inf)})
def polynorm(
    x: Array,
    weights: Coefficients = (1 / 3, 1 / 3, 1 / 3),
    bias: Real = 0.0,
    axis: Axis = -1,
    epsilon: Real = 1e-6,
) -> Array:
    r"""Polynomial of RMS-normalized powers, $\sum_i w_i\,N(x^i) + b$.

    $N(z) = z / \sqrt{m + \epsilon}$, where $m$ is the mean of $z^2$ along the axis. No
    power overflows. Infinite entries are replaced by $\pm 1e30$.

    Args:
        x: The input.
        weights: $w_1, w_2, \dots$, shape `(k,)` or `(k, features)`. The paper learns
            three, initialized to the default; checkpoints store the highest power
            first.
        bias: $b$.
        axis: The axis or axes of the mean; None for all.
        epsilon: $\epsilon$.

    Raises:
        TypeError: x is complex.
        ValueError: An axis is out of range, or `weights` is a scalar or does not
            broadcast against x.

    >>> polynorm(jnp.array([1.0, -1.0]))
    Array([ 1.     , -0.33333], dtype=float32)
    """

    def rule(z: Array, weights: CoefficientList, bias: Array, epsilon: Array) -> Array:
        _, axes, u, scale = _scale_to_unit("polynorm", z, axis, None)
        # Do not scale small inputs up: the scaled epsilon would overflow.
        u, scale = (jnp.where(scale > 1, a, b) for a, b in ((z, u), (1, scale)))
        y, power, scaled_epsilon = bias, jnp.ones_like(u), epsilon
        for w in weights:
            power, scaled_epsilon = power * u, scaled_epsilon * jnp.square(scale)
            mean = jnp.mean(jnp.square(power), axes, keepdims=True)
            y = y + w * (power * jax.lax.rsqrt(mean + scaled_epsilon))
        return y

    coefficients = {"weights": weights}
    return pointwise("polynorm", rule, x, coefficients, bias=bias, epsilon=epsilon)


@function(cite="debrebisson2015")
def taylor_softmax(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""Taylor softmax, $t(x_i) / \sum_j t(x_j)$ with $t(x) = 1 + x + x^2 / 2$.

    Never overflows. $k$ entries of $\pm\infty$ give $1/k$ each. Fully masked entries
    give 0 with derivative 0. A NaN makes every entry along the axis NaN.

    Args:
        x: The logits.
        axis: The axis or axes along which the result sums to 1; None for all.
        where: A boolean mask, broadcast to x. Masked entries are excluded and give 0.

    Returns:
        An array of the shape and dtype of x. 16-bit inputs are computed in float32 and
        rounded once.

    Raises:
        TypeError: x is complex, or `where` is not boolean.
        ValueError: An axis is out of range, or `where` does not broadcast.

    >>> taylor_softmax(jnp.array([0.0, 2.0]))
    Array([0.16666667, 0.8333333 ], dtype=float32)
    """

    def rule(z: Array, m: Array) -> Weights:
        # t(x) / m² for m = max |x| gives the same quotient. 1 / m is subnormal for
        # m > 2^100.
        inverse = 1 / jnp.clip(m, 1, 2.0**100)
        infinite = jnp.where(jnp.isinf(lax.stop_gradient(z)), 1.0, 0.0)
        u = jnp.where(jnp.isinf(m), infinite, z * inverse)
        # 2 t(x) = (x + 1)² + 1 has no cancellation.
        t = jnp.square(u + inverse) + jnp.square(inverse)
        return t, t, jnp.zeros_like(m)

    return _normalize_weights("taylor_softmax", rule, x, axis, where, jnp.abs)


@function(cite="zuhri2025")
def softpick(
    x: Array, axis: Axis = -1, where: Array | None = None, epsilon: float = 1e-6
) -> Array:
    r"""Softpick, $\max(e^{x_i} - 1, 0) / (\sum_j |e^{x_j} - 1| + \epsilon)$.

    The result sums to less than 1, and is 0 for $x_i \le 0$. Never overflows. $k$
    entries of $+\infty$ give $1/k$ each. Entries of $-\infty$ add 1 to the sum, as in
    the formula: mask with `where`, not with $-\infty$.

    Args:
        x: The logits.
        axis: See `taylor_softmax`.
        where: See `taylor_softmax`.
        epsilon: $\epsilon$.

    Raises:
        TypeError: See `taylor_softmax`.
        ValueError: See `taylor_softmax`.

    >>> softpick(jnp.array([-1.0, 0.0, 1.0]))
    Array([0.      , 0.      , 0.731058], dtype=float32)
    """

    def rule(z: Array, m: Array, epsilon: Array) -> Weights:
        # e^-m (e^x - 1) for m = max(x, 0) gives the same quotient.
        m = lax.max(m, jnp.zeros_like(m))
        unit = jnp.exp(-m)
        infinite = jnp.where(lax.stop_gradient(z) == jnp.inf, 1.0, 0.0)
        z = jnp.where(infinite == 1, 0, z)
        large = jnp.exp(jnp.where(z > 1, z - m, 0.0)) - unit
        t = jnp.where(z > 1, large, unit * _expm1(minimum(z, 1.0)))
        t = jnp.where(jnp.isinf(m), infinite, t)
        return jnp.maximum(t, 0), jnp.abs(t), epsilon * unit

    return _normalize_weights("softpick", rule, x, axis, where, lambda z: z, epsilon)


@custom_jvp(())
def _expm1(z: Array) -> Array:
    """Return e^z - 1 for z < 40; Pallas for TPU has no `jnp.expm1`."""
    return expm1(z)


@_expm1.defjvp
def _expm1_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return _expm1(*primals), jnp.exp(*primals) * tangents[0]


def _scale_to_unit(
    function: str, x: Array, axis: Axis, where: Array | None
) -> tuple[Array, Axes, Array, Array]:
    """Return x, the axes, x * scale, and scale = 2^-k for 2^k <= max |x| < 2^(k + 1).

    The scale cancels in the result, hence is a constant to autodiff.
    """
    x = as_real(function, "x", x)
    axes, where = canonical_axes(function, x, axis), broadcast_mask(function, x, where)
    wide = promote_16bit(x) if where is None else jnp.where(where, promote_16bit(x), 0)
    m = max_keepdims(jnp.abs(lax.stop_gradient(wide)), axes)
    m = lax.max(m, jnp.zeros_like(m))  # jax2onnx gives jnp.maximum of 0 a wider dtype
    scale = jnp.where(jnp.isfinite(m), _reciprocal_power_of_two(m), 1)
    # Pallas for TPU lowers no `jnp.sign` without a TPU.
    one = jnp.ones_like(wide)
    sign = jnp.where(lax.stop_gradient(wide) < 0, -one, one)
    infinite = jnp.where(jnp.isinf(wide), sign, jnp.zeros_like(wide))
    return x, axes, jnp.where(jnp.isinf(m), infinite, wide * scale), scale


@ordinary_form(lambda m: 1 / clip(m, float(jnp.finfo(m.dtype).tiny), 2.0**126))
def _reciprocal_power_of_two(m: Array) -> Array:
    """Return 2^-k for 2^k <= m < 2^(k + 1), clipped to the normal range.

    Multiply by it: XLA merges consecutive divisions in some programs.
    """
    info = jnp.finfo(m.dtype)
    integer = jnp.dtype(f"int{info.bits}")
    unit = 1 << info.nmant  # 1 in the exponent field
    max_exponent = 2 * (info.maxexp - 1)
    exponent = lax.bitcast_convert_type(m, integer) & -unit
    # Negating the exponent field gives the reciprocal.
    bits = jnp.clip(max_exponent * unit - exponent, unit, (max_exponent - 1) * unit)
    return lax.bitcast_convert_type(bits, m.dtype)


Weights = tuple[Array, Array, Array]
"""Numerators, terms of the denominator, and a constant of the denominator."""


def _normalize_weights(
    name: str,
    rule: Callable[..., Weights],
    x: Array,
    axis: Axis,
    where: Array | None,
    magnitude: Callable[[Array], Array],
    *parameters: Real,
) -> Array:
    """Return numerators / (Σ terms + constant) for `rule(x, m, *parameters)`, where m
    is max magnitude(x).

    The residual is x. The maximum is a constant to autodiff.
    """
    x = as_real(name, "x", x)
    axes, where = canonical_axes(name, x, axis), broadcast_mask(name, x, where)

    def normalize(x: Array, where: Array | None, parameters: tuple[Real, ...]) -> Array:
        z = promote_16bit(x) if where is None else jnp.where(where, promote_16bit(x), 0)
        size = magnitude(z)
        size = size if where is None else jnp.where(where, size, -jnp.inf)
        m = max_keepdims(size, axes)
        numerator, terms, constant = rule(z, lax.stop_gradient(m), *parameters)
        if where is not None:
            numerator, terms = (jnp.where(where, a, 0) for a in (numerator, terms))
        s = sum_keepdims(terms, axes) + constant
        # Explicit reciprocal: XLA rewrites a quotient to it in some programs only.
        return (numerator * (1 / jnp.where(s == 0, 1, s))).astype(x.dtype)

    return save_operands(normalize, (x, where, parameters), symbolic_zeros=False)
