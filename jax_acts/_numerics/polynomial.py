"""Polynomials with one row of coefficients for each dtype, by Horner's rule."""

from collections.abc import Sequence

from jax import Array, lax

from jax_acts._numerics.double_word import hi_lo
from jax_acts._numerics.ordinary import is_bfloat16

Coefficients = dict[str, tuple[float, ...]]
"""Coefficients by dtype, lowest power first; those of bfloat16 are for float32 x."""


def polynomial(x: Array, coefficients: Coefficients) -> Array:
    """Return the polynomial with the coefficients for the dtype of x."""
    return horner(x, _row(x, coefficients))


def polynomial_hi_lo(x: Array, coefficients: Coefficients) -> tuple[float, Array]:
    """Return the polynomial as hi + lo: the constant term, and the terms in x.

    Near x = 0 the terms in x are small, and so is their rounding error;
    `mul_scaled_exp` takes hi and lo and rounds their sum once.
    """
    constant, *rest = _row(x, coefficients)
    hi, lo = hi_lo(constant, x.dtype)
    return hi, lo + x * horner(x, rest)


def _row(x: Array, coefficients: Coefficients) -> tuple[float, ...]:
    """Return the coefficients for the dtype to which results are rounded."""
    name = x.dtype.name
    if is_bfloat16() and name == "float32":
        return coefficients.get("bfloat16", coefficients[name])
    return coefficients[name]


def horner(x: Array, coefficients: Sequence[float]) -> Array:
    """Return Σ c_i x^i for at least two coefficients c_i."""
    last, before, *rest = map(x.dtype.type, reversed(coefficients))
    result = lax.add(lax.mul(last, x), before)
    for c in rest:
        result = lax.add(lax.mul(result, x), c)
    return result


def fold_half_line(a: Array) -> Array:
    """Return (a - 2.5) / (a + 2.5), which maps [0, ∞) to [-1, 1)."""
    return (a - 2.5) * (1 / (a + 2.5))  # XLA stores a shared quotient to memory
