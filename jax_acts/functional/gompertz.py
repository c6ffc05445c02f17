"""Functions built on the Gompertz curve, exp(-e^-x)."""

import math

import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import max_nan_free, where
from jax_acts._numerics.double_word import two_sum
from jax_acts._numerics.exp_log import exp_hi_lo, exponent_product, mul_exp
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real

INF = math.inf


@activation(
    cite="das2025",
    range=(-0.0972601312276394046, INF),
    reference=lambda m, x, alpha=1, beta=1, gamma=1: (
        alpha * x * m.exp(-beta * m.exp(min(-gamma * x, 20)))  # e^-e^20 is 0
    ),
)
def golu(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0) -> Array:
    r"""Gompertz linear unit, $\alpha x \exp(-\beta e^{-\gamma x})$.

    Args:
        x: The input.
        alpha: $\alpha$, the slope that it tends to.
        beta: $\beta$, positive; the gate is moved by $\log(\beta) / \gamma$.
        gamma: $\gamma$, positive; as it grows, the gate tends to a step.

    >>> golu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.06599, 0.     , 0.6922 ], dtype=float32)
    """
    _, _, w, low = _exponent(x, beta, gamma)
    finite = max_nan_free(-1e30, jnp.asarray(x))
    gate = mul_exp(where(x < 0, finite, 1.0), -w, -low)
    return alpha * where(x < 0, gate, x * gate)


@golu.defderivative
def golu_dx(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0) -> Array:
    z, z_low, w, low = _exponent(x, beta, gamma)
    slope = alpha * mul_exp(1 + z * w, -w, -low)
    if isinstance(beta, float):  # its default; the zero moves with beta
        return patch_near_zero(z, slope, table.GOLU_1, z_low, alpha)
    return slope


@golu.derivative.defderivative
def golu_dx2(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0) -> Array:
    z, z_low, w, low = _exponent(x, beta, gamma)
    scale = alpha * gamma
    bend = scale * _times_slope(2 - z + z * w, z, z_low, w, low, beta)
    if isinstance(beta, float):
        bend = patch_near_zero(z, bend, table.GOLU_2_LEFT, z_low, scale)
        return patch_near_zero(z, bend, table.GOLU_2_RIGHT, z_low, scale)
    return bend


@golu.defpartial("beta")
def golu_dbeta(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0
) -> Array:
    return -alpha / beta * _times_slope(_bounded(x), *_exponent(x, beta, gamma), beta)


@golu.defpartial("gamma")
def golu_dgamma(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0
) -> Array:
    square = jnp.square(_bounded(x))
    return alpha * _times_slope(square, *_exponent(x, beta, gamma), beta)


def _exponent(x: Real, beta: Real, gamma: Real) -> tuple[Array, Real, Array, Array]:
    """Returns z = gamma x and w = beta e^-z, each with what it lacks, both cut off.

    The gate is e^-w, which has w times the error of w.
    """
    z, z_low = exponent_product(gamma, x)
    if not isinstance(z_low, float):
        z, z_low = two_sum(z, jnp.asarray(z_low))
    u, rest = exp_hi_lo(-jnp.clip(z, -80, 80))
    w, low = exponent_product(beta, u)
    more = jnp.clip(beta * (rest - u * z_low), -0.01, 0.01)  # it is great if w is cut
    return z, z_low, w, low + more


def _times_slope(
    v: Array, z: Array, z_low: Real, w: Array, low: Array, beta: Real
) -> Array:
    """Returns v w e^-w, and w e^-w is the derivative of the gate in z.

    Where z > 0, w vanishes before it is multiplied by v.
    """
    both, more = two_sum(w, z)
    left = z < 0
    exponent = where(left, w, both)
    rest = where(left, low, more + (low + z_low))
    return mul_exp(v * where(left, w, beta), -exponent, -rest)


def _bounded(x: Real) -> Array:
    """Returns x within bounds, for a factor of what vanishes there."""
    return jnp.clip(x, -1e9, 1e9)
