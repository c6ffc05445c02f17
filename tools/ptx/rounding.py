"""Correct rounding of exact sums hi + lo of two float64, in every rounding mode."""

from typing import Any

import numpy as np

from tools.ptx.opcode import TYPES, Values

MODES = frozenset({"rn", "rz", "rm", "rp"})


def two_sum(a: Values, b: Values) -> tuple[Values, Values]:
    """Return the float64 sum and its rounding error; the error of inf and NaN is 0."""
    s = a + b
    b_rounded = s - a
    error = (a - (s - b_rounded)) + (b - b_rounded)
    return s, np.where(np.isfinite(s), error, 0.0)


def round_sum(hi: Values, lo: Values, name: str, mode: str = "rn") -> Values:
    """Round hi + lo to a type, where hi is the float64 nearest to the sum.

    Args:
        hi: The float64 sum.
        lo: Its rounding error.
        name: The type of the result.
        mode: "rn" to nearest even, "rz" toward zero, "rm" down, "rp" up.
    """
    odd = round_to_odd(hi, lo)
    if name == "bf16":  # ml_dtypes converts by way of float32, in nearest mode
        single = odd.astype(np.float32)
        lo = odd - single.astype(np.float64)
        odd = round_to_odd(single, np.where(np.isfinite(single), lo, 0.0))
    nearest = odd.astype(TYPES[name])
    if mode == "rn":
        return nearest
    wide = nearest.astype(np.float64)
    above = (wide > hi) | ((wide == hi) & (lo < 0))
    below = (wide < hi) | ((wide == hi) & (lo > 0))
    down = np.nextafter(nearest, TYPES[name].type(-np.inf))
    up = np.nextafter(nearest, TYPES[name].type(np.inf))
    if mode == "rz":
        above, below = above & (hi > 0), below & (hi < 0)
    finite = np.isfinite(hi)
    result = np.where(above & finite & (mode != "rp"), down, nearest)
    return np.where(below & finite & (mode != "rm"), up, result)


def round_to_odd(hi: Values, lo: Values) -> Values:
    """Round hi + lo to the format of hi, to the odd neighbor if it is inexact.

    A second rounding to nearest, to at most two bits less, is then that of the sum.
    """
    bits = hi.view(f"i{hi.dtype.itemsize}")
    away = np.where((lo > 0) == (hi > 0), 1, -1).astype(bits.dtype)
    inexact = (lo != 0) & np.isfinite(hi) & (hi != 0)
    return np.where(inexact & (bits & 1 == 0), bits + away, bits).view(hi.dtype)


def add(a: Any, b: Any, name: str, mode: str) -> Values:
    """Return a + b, rounded once."""
    if mode == "rn":
        return a + b  # 16 bits: the second rounding, from float32, is innocuous
    a, b = a.astype(np.float64), b.astype(np.float64)
    return _signed_zero(a, b, round_sum(*two_sum(a, b), name, mode), mode)


def multiply(a: Any, b: Any, name: str, mode: str) -> Values:
    """Return a b, rounded once."""
    if mode == "rn":
        return a * b
    product = a.astype(np.float64) * b.astype(np.float64)  # exact
    return round_sum(product, np.zeros_like(product), name, mode)


def fma(a: Any, b: Any, c: Any, name: str, mode: str) -> Values:
    """Return a b + c, rounded once."""
    product = a.astype(np.float64) * b.astype(np.float64)  # exact
    c = c.astype(np.float64)
    result = round_sum(*two_sum(product, c), name, mode)
    return _signed_zero(product, c, result, mode)


def _signed_zero(a: Values, b: Values, result: Values, mode: str) -> Values:
    """Return -0 where a + b is 0 by cancellation and rounded down."""
    if mode != "rm":
        return result
    cancels = (a == -b) & np.isfinite(a) & (np.signbit(a) != np.signbit(b))
    return np.where(cancels, -np.zeros_like(result), result)
