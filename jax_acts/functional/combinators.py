"""Functions made of others: a few ways to combine in place of many names.

The parts are elementwise functions, or `Bound` with arguments, and static:

    affine(x, 2.0, of=tanh)            affine(x, of=Bound(elu, alpha=0.5))
    get("affine(scale=2.0, of=tanh)")  get("affine(of=elu(alpha=0.5))")

The derivatives follow from the rules of the parts. A part that is not given is the
identity. What is learned is an argument of the combination, not of a part.

What a part flushes to 0, in float32 anything below 1.2e-38, is lost before it is
multiplied: the absolute error of a f(x) may be a times that, however small a f(x) is.
"""

import itertools
import math

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import activation
from jax_acts._core.spec import InnerFunction, InnerFunctions
from jax_acts._numerics.bitwise import propagate_nan
from jax_acts._numerics.types import Real
from jax_acts.functional.hyperbolic import softcap
from jax_acts.functional.logistic import silu
from jax_acts.functional.rectified import identity, relu

INF = math.inf


@activation(
    reference=lambda m, x, scale=1, rate=1, shift=0, offset=0: (
        scale * (rate * x + shift) + offset
    ),
)
def affine(
    x: Real,
    scale: Real = 1.0,
    rate: Real = 1.0,
    shift: Real = 0.0,
    offset: Real = 0.0,
    *,
    of: InnerFunction = identity,
) -> Array:
    r"""Affine maps before and after a function, $a f(b x + c) + d$.

    Args:
        x: The input.
        scale: $a$.
        rate: $b$.
        shift: $c$.
        offset: $d$.
        of: $f$.

    >>> from jax_acts import tanh
    >>> affine(jnp.array([0.0, 1.5]), 1.7159, 2 / 3, of=tanh)
    Array([0.       , 1.3068196], dtype=float32)
    """
    return scale * _of("affine", of)(rate * x + shift) + offset


@activation(reference=lambda m, x, weight=0.5: x)
def blend(
    x: Real,
    weight: Real = 0.5,
    *,
    first: InnerFunction = identity,
    second: InnerFunction = identity,
) -> Array:
    r"""Blend of two functions, $(1 - w) f(x) + w g(x)$.

    An expanded gate, $x ((1 + 2 a) \sigma(x) - a)$, is one of weight $1 + 2 a$, of
    $x / 2$ and `silu`: `blend(weight=Learn(1.0), first=affine(0.5), second=silu)`.

    Args:
        x: The input.
        weight: $w$.
        first: $f$.
        second: $g$.

    >>> from jax_acts import relu
    >>> blend(jnp.array([-2.0, 3.0]), 0.75, second=relu)
    Array([-0.5,  3. ], dtype=float32)
    """
    f, g = _of("blend", first), _of("blend", second)
    left, right = f(x), g(x)
    # The share of a small number may be subnormal where the sum is not.
    small = jnp.maximum(jnp.abs(left), jnp.abs(right)) < 1
    up, down = jnp.where(small, 2.0**24, 1.0), jnp.where(small, 2.0**-24, 1.0)
    # Of a constant 1/2 XLA would make (f + g) / 2.
    weight = propagate_nan(jax.lax.stop_gradient(x), weight)
    return (_times(left * up, 1 - weight) + _times(right * up, weight)) * down


@activation(reference=lambda m, x, scale=1: x + scale * x)
def residual(x: Real, scale: Real = 1.0, *, of: InnerFunction = identity) -> Array:
    r"""Residual of a function, $x + a f(x)$.

    Args:
        x: The input.
        scale: $a$.
        of: $f$.

    >>> from jax_acts import relu
    >>> residual(jnp.array([-2.0, 3.0]), of=relu)
    Array([-2.,  6.], dtype=float32)
    """
    return x + scale * _of("residual", of)(x)


@activation(cite="ramachandran2017", range=(0, INF), reference=lambda m, x: x * x)
def self_gated(x: Real, *, of: InnerFunction = identity) -> Array:
    r"""Self-gated unit, $x f(x)$.

    Where $f$ is 0, so is it, also at infinity.

    Args:
        x: The input.
        of: $f$.

    >>> from jax_acts import sigmoid
    >>> self_gated(jnp.array([0.0, 2.0]), of=sigmoid)  # which is silu
    Array([0.      , 1.761594], dtype=float32)
    """
    return _times(x, _of("self_gated", of)(x))


@self_gated.defderivative
def self_gated_dx(x: Real, *, of: InnerFunction = identity) -> Array:
    f = _of("self_gated", of)
    return f(x) + _times(x, _slope(f)(x))


@self_gated.derivative.defderivative
def self_gated_dx2(x: Real, *, of: InnerFunction = identity) -> Array:
    slope = _slope(_of("self_gated", of))
    return 2 * slope(x) + _times(x, _slope(slope)(x))


@activation(kinks={}, reference=lambda m, x: x)
def piecewise(
    x: Real,
    *,
    breakpoints: tuple[float, ...] = (0.0,),
    parts: InnerFunctions = (identity, identity),
) -> Array:
    r"""Piecewise, $f_i(x)$ if $b_{i-1} \le x < b_i$.

    At a breakpoint value and derivative are those of the part to the right.

    Args:
        x: The input.
        breakpoints: The $b_i$, in rising order.
        parts: The $f_i$, one more than breakpoints.

    Raises:
        ValueError: There are not as many parts, or the breakpoints do not rise.

    >>> from jax_acts import relu, tanh
    >>> piecewise(jnp.array([-1.0, 2.0]), breakpoints=(0.0,), parts=(tanh, relu))
    Array([-0.7615942,  2.       ], dtype=float32)
    """
    if len(parts) != len(breakpoints) + 1:
        raise ValueError(
            f"piecewise has one part more than breakpoints, not {len(parts)} for "
            f"{len(breakpoints)}"
        )
    if not all(a < b for a, b in itertools.pairwise(breakpoints)):
        raise ValueError(f"the breakpoints of piecewise rise; {breakpoints} do not")
    y = _of("piecewise", parts[0])(x)
    for start, part in zip(breakpoints, parts[1:], strict=True):
        y = jnp.where(x >= start, _of("piecewise", part)(x), y)
    return y


@activation(
    cite="gemma2024",
    range=(-50, 50),
    reference=lambda m, x, cap=50: cap * m.tanh(x / m.mpf(cap)),
)
def capped(x: Real, cap: Real = 50.0, *, of: InnerFunction = identity) -> Array:
    r"""Soft cap on a function, $c \tanh(f(x) / c)$, which is within $\pm c$.

    Args:
        x: The input.
        cap: $c$, positive.
        of: $f$; without it, it is `softcap`.

    >>> from jax_acts import relu
    >>> capped(jnp.array([-1.0, 2.0, 1e9]), 4.0, of=relu)
    Array([0.       , 1.8484687, 4.       ], dtype=float32)
    """
    return softcap.without_custom_jvp(_of("capped", of)(x), cap)


@capped.defderivative
def capped_dx(x: Real, cap: Real = 50.0, *, of: InnerFunction = identity) -> Array:
    f = _of("capped", of)
    return _times(_slope(f)(x), softcap.derivative(f(x), cap))


@capped.defpartial("cap")
def capped_dcap(x: Real, cap: Real = 50.0, *, of: InnerFunction = identity) -> Array:
    return softcap.partial("cap")(_of("capped", of)(x), cap)


@activation(
    cite="horuz2025",
    range=(0, INF),
    reference=lambda m, x: max(x, 0),
    surrogate=lambda m, x: x / (1 + m.exp(-x)),
)
def sugar(
    x: Real, *, forward: InnerFunction = relu, surrogate: InnerFunction = silu
) -> Array:
    r"""Surrogate gradient unit, $f(x)$ with the derivatives of $g$.

    Args:
        x: The input.
        forward: $f$.
        surrogate: $g$, whose first derivative is taken for that of $f$, and whose
            second for the second.

    >>> sugar(-1.0), sugar.derivative(-1.0)
    (Array(0., dtype=float32), Array(0.07232949, dtype=float32))
    """
    f = _of("sugar", forward)
    return getattr(f, "plain", f)(x)  # whose derivatives nobody asks for


@sugar.defderivative
def sugar_dx(
    x: Real, *, forward: InnerFunction = relu, surrogate: InnerFunction = silu
) -> Array:
    return _slope(_of("sugar", surrogate))(x)


def _of(name: str, part: InnerFunction) -> InnerFunction:
    """Returns a part, if it is a function."""
    if not callable(part):
        raise TypeError(
            f"{name} is made of functions, not of {part!r}; jax_acts.get takes names"
        )
    return part


def _slope(f: InnerFunction) -> InnerFunction:
    """Returns the derivative of a part, by its rule if it has one."""
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def _times(a: Real, b: Real) -> Array:
    """Returns a b, but 0 where b is 0, even if a is infinite."""
    return jnp.where(jnp.isinf(a) & (b == 0), 0.0, a) * b
