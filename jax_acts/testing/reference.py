"""The truth: a formula in arithmetic of hundreds of digits, and differences of it.

This module needs mpmath: `jax-acts[testing]`.
"""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
mp: Any = mpmath.mp


def reference_values(
    reference: Callable[..., Any], xs: F64, order: int = 0, dtype: Any = np.float64
) -> tuple[F64, F64]:
    """Returns the derivative of an oracle at the inputs, in two parts.

    The oracle has its parameters at their defaults. NaN stands where it does not come
    to a result, such as e^(e^x) for huge x, or where the derivative jumps.

    Args:
        oracle: The formula, as `oracle(m, x)` with `m` the module mpmath.
        xs: The inputs.
        order: The order of the derivative.
        dtype: What the result is for: it must resolve the least number of that.
    """
    # A difference over the step 10^-s must leave more digits than the least number has.
    scale = 330 if np.dtype(dtype) == np.float64 else 50
    with mp.workdps((2 * order + 1) * scale + 350):
        step = mp.mpf(10) ** -scale
        exact = [_difference(reference, mp.mpf(x), order, step) for x in xs.tolist()]
        high = np.array([float(y) for y in exact])
        rest = [
            float(y - mp.mpf(h)) if np.isfinite(h) else 0.0
            for y, h in zip(exact, high.tolist(), strict=True)
        ]
    return high, np.array(rest)


def limit(reference: Callable[..., Any], order: int, end: float) -> float:
    """Returns the limit of a derivative at -inf or inf, or NaN where there is none.

    It is extrapolated, and good to 1e-6.
    """
    far = np.copysign([2.3e4, 2.3e5, 2.3e6, 2.3e7], end)
    at = lambda xs: _extrapolated(
        *reference_values(reference, xs, order, np.float32)[0]
    )
    found = at(far)
    # A wave that grows has no limit, though it may do so at four inputs by chance.
    return math.nan if math.isinf(found) and found != at(1.7 * far) else found


def _extrapolated(a: float, b: float, c: float, d: float) -> float:
    """Returns the limit of what is a, b, c and d at 10⁰, 10¹, 10² and 10³, or NaN.

    The steps from one to the next shrink where there is a limit; they grow, or stay the
    same as those of a logarithm, where there is none but infinity.
    """
    if c == d or math.isinf(d):
        return d
    first, second, third = b - a, c - b, d - c
    if abs(third) < abs(second) / 2 < abs(first) / 4:
        limit = d - third**2 / (third - second)
        return limit if abs(limit) > abs(d) * 1e-3 else 0.0
    outward = first * second > 0 < second * third and abs(a) < abs(b) < abs(c) < abs(d)
    return math.copysign(math.inf, d) if outward else math.nan


def _difference(reference: Any, x: Any, order: int, step: Any) -> Any:
    """Returns the central difference of that order over a step relative to x.

    It is NaN where that derivative jumps, or a lower one: there the difference of the
    next order is no h times smaller.
    """
    h = step * (abs(x) or 1)
    at = lambda k: reference(mpmath, x + k * h)
    try:
        if order == 0:
            return at(0)
        left, middle, right = at(-1), at(0), at(1)
        second = right - 2 * middle + left
        if order == 1:
            slope, more = (right - left) / (2 * h), second
        else:
            slope, more = second / h**2, at(2) - 3 * right + 3 * middle - left
    except (MemoryError, OverflowError):
        return mp.nan
    jumps = abs(more) > h ** (order + mp.mpf("0.5")) * max(1, abs(slope))
    return mp.nan if jumps else slope
