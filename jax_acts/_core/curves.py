"""Evaluate functions and their derivatives on NumPy arrays; locate discontinuities."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.bound import Bound
from jax_acts._core.compat import enable_x64

F64 = NDArray[np.float64]
Curve = Callable[[ArrayLike], NDArray[Any]]

POINTS = 2000  # 1999 steps: a prime, so that grid points miss typical discontinuities
_BISECTIONS = 40


class Jump(NamedTuple):
    """A discontinuity: its location, the limits on both sides and the value."""

    x: float
    left: float
    value: float
    right: float


def curve(bound: Bound, order: int = 0, dtype: str = "float64") -> Curve:
    """Return the function, or its derivative of this order, of NumPy arrays.

    >>> from jax_acts import get
    >>> curve(get("relu"), 1)([-1.0, 0.0, 1.0])
    array([0., 0., 1.])

    Raises:
        ValueError: The function is not elementwise.
    """
    _check_elementwise(bound)
    if isinstance(bound.function, ActivationFunction):
        f = Bound(nth(bound.function, order), **bound.arguments)
    else:
        f = nth(bound, order)

    def evaluate(x: ArrayLike) -> NDArray[Any]:
        x = np.asarray(x, np.float64)
        # Batches of one shape are compiled once.
        batches = np.pad(x, (0, -x.size % POINTS)).reshape(-1, POINTS)
        with enable_x64(True):
            y = [np.asarray(f(jnp.asarray(batch, dtype))) for batch in batches]
        return np.concatenate(y)[: x.size]

    return evaluate


def evaluate_vector(bound: Bound, x: ArrayLike, dtype: str = "float64") -> NDArray[Any]:
    """Return f(x) for a vector; each output may depend on all inputs.

    Raises:
        ValueError: The output has another shape than x.
    """
    _check_only_x(bound)
    with enable_x64(True):
        vector = jnp.asarray(x, dtype)
        y = bound(vector)
    if y.shape != vector.shape:
        raise ValueError(
            f"{bound}: expected an output of the shape {vector.shape} of x, got "
            f"{y.shape}"
        )
    return np.asarray(y)


def find_jumps(f: Curve, x: F64) -> list[Jump]:
    """Locate the discontinuities of a curve between grid points by bisection.

    >>> find_jumps(lambda x: np.sign(np.asarray(x) - 0.25), np.linspace(-1, 1, 12))
    [Jump(x=0.25, left=-1.0, value=0.0, right=1.0)]
    """
    y = f(x)
    size = np.ptp(y[np.isfinite(y)]) if np.isfinite(y).any() else 0.0
    with np.errstate(invalid="ignore"):
        steep = np.abs(np.diff(y)) > 1e-3 * size
    if not steep.any():
        return []
    low, high = x[:-1][steep], x[1:][steep]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        left, center, right = f(np.concatenate([low, middle, high])).reshape(3, -1)
        in_left_half = np.abs(center - left) > np.abs(right - center)
        low = np.where(in_left_half, low, middle)
        high = np.where(in_left_half, middle, high)
    digits = int(12 - np.log10(np.ptp(x)))
    location = np.round((low + high) / 2, digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    around = [low - (high - low), location, high + (high - low)]
    left, value, right = f(np.concatenate(around)).reshape(3, -1)
    is_jump = np.abs(right - left) > 1e-6 * size
    columns = (c[is_jump].tolist() for c in (location, left, value, right))
    return [Jump(*row) for row in zip(*columns, strict=True)]


def nth(f: Callable[..., Array], order: int) -> Callable[..., Array]:
    """Return f or its derivative of that order, from its rules or by autodiff."""
    if order == 0:
        return f
    if isinstance(f, ActivationFunction):
        return nth(f.derivative, order - 1)
    return nth(lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1], order - 1)


def _check_elementwise(bound: Bound) -> None:
    if isinstance(bound.function, ActivationFunction):
        return
    _check_only_x(bound)
    # The mean and the mean square of x[::2] differ from those of x.
    x = np.linspace(-1, 2, 8, dtype=np.float32)
    y = np.asarray(bound(x))
    if y.shape != x.shape or not np.array_equal(y[::2], bound(x[::2]), equal_nan=True):
        raise ValueError(
            f"{bound}: expected an elementwise function, got one whose outputs depend "
            "on several inputs"
        )


def _check_only_x(bound: Bound) -> None:
    try:
        inspect.signature(bound.function).bind(None, **bound.arguments)
    except TypeError as error:
        raise ValueError(f"{bound}: expected a function of x only: {error}") from None
