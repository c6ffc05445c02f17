"""Arguments: `Learn`, validation when they are bound, conversion when they are passed.

Bound(f, **arguments) --validate_arguments--> normalized, without defaults
f(x, axis=…, where=…) --as_real, canonical_axes, broadcast_mask--> arrays and axes
"""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from jax_acts._core.errors import check_choice, did_you_mean
from jax_acts._core.function import Function
from jax_acts._core.spec import Axis, InnerFunction, InnerFunctions
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.types import Axes

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Learn:
    """Placeholder for an argument that is a trainable parameter of a layer.

    >>> Learn(0.25)
    Learn(0.25)
    >>> Learn((0.0, 1.0, 0.5), per_feature=True).initial_value(4).shape
    (3, 4)
    >>> Learn(1.5, bounds=(1.0, 2.0)).project(jnp.array([0.9, 1.2]))
    Array([1. , 1.2], dtype=float32)

    Args:
        init: Initial value; a tuple for an argument that is a list of coefficients.
        per_feature: Whether each feature, along the last axis, has its own parameter.
        bounds: The interval to which the parameter is projected; None is the interval
            that the function declares, which is all numbers for most arguments.
        sharding: The mesh axis, or the axes, over which the features are sharded, as
            metadata of the Flax parameter; only per feature.
    """

    init: float | tuple[float, ...]
    per_feature: bool = False
    bounds: Interval | None = None
    sharding: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        values = self.init if isinstance(self.init, tuple) else (self.init,)
        if not values or not all(map(_is_number, values)):
            raise TypeError(
                f"Learn: expected a number or a tuple of numbers, got {self.init!r}"
            )
        if not isinstance(self.per_feature, bool):
            raise TypeError(
                f"Learn: per_feature: expected True or False, got {self.per_feature!r}"
            )
        if self.bounds is not None:
            _check_bounds(self.bounds)
            check_within("Learn: init", self.init, self.bounds)
        axes = self.sharding if isinstance(self.sharding, tuple) else (self.sharding,)
        if self.sharding is not None and not all(isinstance(a, str) for a in axes):
            raise TypeError(
                "Learn: sharding: expected the name of a mesh axis or a tuple of "
                f"names, got {self.sharding!r}"
            )
        if self.sharding is not None and not self.per_feature:
            raise ValueError(
                f"Learn: sharding: expected None without per_feature=True, got "
                f"{self.sharding!r}"
            )

    def initial_value(
        self, features: int | None, dtype: DTypeLike = jnp.float32
    ) -> Array:
        """Return the initial parameter.

        Its shape is `()` or `(features,)`, with k coefficients `(k,)` or
        `(k, features)`.
        """
        if self.per_feature and features is None:
            raise ValueError(
                f"{self}: expected the number of features, as features=… or as the "
                "last axis of x; got none"
            )
        init = jnp.asarray(self.init, dtype)
        if not self.per_feature:
            return init
        return jnp.full((*init.shape, features), init[..., None], dtype)

    @property
    def partition(self) -> tuple[str | tuple[str, ...] | None, ...] | None:
        """The mesh axes of each axis of the parameter, or None without metadata."""
        if self.sharding is None:
            return None
        return (*(None for _ in range(isinstance(self.init, tuple))), self.sharding)

    def project(self, parameter: Any, declared: Interval | None = None) -> Any:
        """Return the parameter projected to `bounds`, or else to the declared interval.

        The derivative is 1 outside of the interval, so that gradients lead back.
        """
        bounds = declared if self.bounds is None else self.bounds
        if bounds is None or bounds == (-math.inf, math.inf):
            return parameter
        return project(parameter, *bounds)

    def to_dict(self) -> dict[str, Any]:
        """Return a dict for JSON, TOML or YAML.

        >>> Learn(0.25, per_feature=True).to_dict()
        {'learn': 0.25, 'per_feature': True}
        """
        init = list(self.init) if isinstance(self.init, tuple) else self.init
        encode = lambda v: list(v) if isinstance(v, tuple) else v
        return {"learn": init, **{n: encode(v) for n, v in self._options().items()}}

    def _options(self) -> dict[str, Any]:
        """Return the fields after `init` that differ from their defaults."""
        fields = dataclasses.fields(self)[1:]
        values = {f.name: (getattr(self, f.name), f.default) for f in fields}
        return {n: v for n, (v, default) in values.items() if v != default}

    def __repr__(self) -> str:
        options = "".join(f", {n}={v!r}" for n, v in self._options().items())
        return f"Learn({self.init!r}{options})"


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def project(x: Array, low: float, high: float) -> Array:
    """Clip x to [low, high], with derivative 1 everywhere; NaN stays NaN."""
    x = jnp.asarray(x)
    # Rounding to the dtype of x must not leave the interval.
    ends = [_round_inside(v, x.dtype, up) for v, up in ((low, True), (high, False))]
    return jnp.where(x < ends[0], ends[0], jnp.where(x > ends[1], ends[1], x))


@project.defjvp
def project_jvp(low: float, high: float, primals: Any, tangents: Any) -> Any:
    return project(*primals, low, high), tangents[0]


def _round_inside(value: float, dtype: DTypeLike, up: bool) -> Any:
    """Round a bound to a dtype, up or down."""
    rounded = np.asarray(value, dtype)
    below, above = float(rounded) < value, float(rounded) > value
    if below if up else above:
        return np.nextafter(rounded, np.asarray(math.inf if up else -math.inf, dtype))
    return rounded


def _check_bounds(bounds: Any) -> None:
    """Raise unless bounds are two numbers, the lower one first."""
    is_pair = isinstance(bounds, tuple) and len(bounds) == 2
    if not is_pair or not all(map(_is_number, bounds)) or not bounds[0] < bounds[1]:
        raise ValueError(
            f"Learn: bounds: expected (low, high) with low < high, got {bounds!r}"
        )


def check_within(where: str, init: float | tuple[float, ...], bounds: Interval) -> None:
    """Raise a ValueError if an initial value is outside of an interval."""
    low, high = bounds
    for value in init if isinstance(init, tuple) else (init,):
        if value < low or value > high:
            raise ValueError(
                f"{where}: expected a value from {low:g} to {high:g}, got {value!r}"
            )


def validate_arguments(
    function: Callable[..., Array], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments that differ from their defaults, in signature order.

    Raises:
        TypeError: An argument is unknown, or has a type that the function rejects.
        ValueError: A value is not one of the few valid ones.
    """
    parameters = dict(inspect.signature(function).parameters)
    name = getattr(function, "__name__", repr(function))
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(arguments)
    valid = list(parameters)[1:]
    for argument in arguments:
        if argument not in valid:
            raise TypeError(
                f"{name}: expected arguments {', '.join(valid) or '(none)'}, got "
                f"{argument!r}{did_you_mean(argument, valid)}"
            )
    values = {n: arguments[n] for n in valid if n in arguments}
    if isinstance(function, Function):  # the types of other functions are unknown
        values = {n: _validate(function, parameters[n], v) for n, v in values.items()}
        for n, (low, high) in function.spec.bounds.items():
            if isinstance(v := values.get(n), Learn) and v.bounds is None:
                check_within(f"{name}: {n}: Learn", v.init, (low, high))
    return {n: v for n, v in values.items() if not _is_same(v, parameters[n].default)}


def _validate(function: Function[...], parameter: inspect.Parameter, value: Any) -> Any:
    """Return the value normalized: numbers as float, coefficients as a tuple."""
    where = f"{function.__name__}: {parameter.name}"
    if parameter.name in function.coefficients:
        return _coefficients(where, value)
    if parameter.name not in function.static:
        return _scalar(where, value)
    if isinstance(value, Learn):
        valid = [n for n in function.parameters[1:] if n not in function.static]
        raise TypeError(
            f"{where}: expected a static value, got {value}; the arguments that can be "
            f"learned are {', '.join(valid) or '(none)'}"
        )
    return _static(where, parameter.annotation, value)


def _scalar(where: str, value: Any) -> Any:
    """Return a differentiable argument: a float, an array, a `Learn` or None."""
    if isinstance(value, Learn) and isinstance(value.init, tuple):
        raise TypeError(
            f"{where}: expected a number, got {len(value.init)} coefficients: {value}"
        )
    if isinstance(value, Learn | Array | np.ndarray) or value is None:
        return value
    if not _is_number(value) and not isinstance(value, np.number):
        raise TypeError(f"{where}: expected a number or Learn(…), got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(
            f"{where}: expected a float, got an integer beyond it"
        ) from None
    return math.nan if math.isnan(number) else number  # one NaN object, equal to itself


def _coefficients(where: str, value: Any) -> Any:
    """Return coefficients as a tuple of floats, an array or a `Learn`."""
    if isinstance(value, Array | np.ndarray):
        return value
    values = value.init if isinstance(value, Learn) else value
    if not isinstance(values, tuple | list) or not values:
        raise TypeError(
            f"{where}: expected coefficients such as (0.0, 1.0) or Learn((0.0, 1.0)), "
            f"got {value!r}"
        )
    if isinstance(value, Learn):
        return value
    return tuple(_scalar(where, v) for v in values)


def _static(where: str, annotation: Any, value: Any) -> Any:
    """Return a static value after checking it against its annotation."""
    if annotation == InnerFunction:
        return _inner_function(where, value)
    if annotation == InnerFunctions:
        if not isinstance(value, tuple):
            raise TypeError(f"{where}: expected a tuple of functions, got {value!r}")
        return tuple(_inner_function(where, v) for v in value)
    if annotation is float:
        return _scalar(where, value)
    if annotation == tuple[float, ...] and isinstance(value, tuple):
        return tuple(_scalar(where, v) for v in value)
    if choices := literal_values(annotation):
        function, argument = where.split(": ")
        check_choice(function, argument, value, choices)
    if annotation in (bool, "bool") and not isinstance(value, bool):
        raise TypeError(f"{where}: expected True or False, got {value!r}")
    if annotation in (Axis, "Axis"):
        axes = value if isinstance(value, tuple) else (value,)
        if any(isinstance(a, bool) or not isinstance(a, int | None) for a in axes):
            raise TypeError(
                f"{where}: expected an integer, a tuple of integers or None, "
                f"got {value!r}"
            )
    return value


def _inner_function(where: str, value: Any) -> Any:
    if not callable(value):
        raise TypeError(
            f"{where}: expected a function or a Bound, got {value!r}; names are "
            "resolved by jax_acts.get, as in get('affine(of=silu)')"
        )
    return value


def literal_values(annotation: Any) -> tuple[Any, ...]:
    """Return the values that a `Literal` annotation, perhaps optional, allows."""
    match get_origin(annotation), get_args(annotation):
        case origin, values if origin is Literal:
            return values
        case _, [literal, none] if none is NoneType and get_origin(literal) is Literal:
            return *get_args(literal), None
        case _:
            return ()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_same(value: Any, default: Any) -> bool:
    if isinstance(value, Array | np.ndarray):
        return False
    if isinstance(value, float) and math.isnan(value):
        return isinstance(default, float) and math.isnan(default)
    return type(value) is type(default) and value == default


def compute_dtype(*dtypes: DTypeLike) -> Any:
    """Return the dtype of the computation: the widest of the dtypes, at least float32.

    `jnp.promote_types` is an error for 16-bit floats with strict promotion, and for
    8-bit and 4-bit floats always.
    """
    is_double = any(jnp.dtype(d).itemsize > 4 for d in dtypes)
    return jnp.dtype(jnp.float64 if is_double else jnp.float32)


def as_real(where: str, name: str, value: Any) -> Array:
    """Convert an argument to a floating array; integers become the default float.

    Raises:
        TypeError: It is complex, or not a number.
    """
    array = jnp.asarray(value)
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array
    if array.dtype == bool or jnp.issubdtype(array.dtype, jnp.integer):
        return array.astype(jnp.result_type(float))
    raise TypeError(f"{where}: {name}: expected real numbers, got dtype {array.dtype}")


def replace_limits(value: Any, points: tuple[float, ...], dtype: DTypeLike) -> Any:
    """Replace the points, 0 and ∞, by values at which a function reaches its limits.

    2^-50 and ±2^50 in float32, 2^-400 and ±2^400 in float64: squares, and their
    products with x, do not overflow.
    """
    huge = 2.0 ** (400 if jnp.finfo(dtype).bits == 64 else 50)
    if isinstance(value, float):
        if value == 0 and 0 in points:
            return 1 / huge
        is_replaced = math.isinf(value) and math.inf in points
        return math.copysign(huge, value) if is_replaced else value
    if 0 in points:
        value = jnp.where(value == 0, 1 / huge, value)
    if math.inf in points:
        value = jnp.where(value == jnp.inf, huge, value)
        value = jnp.where(value == -jnp.inf, -huge, value)
    return value


def canonical_axis(where: str, x: Array, axis: Axis) -> int:
    """Return a single axis, counted from 0.

    Raises:
        ValueError: There are several axes, or the axis is out of range.
    """
    if not isinstance(axis, int | np.integer):
        raise ValueError(f"{where}: expected one axis, got {axis}")
    return canonical_axes(where, x, int(axis))[0]


def canonical_axes(where: str, x: Array, axis: Axis) -> Axes:
    """Return the axes, counted from 0; None selects all.

    A scalar has the axes 0 and -1, as a vector of one element has.

    Raises:
        ValueError: An axis is out of range, or appears twice.
    """
    if axis is None:
        return tuple(range(x.ndim))
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    for i in axes:
        if not -max(x.ndim, 1) <= i < max(x.ndim, 1):
            valid = f"{-x.ndim} to {x.ndim - 1}" if x.ndim else "-1, 0 or None"
            raise ValueError(
                f"{where}: axis: expected {valid} for the shape {x.shape}, got {i}"
            )
    axes = tuple(i % x.ndim for i in axes) if x.ndim else ()
    if len(set(axes)) < len(axes):
        raise ValueError(
            f"{where}: axis: expected different axes of the shape {x.shape}, got {axis}"
        )
    return axes


def broadcast_mask(where: str, x: Array, mask: Any) -> Array | None:
    """Broadcast the argument `where` to the shape of x; None stays None.

    Raises:
        TypeError: The mask is not boolean.
        ValueError: The mask does not broadcast.
    """
    if mask is None:
        return None
    mask = jnp.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"{where}: where: expected a boolean mask, got {mask.dtype}")
    return broadcast_argument(where, "where", mask, x.shape)


def broadcast_parameter(
    where: str, name: str, value: Any, x: Array, axes: Axes
) -> Array:
    """Convert a parameter to the dtype of x, at least float32, constant along `axes`.

    A scalar stays a scalar; an array gets the shape of x with size 1 along `axes`.

    Raises:
        ValueError: It varies along the axes.
    """
    array = as_real(where, name, value).astype(promote_16bit(x).dtype)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return broadcast_argument(where, name, array, shape) if array.ndim else array


def broadcast_argument(
    where: str, name: str, array: Array, shape: tuple[int, ...]
) -> Array:
    try:
        return jnp.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{where}: {name}: expected a shape that broadcasts to {shape}, "
            f"got {array.shape}"
        ) from None
