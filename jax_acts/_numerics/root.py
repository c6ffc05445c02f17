"""Simple zeros: (x - zero) times a polynomial, in place of a formula that cancels."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._numerics.bitwise import where
from jax_acts._numerics.double_word import Constant
from jax_acts._numerics.polynomial import Coefficients, polynomial
from jax_acts._numerics.types import Real


class Root(NamedTuple):
    """A simple zero z of a function f, with f(x) = (x - z) factor(x - z) near it."""

    zero: Constant
    """z in double-word precision."""
    factor: Coefficients
    """The polynomial in x - z."""
    slope: float
    """f'(z), the value of the factor at 0."""
    radius: float = 0.25
    """The factor is valid for |x - z| < radius."""


def patch_near_zero(x: Real, value: Real, root: Root) -> Array:
    """Replace `value` within `root.radius` of a zero z by (x - z) factor(x - z).

    The terms of the direct formula cancel near z. Here the relative error stays
    bounded, since z has double-word precision.

    Args:
        x: The input.
        value: The direct formula at x.
        root: The zero and the factor.
    """
    x = jnp.asarray(x)
    zero, zero_lo = root.zero[x.dtype.name]
    d = x - zero
    near = d * polynomial(d, root.factor) - zero_lo * root.slope
    return where(lax.lt(lax.abs(d), d.dtype.type(root.radius)), near, value)
