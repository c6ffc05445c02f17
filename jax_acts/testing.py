"""Measures values and derivatives against the truth, in units in the last place.

The truth is the oracle of a function, its formula in arithmetic of hundreds of digits;
its derivatives are differences of it. This module needs mpmath: `jax-acts[testing]`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import mpmath
import numpy as np
from numpy.typing import NDArray

from jax_acts._activation import ActivationFunction

F64 = NDArray[np.float64]
mp: Any = mpmath.mp


def every(dtype: Any) -> NDArray[Any]:
    """Returns every number of a 16-bit dtype that is normal, zero, infinite or NaN.

    Backends flush subnormal inputs to zero, or not.
    """
    xs = np.arange(2**16, dtype=np.uint16).view(dtype)
    tiny, wide = float(ml_dtypes.finfo(dtype).tiny), widened(xs)
    return xs[(wide == 0) | ~(np.abs(wide) < tiny)]


def widened(xs: NDArray[Any]) -> F64:
    """Returns numbers of any dtype in float64, where each kind of NaN is NaN."""
    with np.errstate(invalid="ignore"):  # NumPy warns of signalling NaNs
        return xs.astype(np.float64)


def telling(f: ActivationFunction[...], dtype: Any, count: int, seed: int = 0) -> F64:
    """Returns inputs of every order of magnitude, denser where exponentials live.

    They are numbers of the dtype and in the domain of f, without its kinks.
    """
    rng = np.random.default_rng(seed)
    info = ml_dtypes.finfo(dtype)
    powers = 2.0 ** rng.uniform(info.minexp, info.maxexp, count // 4)
    near = 2.0 ** rng.uniform(-20, 4, count // 4)
    reach = 1.2 * np.log(float(info.max))
    wide = rng.uniform(-reach, reach, count // 4)
    xs = np.concatenate([powers, -powers, near, -near, wide, [0.0, 1.0, -1.0]])
    with np.errstate(over="ignore"):
        xs = np.unique(xs.astype(dtype).astype(np.float64))
    low, high = f.facts.domain
    return np.setdiff1d(xs[(xs > low) & (xs < high)], list(f.facts.kinks))


def nth(f: ActivationFunction[...], order: int) -> ActivationFunction[...]:
    """Returns f, or its derivative of that order."""
    return f if order == 0 else nth(f.derivative, order - 1)


def evaluate(f: Callable[..., Any], xs: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Returns f at the inputs, computed in the dtype, float64 included."""
    with jax.enable_x64(True), np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(f(jnp.asarray(xs.astype(dtype))))


def truth(
    f: ActivationFunction[...], xs: F64, order: int = 0, dtype: Any = np.float64
) -> tuple[F64, F64]:
    """Returns the derivative of the oracle at the inputs, in two parts.

    The parameters have their default values. NaN stands where the oracle does not come
    to a result, such as e^(e^x) for huge x.
    """
    oracle = f.facts.oracle
    if oracle is None:
        raise ValueError(f"{f.__name__} has no oracle to compare with")
    defaults = [
        float(p.default)
        for name, p in list(f.signature.parameters.items())[1:]
        if name not in f.static
    ]
    # A difference over the step 10^-s must leave more digits than the least number has.
    scale = 330 if np.dtype(dtype) == np.float64 else 50
    with mp.workdps((2 * order + 1) * scale + 350):
        step = mp.mpf(10) ** -scale
        exact = [
            _difference(oracle, mp.mpf(x), list(map(mp.mpf, defaults)), order, step)
            for x in xs.tolist()
        ]
        high = np.array([float(y) for y in exact])
        rest = [
            float(y - mp.mpf(h)) if np.isfinite(h) else 0.0
            for y, h in zip(exact, high.tolist(), strict=True)
        ]
    return high, np.array(rest)


def _difference(oracle: Any, x: Any, defaults: list[Any], order: int, step: Any) -> Any:
    """Returns the central difference of that order over a step relative to x.

    It is NaN where the second derivative jumps, which it does at 0 if anywhere.
    """
    h = step * (abs(x) or 1)
    at = lambda k: oracle(mpmath, x + k * h, *defaults)
    try:
        if order == 0:
            return at(0)
        if order == 1:
            return (at(1) - at(-1)) / (2 * h)
        if x == 0:
            right, left = (at(2 * s) - 2 * at(s) + at(0) for s in (1, -1))
            if abs(right - left) > abs(h) ** 2.5:
                return mp.nan
        return (at(1) - 2 * at(0) + at(-1)) / (h * h)
    except (MemoryError, OverflowError):
        return mp.nan


def ulps(got: NDArray[Any], want: F64, rest: F64 | float = 0.0) -> F64:
    """Returns |got - (want + rest)| in units in the last place of the dtype of `got`.

    Results that are flushed to zero, or to the least normal number, are forgiven; so is
    infinity beyond the greatest number. NaN is infinitely far from a number; where
    `want` is NaN nothing is wanted.
    """
    info = ml_dtypes.finfo(got.dtype)
    tiny, top = float(info.tiny), float(info.max)
    half_ulp = float(np.ldexp(1.0, info.maxexp - 2 - info.nmant))
    got = widened(got)
    size = np.abs(want)
    _, exponent = np.frexp(np.clip(size, tiny, top))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs((got - want) - rest) / np.ldexp(1.0, exponent - 1 - info.nmant)
        error[(size < tiny) & (np.abs(got) <= tiny)] = 0
        error[(size >= top + half_ulp) & (np.abs(got) >= top) & (got * want > 0)] = 0
    error[got == want] = 0
    error[np.isnan(got) & ~np.isnan(want)] = np.inf
    error[np.isnan(want)] = 0
    return error


def worst(
    f: Callable[..., Any], xs: NDArray[Any], got: NDArray[Any], want: F64, error: F64
) -> str:
    """Returns the greatest error as a sentence that names the input."""
    i = int(np.argmax(error))
    return (
        f"{f.__name__} is {error[i]:.3g} ulp off at x = {xs[i]!r}: "
        f"{got[i]!r}, not {want[i]!r}"
    )
