"""Zeros of derivatives, near which their error is bounded in absolute terms."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jax_acts._core.spec import ActivationSpec
from jax_acts.testing.evaluation import derivatives
from jax_acts.testing.inputs import sample_inputs
from jax_acts.testing.ulp import F64, to_float64

RADIUS = 0.75
"""The distance from a zero within which the error is bounded in absolute terms."""
LARGEST_BOUND = 100.0
"""A derivative that exceeds it is regarded as unbounded."""


class Zeros(NamedTuple):
    """The zeros of a bounded derivative, and its largest magnitude."""

    at: F64
    largest: float


def zero_tolerance(
    f: Callable[..., Array],
    spec: ActivationSpec,
    order: int,
    xs: NDArray[Any],
    dtype: Any,
) -> F64:
    """Return the absolute error that is tolerated near the zeros of a derivative.

    It is eps max |f^(order)| within `RADIUS` of a zero other than 0, and else 0; eps is
    that of the dtype of the computation, 1.2e-7 in float32 and for 16-bit inputs. It is
    0 for values and for unbounded derivatives.

    Args:
        f: An elementwise function.
        spec: Its metadata.
        order: The order of the derivative, 0 for the value.
        xs: The inputs.
        dtype: The dtype of the inputs.
    """
    tolerance = np.zeros(np.shape(xs))
    if order == 0:
        return tolerance
    zeros = derivative_zeros(f, spec.domain, tuple(spec.kinks))[order - 1]
    eps = ml_dtypes.finfo(dtype if np.dtype(dtype).itemsize > 4 else np.float32).eps
    for zero in zeros.at:
        near = np.abs(to_float64(np.asarray(xs)) - zero) <= RADIUS
        tolerance[near] = float(eps) * zeros.largest
    return tolerance


@functools.lru_cache(maxsize=4)
def derivative_zeros(
    f: Callable[..., Array],
    domain: tuple[float, float] = (-math.inf, math.inf),
    kinks: tuple[float, ...] = (),
) -> tuple[Zeros, Zeros]:
    """Return the zeros of the first two derivatives, at changes of their sign.

    Jumps of a derivative are no zeros, nor is 0, where a relative error is bounded.
    """
    spec = ActivationSpec(domain=domain, kinks=dict.fromkeys(kinks, math.nan))
    xs = sample_inputs(np.float64, 20_000, spec)
    xs = xs[np.abs(xs) < 100]
    _, first, second = derivatives(f, xs, np.float64)
    return _zeros(xs, first), _zeros(xs, second)


def _zeros(xs: F64, y: F64) -> Zeros:
    largest = float(np.max(np.abs(y), initial=0.0, where=np.isfinite(y)))
    if largest > LARGEST_BOUND:
        return Zeros(np.empty(0), 0.0)
    left, right = y[:-1], y[1:]
    small = np.maximum(np.abs(left), np.abs(right)) < largest / 8
    change = (left * right < 0) & (xs[:-1] * xs[1:] > 0) & small
    return Zeros((0.5 * (xs[:-1] + xs[1:]))[change], largest)
