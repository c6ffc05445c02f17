"""What functions and their derivatives give at the ends of their dtype.

At ±inf they have limits, or none; a subnormal input is a number like any other, or 0 to
a device that flushes it. `python -m benchmarks.accuracy` measures this too.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import DTYPES, Program, catalogue
from jax_acts._core.spec import ActivationSpec
from jax_acts.testing import derivatives, off_kinks, same_limit, ulps, widened
from jax_acts.testing.reference import limit

SUBNORMALS = 200


class Ends(NamedTuple):
    """What one derivative of one function gives at the ends of one dtype."""

    function: str
    dtype: str
    order: int
    below: float
    below_want: float
    above: float
    above_want: float
    """What it is at -inf and inf, and the limits; NaN where there is none."""
    subnormal: float
    """The greatest error in ulp at subnormal inputs."""
    x: float
    """Where that is."""

    @property
    def right_below(self) -> bool:
        """Whether it is right at -inf."""
        return same_limit(self.below, self.below_want, DTYPES[self.dtype])

    @property
    def right_above(self) -> bool:
        """Whether it is right at inf."""
        return same_limit(self.above, self.above_want, DTYPES[self.dtype])


def measure(name: str, program: Program, dtype: Any) -> Iterator[Ends]:
    """Yields what a function and its first two derivatives give."""
    f = catalogue()[name]
    tiny = subnormals(dtype, f.spec)
    exact = derivatives(f, tiny, np.float64)
    results = program(np.concatenate([[-np.inf, np.inf], tiny, 0 * tiny]), dtype)
    for order, by_mode in enumerate(results):
        wants = [wanted(f.spec, order, end) for end in (-np.inf, np.inf)]
        got = [
            unlike(want, [float(widened(y)[end]) for y in by_mode.values()], dtype)
            for end, want in enumerate(wants)
        ]
        errors = [off(y[2:], exact[order]) for y in by_mode.values()]
        error = np.max(errors, axis=0)
        i = int(np.argmax(error))
        yield Ends(
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


def off(results: NDArray[Any], want: Any) -> NDArray[np.float64]:
    """Returns the errors in ulp of results; what they are at 0 follows them."""
    got, at_zero = np.split(results, 2)
    error = ulps(got, want)
    error[widened(got) == widened(at_zero)] = 0
    return error


def subnormals(dtype: Any, spec: ActivationSpec) -> NDArray[np.float64]:
    """Returns subnormal numbers of a dtype, the least and the greatest among them."""
    info = ml_dtypes.finfo(dtype)
    least, normal = float(info.smallest_subnormal), float(info.tiny)
    steps = np.unique(np.geomspace(1, normal / least - 1, SUBNORMALS // 2).round())
    xs = np.concatenate([-steps, steps]) * least
    return off_kinks(xs, spec)


def wanted(spec: ActivationSpec, order: int, end: float) -> float:
    """Returns the limit of a derivative at an end, or NaN where there is none."""
    low, high = spec.domain
    if spec.reference is None or not low <= end <= high:
        return np.nan
    return float(limit(spec.reference, order, end))


def unlike(want: float, results: list[float], dtype: Any) -> float:
    """Returns the first result that is not the limit, or the first of all."""
    wrong = [y for y in results if not same_limit(y, want, dtype)]
    return (wrong or results)[0]
