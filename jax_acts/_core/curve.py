"""The values of an activation and its derivatives along a line."""

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

POINTS = 2000  # the 1999 steps, a prime, do not meet the numbers where functions jump
_HALVINGS = 40  # of a step, in search of a jump


class Jump(NamedTuple):
    """A place where a curve is not continuous."""

    x: float
    left: float
    value: float
    right: float


def curve(bound: Bound, order: int = 0, dtype: str = "float64") -> Curve:
    """Returns the function or its derivative of that order, from numbers to numbers.

    >>> from jax_acts import get
    >>> curve(get("relu"), 1)([-1.0, 0.0, 1.0])
    array([0., 0., 1.])

    Raises:
        ValueError: It is not elementwise, so that it has no curve.
    """
    _refuse_mixing(bound)
    f = _derivative(bound, order)

    def evaluate(x: ArrayLike) -> NDArray[Any]:
        x = np.asarray(x, np.float64)
        rows = np.pad(x, (0, -x.size % POINTS)).reshape(-1, POINTS)  # compiled once
        with enable_x64(True):
            y = np.concatenate([np.asarray(f(jnp.asarray(row, dtype))) for row in rows])
        return y[: x.size]

    return evaluate


def along(bound: Bound, x: ArrayLike, dtype: str = "float64") -> NDArray[Any]:
    """Returns the outputs for a row of inputs, on all of which each may depend.

    Raises:
        ValueError: They are not as many as the inputs.
    """
    _refuse_more_inputs(bound)
    with enable_x64(True):
        row = jnp.asarray(x, dtype)
        y = bound(row)
    if y.shape != row.shape:
        raise ValueError(f"{bound} of {row.size} numbers is of shape {y.shape}")
    return np.asarray(y)


def jumps(f: Curve, x: F64) -> list[Jump]:
    """Returns where a curve jumps between the points, found by halving.

    >>> jumps(lambda x: np.sign(np.asarray(x) - 0.25), np.linspace(-1, 1, 12))
    [Jump(x=0.25, left=-1.0, value=0.0, right=1.0)]
    """
    y = f(x)
    size = np.ptp(y[np.isfinite(y)]) if np.isfinite(y).any() else 0.0
    with np.errstate(invalid="ignore"):
        steep = np.abs(np.diff(y)) > 1e-3 * size
    if not steep.any():
        return []
    low, high = x[:-1][steep], x[1:][steep]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        left, centre, right = f(np.concatenate([low, middle, high])).reshape(3, -1)
        before = np.abs(centre - left) > np.abs(right - centre)
        low, high = np.where(before, low, middle), np.where(before, middle, high)
    digits = int(12 - np.log10(np.ptp(x)))
    place = np.round((low + high) / 2, digits) + 0.0  # which is not -0.0
    around = [low - (high - low), place, high + (high - low)]
    left, value, right = f(np.concatenate(around)).reshape(3, -1)
    found = np.abs(right - left) > 1e-6 * size
    columns = (column[found].tolist() for column in (place, left, value, right))
    return [Jump(*jump) for jump in zip(*columns, strict=True)]


def _derivative(bound: Bound, order: int) -> Callable[[Array], Array]:
    function = bound.function
    if isinstance(function, ActivationFunction):
        for _ in range(order):
            function = function.derivative
        start = {n: v.init for n, v in bound.learned.items()}
        return lambda x: function(x, **{**bound.arguments, **start})
    f: Callable[[Array], Array] = bound
    for _ in range(order):
        f = jax.grad(f)
    return jax.vmap(f) if order else f


def _refuse_mixing(bound: Bound) -> None:
    """Raises unless each output depends on its own input alone, and so has a curve."""
    if isinstance(bound.function, ActivationFunction):
        return
    _refuse_more_inputs(bound)
    # Every second one has another mean, and another mean square.
    x = np.linspace(-1, 2, 8, dtype=np.float32)
    y = np.asarray(bound(x))
    if y.shape != x.shape or not np.array_equal(y[::2], bound(x[::2]), equal_nan=True):
        raise ValueError(
            f"{bound} is not elementwise: each output depends on many inputs, which no "
            "curve can show"
        )


def _refuse_more_inputs(bound: Bound) -> None:
    """Raises if the function needs more than x, as a key or a second array."""
    try:
        inspect.signature(bound.function).bind(None, **bound.arguments)
    except TypeError as error:
        raise ValueError(f"{bound} is not a function of x alone: {error}") from None
