"""Results of functions and derivatives at ±inf and at subnormal inputs.

A subnormal input may be flushed to 0 by the device. Measured by
`python -m benchmarks accuracy`.
"""

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from benchmarks.libraries import Program, catalogue
from benchmarks.results import LimitRow
from jax_acts._core.spec import ActivationSpec
from jax_acts.testing import derivatives, off_kinks, same_limit, to_float64, ulps
from jax_acts.testing.reference import limit

SUBNORMALS = 200


def measure(name: str, program: Program, dtype: Any) -> Iterator[LimitRow]:
    """Yield the results of a function and of its first two derivatives."""
    f = catalogue()[name]
    tiny = subnormals(dtype, f.spec)
    exact = derivatives(f, tiny, np.float64)
    results = program(np.concatenate([[-np.inf, np.inf], tiny, 0 * tiny]), dtype)
    for order, by_mode in enumerate(results):
        wants = [_limit(f.spec, order, end) for end in (-np.inf, np.inf)]
        got = [
            _worst(want, [float(to_float64(y)[end]) for y in by_mode.values()], dtype)
            for end, want in enumerate(wants)
        ]
        errors = [_errors(y[2:], exact[order]) for y in by_mode.values()]
        error = np.max(errors, axis=0)
        i = int(np.argmax(error))
        yield LimitRow(
            function=name,
            dtype=np.dtype(dtype).name,
            order=order,
            below=got[0],
            below_want=wants[0],
            above=got[1],
            above_want=wants[1],
            subnormal=round(float(error[i]), 3),
            x=float(tiny[i]),
        )


def subnormals(dtype: Any, spec: ActivationSpec) -> NDArray[np.float64]:
    """Return subnormal values of a dtype, with the smallest and the largest."""
    info = ml_dtypes.finfo(dtype)
    smallest, normal = float(info.smallest_subnormal), float(info.tiny)
    multiples = np.geomspace(1, normal / smallest - 1, SUBNORMALS // 2).round()
    xs = np.concatenate([-np.unique(multiples), np.unique(multiples)]) * smallest
    return off_kinks(xs, spec)


def _errors(results: NDArray[Any], want: Any) -> NDArray[np.float64]:
    """Return errors in ulp, 0 where a result equals that of an input flushed to 0."""
    got, at_zero = np.split(results, 2)
    error = ulps(got, want)
    error[to_float64(got) == to_float64(at_zero)] = 0
    return error


def _limit(spec: ActivationSpec, order: int, end: float) -> float:
    """Return the limit of a derivative at an end, NaN where there is none."""
    low, high = spec.domain
    if spec.reference is None or not low <= end <= high:
        return np.nan
    return float(limit(spec.reference, order, end))


def _worst(want: float, results: list[float], dtype: Any) -> float:
    """Return the first result that is not the limit, or the first of all."""
    wrong = [y for y in results if not same_limit(y, want, dtype)]
    return (wrong or results)[0]
