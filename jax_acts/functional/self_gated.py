"""Functions x g(x) whose gate g is a sigmoid of another kind: mish, telu, serf."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import max_nan_free, min_nan_free, propagate_nan, where
from jax_acts._numerics.double_word import two_prod, two_sum
from jax_acts._numerics.exp_log import (
    ScaledExp,
    exp,
    exp_hi_lo,
    log1p,
    mul_exp,
    mul_scaled_exp,
    scaled_exp,
)
from jax_acts._numerics.polynomial import fold_half_line, polynomial, polynomial_hi_lo
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real

INF = math.inf

_ERF_1 = 2 / math.sqrt(math.pi)  # erf'(0)
_REACH = 40.0  # beyond it e^-x² is 0, in float64 too
_FLAT = {"float32": 12.0, "float64": 22.0}  # mish' is 1 beyond, to the last place
_EDGE = 1000.0  # beyond it every exponential below is 0, in float64 too


@activation(
    cite="misra2019",
    range=(-0.308843413017250407, INF),
    reference=lambda m, x: x * m.tanh(m.log1p(m.exp(x))),
)
def mish(x: Real) -> Array:
    r"""Mish, $x \tanh(\log(1 + e^x))$.

    >>> mish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.3034,  0.        ,  0.8651], dtype=float32)
    """
    z = min_nan_free(20.0, jnp.asarray(x))  # from where on it is x, to the last place
    p = scaled_exp(z)
    e = mul_scaled_exp(1.0, p)
    least = where(z < 0, mul_scaled_exp(max_nan_free(-_EDGE, z), p), x)
    lack = where(z < 0, e * (1 + e), 2.0) / (2 + e * (2 + e))
    return least * (1 - lack)


@mish.defderivative
def mish_dx(x: Real) -> Array:
    z = max_nan_free(-_EDGE, jnp.asarray(x))
    p = scaled_exp(z)
    e = mul_scaled_exp(1.0, p)
    top = 4 * (z + 1) + e * ((4 * z + 6) + e * (4 + e))
    bottom = 4 + e * (8 + e * (8 + e * (4 + e)))  # (2 + e (2 + e))², rounded once
    slope = mul_scaled_exp(top, p) / bottom
    return where(x > _FLAT[z.dtype.name], 1.0, patch_near_zero(x, slope, table.MISH_1))


@mish.derivative.defderivative
def mish_dx2(x: Real) -> Array:
    z, p = _exponential(x)
    e = mul_scaled_exp(1.0, p)
    n = 2 + e * (2 + e)
    left = (4 + 2 * z) + e * ((8 + 2 * z) + e * ((6 - 3 * z) + e * (2 - 2 * z)))
    left = mul_scaled_exp(4 * left, p) / (n * n * n)
    left = patch_near_zero(z, left, table.MISH_2_LEFT)
    m = 1 + 2 * e * (1 + e)
    right = (2 - 2 * z) + e * ((6 - 3 * z) + e * ((8 + 2 * z) + e * (4 + 2 * z)))
    right = mul_exp(4 * right, -2 * jnp.maximum(z, 0)) / (m * m * m)
    right = patch_near_zero(z, right, table.MISH_2_RIGHT)
    return where(x < 0, left, right)


@activation(
    cite="liu2020 fernandez2024",
    range=(-0.353285777848211271, INF),
    reference=lambda m, x: x * m.tanh(m.exp(min(x, 20))),  # tanh(e^20) is 1
)
def telu(x: Real) -> Array:
    r"""Hyperbolic tangent exponential linear unit, $x \tanh(e^x)$, also called TanhExp.

    >>> telu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.35214,  0.        ,  0.99133], dtype=float32)
    """
    z, p, u, q = _double_exponential(x)
    left = mul_scaled_exp(z * (1 - _lack(u)), p)
    return where(x < 0, left, x * ((1 - q) / (1 + q)))


@telu.defderivative
def telu_dx(x: Real) -> Array:
    z, p, u, q = _double_exponential(x)
    lack = _lack(u)
    t = u - u * lack  # tanh(u) for u <= 1
    left = mul_scaled_exp((1 + z) - (lack + z * t * t), p)
    left = patch_near_zero(z, left, table.TELU_1)
    right = (1 - q * q + 4 * q * (min_nan_free(4.0, z) * u)) / (
        1 + q * (2 + q)
    )  # tanh(u) + x u (1 - tanh(u)²)
    return where(x < 0, left, right)


@telu.derivative.defderivative
def telu_dx2(x: Real) -> Array:
    # With u = e^x and t = tanh(u) it is u (1 - t²) (2 + x - 2 x u t).
    z = jnp.clip(x, -_EDGE, 7)
    u, low = exp_hi_lo(max_nan_free(-80.0, z))
    q = exp(-2 * u, -2 * low)
    t = where(u < 1, u - u * _lack(u), (1 - q) / (1 + q))
    bend = (2 + z * (1 - 2 * u * t)) * (4 / (1 + q * (2 + q)))
    left = patch_near_zero(z, mul_exp(bend * q, jnp.minimum(z, 0)), table.TELU_2_LEFT)
    right = mul_exp(bend * u, -2 * u, -2 * low)
    right = patch_near_zero(z, right, table.TELU_2_RIGHT)
    return propagate_nan(x, where(z < 0, left, right))


tanhexp = telu


@activation(
    cite="nag2021",
    range=(-0.34843745875960642, INF),
    reference=lambda m, x: x * m.erf(m.log1p(m.exp(x))),
)
def serf(x: Real) -> Array:
    r"""Log-softplus error function, $x \operatorname{erf}(\log(1 + e^x))$.

    >>> serf(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.34225,  0.        ,  0.93672 ], dtype=float32)
    """
    z, p = _exponential(x)
    e = mul_scaled_exp(1.0, p)
    gate, rest = polynomial_hi_lo(e - 0.5, table.SERF_GATE_LEFT)
    right, _ = _serf_gate_right(z, e)
    return where(x < 0, mul_scaled_exp(gate, p, rest, z), x * right)


@serf.defderivative
def serf_dx(x: Real) -> Array:
    z, p = _exponential(x)
    e = mul_scaled_exp(1.0, p)
    bend = polynomial(e, table.SERF_GATE_1) + z * polynomial(e, table.SERF_SLOPE)
    left = patch_near_zero(
        z, mul_scaled_exp(_ERF_1 * ((1 + z) + e * bend), p), table.SERF_1
    )
    right, bell = _serf_gate_right(z, e)
    return where(x < 0, left, right + _ERF_1 * z * bell / (1 + e))


@serf.derivative.defderivative
def serf_dx2(x: Real) -> Array:
    # With p = softplus(x) and s = sigmoid(x) it is erf'(p) s (2 + x (1 - s - 2 p s)).
    z = jnp.clip(x, -_EDGE, _REACH)
    e = exp(-lax.abs(z))
    p, p_low = two_sum(jnp.maximum(z, 0), log1p(e))
    square, low = two_prod(p, p)
    low = low + 2 * p * p_low
    least, greatest = where(z < 0, e, 1.0), where(z < 0, 1.0, e)
    bend = (2 + z * ((greatest - 2 * p * least) / (1 + e))) / (1 + e)
    bend = mul_exp(_ERF_1 * bend, -square, -low)
    left = patch_near_zero(z, mul_exp(bend, jnp.minimum(z, 0)), table.SERF_2_LEFT)
    right = patch_near_zero(z, bend, table.SERF_2_RIGHT)
    return propagate_nan(x, where(z < 0, left, right))


def _exponential(x: Real) -> tuple[Array, ScaledExp]:
    """Returns x within bounds, and e^-|x|."""
    z = min_nan_free(_EDGE, max_nan_free(-_EDGE, jnp.asarray(x)))
    return z, scaled_exp(-lax.abs(z))


def _serf_gate_right(x: Array, e: Array) -> tuple[Array, Array]:
    """Returns erf(v) and e^-v² for v = log(1 + e^x) and x > 0, of e = e^-x."""
    v = max_nan_free(0.0, x) + log1p(e)
    bell = exp(-v * v)
    ratio = math.sqrt(2) * polynomial(fold_half_line(math.sqrt(2) * v), table.PHI_TAIL)
    near = polynomial(x - 0.8, table.SERF_GATE_RIGHT)  # a lack of 0.3 would be rounded
    return where(x < 1.6, near, 1 - ratio * bell / v), bell


def _double_exponential(x: Real) -> tuple[Array, ScaledExp, Array, Array]:
    """Returns x within bounds, e^x to be multiplied, u = e^x and e^-2u, up to x = 4.

    There e^-2u is nothing beside 1.
    """
    z = min_nan_free(_EDGE, max_nan_free(-_EDGE, jnp.asarray(x)))
    p = scaled_exp(min_nan_free(4.0, z))
    u = mul_scaled_exp(1.0, p)
    return z, p, u, exp(-2 * u)


def _lack(u: Array) -> Array:
    """Returns 1 - tanh(u) / u for 0 <= u <= 1."""
    v = jnp.minimum(u, 1)
    return v * v * polynomial(v * v, table.TANH_SHRINK)
