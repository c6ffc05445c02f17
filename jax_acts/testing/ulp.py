"""Errors in ulp (units in the last place)."""

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def to_float64(xs: NDArray[Any]) -> F64:
    """Return values of any dtype in float64, without warnings for signaling NaNs."""
    with np.errstate(invalid="ignore"):
        return xs.astype(np.float64)


def ulps(
    got: NDArray[Any],
    want: F64,
    lo: F64 | float = 0.0,
    tolerance: F64 | float = 0.0,
) -> F64:
    """Return (|got - (want + lo)| - tolerance) in ulp of the dtype of `got`.

    The error is 0 where `want` is subnormal and `got` is at most twice the least normal
    number, since x - f(x) is x where a backend flushes f(x); where both overflow, and
    where `want` is NaN. It is infinite where only `got` is NaN.
    """
    info = ml_dtypes.finfo(got.dtype)
    tiny, top = float(info.tiny), float(info.max)
    half_ulp = float(np.ldexp(1.0, info.maxexp - 2 - info.nmant))
    got = to_float64(got)
    size = np.abs(want)
    _, exponent = np.frexp(np.clip(size, tiny, top))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.maximum(np.abs((got - want) - lo) - tolerance, 0)
        error = error / np.ldexp(1.0, exponent - 1 - info.nmant)
        error[(size < tiny) & (np.abs(got) <= 2 * tiny)] = 0
        error[(size >= top + half_ulp) & (np.abs(got) >= top) & (got * want > 0)] = 0
    error[got == want] = 0
    error[np.isnan(got) & ~np.isnan(want)] = np.inf
    error[np.isnan(want)] = 0
    return error


def same_limit(got: float, want: float, dtype: Any) -> bool:
    """Return whether a result is the limit; NaN where there is none.

    The tolerance is 1e-6, the accuracy of `reference.limit`, or 2 ulp of the dtype.
    """
    rtol = max(1e-6, 2 * float(ml_dtypes.finfo(dtype).eps))
    return bool(np.allclose(got, want, rtol=rtol, atol=0, equal_nan=True))


def worst_input(xs: NDArray[Any], got: NDArray[Any], want: F64, error: F64) -> str:
    """Return a message with the largest error, its input, and both results."""
    i = int(np.argmax(error))
    x, y, expected = (float(a[i]) for a in (xs, got, want))
    return f"error {error[i]:.3g} ulp at x = {x!r}: expected {expected!r}, got {y!r}"
