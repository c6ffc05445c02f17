"""Combinators: activation functions composed of inner functions.

Inner functions are elementwise functions, or `Bound` with arguments. They are static;
the default is the identity:

    affine(x, 2.0, of=tanh)            affine(x, of=Bound(elu, alpha=0.5))
    get("affine(scale=2.0, of=tanh)")  get("affine(of=elu(alpha=0.5))")

Derivatives use the derivative rules of the inner functions. Only arguments of the
combinator can be learned, not those of an inner function.

A value that an inner function flushes to 0 (in float32, below 1.2e-38) is lost before
the multiplication: the absolute error of a f(x) can reach 1.2e-38 a.
"""

import functools
import itertools
import math
import operator

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import activation
from jax_acts._core.spec import InnerFunction, InnerFunctions
from jax_acts._numerics.bitwise import propagate_nan
from jax_acts._numerics.ordinary import in_full_precision
from jax_acts._numerics.types import Real
from jax_acts.functional.hyperbolic import softcap
from jax_acts.functional.logistic import silu
from jax_acts.functional.rectified import identity, relu

__all__ = [
    "affine",
    "blend",
    "capped",
    "piecewise",
    "product",
    "residual",
    "self_gated",
    "sugar",
    "sum",
]

INF = math.inf


@activation(
    reference=lambda m, x, scale=1, rate=1, shift=0, offset=0: (
        scale * (rate * x + shift) + offset
    ),
)
@in_full_precision
def affine(
    x: Real,
    scale: Real = 1.0,
    rate: Real = 1.0,
    shift: Real = 0.0,
    offset: Real = 0.0,
    *,
    of: InnerFunction = identity,
) -> Array:
    r"""Affine transformation of input and output, $a f(b x + c) + d$.

    Args:
        x: The input.
        scale: $a$.
        rate: $b$.
        shift: $c$.
        offset: $d$.
        of: $f$.

    >>> from jax_acts import tanh
    >>> affine(jnp.array([0.0, 1.5]), 1.7159, 2 / 3, of=tanh)
    Array([0.      , 1.306819], dtype=float32)
    """
    return scale * _check_callable("affine", of)(rate * x + shift) + offset


@activation(reference=lambda m, x, weight=0.5: x)
@in_full_precision
def blend(
    x: Real,
    weight: Real = 0.5,
    *,
    first: InnerFunction = identity,
    second: InnerFunction = identity,
) -> Array:
    r"""Weighted average of two functions, $(1 - w) f(x) + w g(x)$.

    The expanded gate $x ((1 + 2 a) \sigma(x) - a)$ has $w = 1 + 2 a$, $f(x) = x / 2$
    and $g$ = `silu`: `blend(weight=Learn(1.0), first=affine(0.5), second=silu)`.

    Args:
        x: The input.
        weight: $w$; values outside [0, 1] extrapolate.
        first: $f$.
        second: $g$.

    >>> from jax_acts import relu
    >>> blend(jnp.array([-2.0, 3.0]), 0.75, second=relu)
    Array([-0.5,  3. ], dtype=float32)
    """
    left = _check_callable("blend", first)(x)
    right = _check_callable("blend", second)(x)
    # Scale by 2^24: a weighted term can be subnormal where the sum is not.
    small = jnp.maximum(jnp.abs(left), jnp.abs(right)) < 1
    up, down = jnp.where(small, 2.0**24, 1.0), jnp.where(small, 2.0**-24, 1.0)
    # XLA would rewrite a constant weight of 1/2 to (f + g) / 2.
    weight = propagate_nan(jax.lax.stop_gradient(x), weight)
    return (_mul_zero(left * up, 1 - weight) + _mul_zero(right * up, weight)) * down


@activation(reference=lambda m, x, scale=1: x + scale * x)
@in_full_precision
def residual(x: Real, scale: Real = 1.0, *, of: InnerFunction = identity) -> Array:
    r"""Residual connection, $x + a f(x)$.

    Args:
        x: The input.
        scale: $a$.
        of: $f$.

    >>> from jax_acts import relu
    >>> residual(jnp.array([-2.0, 3.0]), of=relu)
    Array([-2.,  6.], dtype=float32)
    """
    return x + scale * _check_callable("residual", of)(x)


@activation(cite="ramachandran2017", range=(0, INF), reference=lambda m, x: x * x)
def self_gated(x: Real, *, of: InnerFunction = identity) -> Array:
    r"""Self-gated unit, $x f(x)$.

    The value is 0 where $f(x) = 0$, also at $x = \pm\infty$.

    Args:
        x: The input.
        of: $f$.

    >>> from jax_acts import sigmoid
    >>> self_gated(jnp.array([0.0, 2.0]), of=sigmoid)  # silu
    Array([0.      , 1.761594], dtype=float32)
    """
    return _mul_zero(x, _check_callable("self_gated", of)(x))


@self_gated.defderivative
def self_gated_dx(x: Real, *, of: InnerFunction = identity) -> Array:
    f = _check_callable("self_gated", of)
    return f(x) + _mul_zero(x, _derivative(f)(x))


@self_gated.derivative.defderivative
def self_gated_dx2(x: Real, *, of: InnerFunction = identity) -> Array:
    df = _derivative(_check_callable("self_gated", of))
    return 2 * df(x) + _mul_zero(x, _derivative(df)(x))


@activation(reference=lambda m, x: 2 * x)
@in_full_precision
def sum(x: Real, *, functions: InnerFunctions = (identity, identity)) -> Array:
    r"""Sum, $f_1(x) + f_2(x) + \dots$

    `blend` and `affine` give a sum with weights.

    Args:
        x: The input.
        functions: The $f_i$.

    >>> from jax_acts import relu, sine
    >>> sum(jnp.array([-2.0, 3.0]), functions=(relu, sine))
    Array([-0.9092974,  3.14112  ], dtype=float32)
    """
    return functools.reduce(operator.add, _values("sum", functions, x))


@activation(range=(0, INF), reference=lambda m, x: x * x)
def product(x: Real, *, functions: InnerFunctions = (identity, identity)) -> Array:
    r"""Product, $f_1(x)\,f_2(x) \cdots$

    The value is 0 where a factor is 0, also if another is infinite.

    Args:
        x: The input.
        functions: The $f_i$.

    >>> from jax_acts import relu, tanh
    >>> product(jnp.array([-2.0, 3.0]), functions=(relu, tanh))
    Array([-0.     ,  2.98516], dtype=float32)
    """
    return _product(_values("product", functions, x))


@product.defderivative
def product_dx(x: Real, *, functions: InnerFunctions = (identity, identity)) -> Array:
    values = _values("product", functions, x)
    first = [_derivative(f)(x) for f in functions]
    terms = [_product(_replace(values, {i: dy})) for i, dy in enumerate(first)]
    return functools.reduce(operator.add, terms)


@product.derivative.defderivative
def product_dx2(x: Real, *, functions: InnerFunctions = (identity, identity)) -> Array:
    values = _values("product", functions, x)
    first = [_derivative(f)(x) for f in functions]
    second = [_derivative(_derivative(f))(x) for f in functions]
    terms = [_product(_replace(values, {i: d2})) for i, d2 in enumerate(second)]
    pairs = itertools.combinations(range(len(functions)), 2)
    terms += [
        2 * _product(_replace(values, {i: first[i], j: first[j]})) for i, j in pairs
    ]
    return functools.reduce(operator.add, terms)


@activation(kinks={}, reference=lambda m, x: x)
def piecewise(
    x: Real,
    *,
    breakpoints: tuple[float, ...] = (0.0,),
    functions: InnerFunctions = (identity, identity),
) -> Array:
    r"""Piecewise function, $f_i(x)$ if $b_{i-1} \le x < b_i$.

    At a breakpoint, value and derivative are those of the right piece.

    Args:
        x: The input.
        breakpoints: The $b_i$, strictly increasing.
        functions: The $f_i$, one more than breakpoints.

    Raises:
        ValueError: The number of functions is not the number of breakpoints + 1, or the
            breakpoints are not strictly increasing.

    >>> from jax_acts import relu, tanh
    >>> piecewise(jnp.array([-1.0, 2.0]), breakpoints=(0.0,), functions=(tanh, relu))
    Array([-0.7615942,  2.       ], dtype=float32)
    """
    if len(functions) != len(breakpoints) + 1:
        raise ValueError(
            f"piecewise: functions: expected {len(breakpoints) + 1} for "
            f"{len(breakpoints)} breakpoints, got {len(functions)}"
        )
    if not all(a < b for a, b in itertools.pairwise(breakpoints)):
        raise ValueError(
            f"piecewise: breakpoints: expected increasing values, got {breakpoints}"
        )
    y = _check_callable("piecewise", functions[0])(x)
    for breakpoint, f in zip(breakpoints, functions[1:], strict=True):
        y = jnp.where(x >= breakpoint, _check_callable("piecewise", f)(x), y)
    return y


@activation(
    cite="gemma2024",
    range=(-50, 50),
    reference=lambda m, x, cap=50: cap * m.tanh(x / m.mpf(cap)),
    bounds={"cap": (1e-6, INF)},
    limits={"cap": (0, INF)},
)
def capped(x: Real, cap: Real = 50.0, *, of: InnerFunction = identity) -> Array:
    r"""Soft cap on a function, $c \tanh(f(x) / c)$, within $\pm c$.

    Args:
        x: The input.
        cap: $c > 0$.
        of: $f$; the default, the identity, gives `softcap`.

    >>> from jax_acts import relu
    >>> capped(jnp.array([-1.0, 2.0, 1e9]), 4.0, of=relu)
    Array([0.       , 1.8484687, 4.       ], dtype=float32)
    """
    return softcap.without_custom_jvp(_check_callable("capped", of)(x), cap)


@capped.defderivative
def capped_dx(x: Real, cap: Real = 50.0, *, of: InnerFunction = identity) -> Array:
    f = _check_callable("capped", of)
    return _mul_zero(_derivative(f)(x), softcap.derivative(f(x), cap))


@capped.defpartial("cap")
def capped_dcap(x: Real, cap: Real = 50.0, *, of: InnerFunction = identity) -> Array:
    return softcap.partial("cap")(_check_callable("capped", of)(x), cap)


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
        surrogate: $g$. Its first and second derivatives replace those of $f$.

    >>> sugar(-1.0), sugar.derivative(-1.0)
    (Array(0., dtype=float32, weak_type=True),
     Array(0.07232949, dtype=float32, weak_type=True))
    """
    f = _check_callable("sugar", forward)
    # The derivatives of f are never used: omit its custom JVP.
    return getattr(f, "without_custom_jvp", f)(x)


@sugar.defderivative
def sugar_dx(
    x: Real, *, forward: InnerFunction = relu, surrogate: InnerFunction = silu
) -> Array:
    return _derivative(_check_callable("sugar", surrogate))(x)


def _values(name: str, functions: InnerFunctions, x: Real) -> list[Array]:
    """Return the values of inner functions, at least one."""
    if not functions:
        raise ValueError(f"{name}: functions: expected at least one function, got ()")
    return [_check_callable(name, f)(x) for f in functions]


def _check_callable(name: str, f: InnerFunction) -> InnerFunction:
    if not callable(f):
        raise TypeError(
            f"{name}: expected a function, got {f!r}; jax_acts.get accepts names"
        )
    return f


def _derivative(f: InnerFunction) -> InnerFunction:
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def _replace(values: list[Array], replacements: dict[int, Array]) -> list[Array]:
    return [replacements.get(i, value) for i, value in enumerate(values)]


def _product(factors: list[Array]) -> Array:
    """Return the product of the factors, with inf * 0 = 0."""
    return functools.reduce(
        lambda a, b: _mul_zero(a, jnp.where((a == 0) & jnp.isinf(b), 0.0, b)), factors
    )


def _mul_zero(a: Real, b: Real) -> Array:
    """Return a * b, with inf * 0 = 0."""
    return jnp.where(jnp.isinf(a) & (b == 0), 0.0, a) * b
