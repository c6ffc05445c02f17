"""References: a formula in mpmath with hundreds of digits, and its differences.

This module needs mpmath: `jax-acts[testing]`.
"""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from jax_acts.testing.ulp import F64

mp: Any = mpmath.mp  # its type stubs lack most functions


def reference_values(
    reference: Callable[..., Any], xs: F64, order: int = 0, dtype: Any = np.float64
) -> tuple[F64, F64]:
    """Return the derivative of a reference at the inputs in double-word precision.

    Parameters have their defaults. The result is NaN where mpmath overflows, such as
    e^(e^x) for huge x, and where the derivative jumps.

    Args:
        reference: The formula `reference(m, x)`, where m is the module mpmath.
        xs: The inputs.
        order: The order of the derivative.
        dtype: The dtype whose least normal number the result resolves.
    """
    results = [_resolve(reference, float(x), order, dtype) for x in xs]
    hi, lo = zip(*results, strict=True) if results else ((), ())
    return np.array(hi, np.float64), np.array(lo, np.float64)


def _resolve(
    reference: Callable[..., Any], x: float, order: int, dtype: Any
) -> tuple[float, float]:
    """Return a derivative in double-word precision.

    Ziv's strategy: two steps and precisions that agree are trusted, and so is a result
    that is below the least number of the dtype with enough digits to resolve it.
    Otherwise the step is below the least number, and the difference resolves it.
    """
    least = 1100 if np.dtype(dtype) == np.float64 else 170
    magnitude = math.log2(abs(x)) if x and math.isfinite(x) else 0

    def at(step: int, bits: float) -> Any:
        with mp.workprec(math.ceil(bits)):
            return _difference(reference, mp.mpf(x), order, step)

    def trusted() -> Any:
        bits = order * (150 + max(0, -magnitude)) + 200
        exact, check = at(130, bits), at(150, bits + 100)
        if exact and abs(exact - check) <= mp.ldexp(abs(check), -115):
            return exact
        exact = at(130, bits + least)
        return exact if mp.mag(exact) < -least else None

    exact = trusted() if order and x and magnitude < 20 else None
    if exact is None:
        exact = at(least, (2 * order + 1) * least + 1160)
    with mp.workprec(200):
        hi = float(exact)
        return hi, float(exact - mp.mpf(hi)) if math.isfinite(hi) else 0.0


def _difference(reference: Any, x: Any, order: int, step: int) -> Any:
    """Return the central difference of that order over the step 2^-step |x|.

    Above 1 the step is absolute, since waves do not become longer there. The result is
    NaN where that derivative or a lower one jumps: there the difference of the next
    order is not smaller by a factor of the step.
    """
    h = mp.ldexp(min(abs(x), 1) if x else 1, -step)
    at = lambda k: reference(mpmath, x + k * h)
    try:
        if order == 0:
            return at(0)
        left, middle, right = at(-1), at(0), at(1)
        second = right - 2 * middle + left
        if order == 1:
            scale, derivative, next_difference = h, (right - left) / (2 * h), second
        else:
            scale, derivative = h * h, second / (h * h)
            next_difference = at(2) - 3 * right + 3 * middle - left
    except (MemoryError, OverflowError):
        return mp.nan
    threshold = mp.ldexp(scale * max(1, abs(derivative)), -step // 2)
    return mp.nan if abs(next_difference) > threshold else derivative


def limit(reference: Callable[..., Any], order: int, end: float) -> float:
    """Return the limit of a derivative at -inf or inf, or NaN if there is none.

    It is extrapolated to an accuracy of 1e-6.
    """
    far = np.copysign([2.3e4, 2.3e5, 2.3e6, 2.3e7], end)
    at = lambda xs: _extrapolate(*reference_values(reference, xs, order, np.float32)[0])
    result = at(far)
    # A growing oscillation has no limit, but may seem to diverge at four inputs.
    return math.nan if math.isinf(result) and result != at(1.7 * far) else result


def _extrapolate(a: float, b: float, c: float, d: float) -> float:
    """Return the limit of a sequence with values at 10⁰, 10¹, 10² and 10³, or NaN.

    The increments shrink if there is a finite limit; they grow or stay constant (for a
    logarithm) if it is infinite.
    """
    if c == d or math.isinf(d):
        return d
    if abs(c) < abs(a) / 20 and abs(d) < abs(b) / 20:  # also a decaying oscillation
        return 0.0
    first, second, third = b - a, c - b, d - c
    if abs(third) < abs(second) / 2 < abs(first) / 4:
        result = d - third**2 / (third - second)
        return result if abs(result) > abs(d) * 1e-3 else 0.0
    outward = first * second > 0 < second * third and abs(a) < abs(b) < abs(c) < abs(d)
    return math.copysign(math.inf, d) if outward else math.nan
