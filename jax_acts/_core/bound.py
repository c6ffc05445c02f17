"""A function with some of its arguments fixed, or left to be learned."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.function import (
    Axis,
    Function,
    InnerFunction,
    InnerFunctions,
    check_choice,
    did_you_mean,
)
from jax_acts._core.glu import apply_gate, takes_values


@dataclasses.dataclass(frozen=True)
class Learn:
    """In place of an argument: a parameter of the layer, learned from `init`.

    >>> Learn(0.25)
    Learn(0.25)
    >>> Learn((0.0, 1.0, 0.5), per_feature=True).start(4).shape
    (3, 4)

    Args:
        init: The value to start from; where the argument is a row of coefficients, a
            tuple of them.
        per_feature: Whether each feature, along the last axis, learns its own.
    """

    init: float | tuple[float, ...]
    per_feature: bool = False

    def __post_init__(self) -> None:
        numbers = self.init if isinstance(self.init, tuple) else (self.init,)
        real = all(
            isinstance(n, int | float) and not isinstance(n, bool) for n in numbers
        )
        if not real or not numbers:
            raise TypeError(
                f"Learn starts from a number or a tuple of some, not from {self.init!r}"
            )

    def start(self, features: int | None, dtype: DTypeLike = jnp.float32) -> Array:
        """Returns the initial value, of shape `()`, `(features,)`, `(k,)` or
        `(k, features)` for k coefficients.
        """
        if self.per_feature and features is None:
            raise ValueError(
                f"{self} needs the number of features: features=…, or an x with an axis"
            )
        init = jnp.asarray(self.init, dtype)
        if not self.per_feature:
            return init
        return jnp.full((*init.shape, features), init[..., None], dtype)

    def __repr__(self) -> str:
        return f"Learn({self.init!r}{', per_feature=True' if self.per_feature else ''})"


class Bound:
    """`f(x, **arguments)`: hashable, picklable, and equal to its equals.

    Arguments that are at their defaults are left out. Those that are `Learn` are taken
    at their initial values, unless the call gives others. Arrays may be bound too, for
    use inside a transformation; such a `Bound` is a pytree of them, and has no hash.

    >>> from jax_acts import elu
    >>> soft = Bound(elu, alpha=0.5)
    >>> soft
    Bound('elu(alpha=0.5)')
    >>> soft(-1.0)
    Array(-0.3160603, dtype=float32)
    >>> Bound(elu, alpha=1.0) == Bound(elu)
    True
    """

    function: Callable[..., Array]
    arguments: dict[str, Any]

    def __init__(self, function: Callable[..., Array], /, **arguments: Any) -> None:
        self.function = function
        self.arguments = _checked(function, arguments)

    @property
    def name(self) -> str:
        """The name of the function."""
        return getattr(self.function, "__name__", repr(self.function))

    @property
    def learned(self) -> dict[str, Learn]:
        """The arguments to be learned."""
        return {n: v for n, v in self.arguments.items() if isinstance(v, Learn)}

    def with_residuals(self, what: str) -> "Bound":
        """Returns the same with another array kept for the backward pass.

        It is one of those of `ActivationFunction.keeping`.
        """
        if isinstance(self.function, ActivationFunction):
            return Bound(self.function.with_residuals(what), **self.arguments)
        if what != "derivative":
            raise ValueError(
                f"{self.name} is no elementwise function of this library; what its "
                f"backward pass keeps cannot be chosen"
            )
        return self

    def __call__(self, x: Any, **arguments: Any) -> Array:
        start = {n: v.init for n, v in self.learned.items()}
        return self.function(x, **{**self.arguments, **start, **arguments})

    def gate(self, gate: Any, value: Any, **arguments: Any) -> Array:
        """Returns f(gate) * value, or, of a gated unit, the unit of gates and values.

        16-bit inputs are computed in float32 and rounded once; the backward pass keeps
        both arrays, and computes f again.

        >>> from jax_acts import elu
        >>> Bound(elu).gate(jnp.array([-1.0, 2.0]), jnp.array([3.0, 4.0]))
        Array([-1.8963616,  8.       ], dtype=float32)
        """
        if takes_values(self.function):
            return self(gate, value=value, **arguments)
        rule = lambda gate, value: value * self(gate, **arguments)
        return apply_gate(self.name, rule, gate, value, -1, "value_first", "split")

    def without_custom_jvp(self, x: Any) -> Array:
        """Returns f(x) by the value rule alone, as of `ActivationFunction.without_custom_jvp`."""
        start = {n: v.init for n, v in self.learned.items()}
        plain = getattr(self.function, "plain", self.function)
        return plain(x, **{**self.arguments, **start})

    def __str__(self) -> str:
        inside = ", ".join(
            f"{n}={format_argument(v)}" for n, v in self.arguments.items()
        )
        return f"{self.name}({inside})" if inside else self.name

    def __repr__(self) -> str:
        return f"Bound({str(self)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Returns a dict for JSON, TOML or YAML, of which `get` makes the same again.

        >>> from jax_acts import leaky_relu
        >>> Bound(leaky_relu, negative_slope=Learn(0.25)).to_dict()
        {'name': 'leaky_relu', 'negative_slope': {'learn': 0.25}}
        """
        values = {n: _encoded(self.name, n, v) for n, v in self.arguments.items()}
        return {"name": self.name, **values}

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.function, self.arguments)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bound) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> Any:
        return self.function, tuple(self.arguments.items())


def _checked(
    function: Callable[..., Array], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the arguments that are not at their defaults, as the signature has them.

    Raises:
        TypeError: One is unknown, or of a kind that the function does not take.
    """
    parameters = dict(inspect.signature(function).parameters)
    name = getattr(function, "__name__", repr(function))
    x = next(iter(parameters), None)
    known = [n for n in parameters if n != x]
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(arguments)
    for argument in arguments:
        if argument not in known:
            raise TypeError(
                f"{name} has no argument {argument!r} to bind"
                f"{did_you_mean(argument, known)}; it has {known or 'none'}"
            )
    static = function.static if isinstance(function, Function) else frozenset()
    for n in static & arguments.keys():
        if isinstance(arguments[n], Learn):
            learnable = [k for k in known if k not in static]
            raise TypeError(
                f"{n} of {name} is static and cannot be learned; "
                f"{learnable or 'nothing'} can"
            )
    values = {n: arguments[n] for n in known if n in arguments}
    if isinstance(function, Function):  # of others nobody knows what is a number
        kinds = dict.fromkeys(function.rows, _row) | dict.fromkeys(static, _static)
        values = {
            n: kinds.get(n, _number)(name, parameters[n], v) for n, v in values.items()
        }
    return {n: v for n, v in values.items() if not _same(v, parameters[n].default)}


def _number(name: str, parameter: inspect.Parameter, value: Any) -> Any:
    """Returns a number as a float, and what else a differentiable argument may be."""
    if isinstance(value, Learn) and isinstance(value.init, tuple):
        raise TypeError(
            f"{parameter.name} of {name} is one number, which cannot start from the "
            f"{len(value.init)} of {value}"
        )
    if isinstance(value, Learn | jax.Array | np.ndarray) or value is None:
        return value
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise ValueError(f"{parameter.name} of {name} is too large") from None
        return math.nan if math.isnan(number) else number  # one NaN, equal to itself
    raise TypeError(
        f"{parameter.name} of {name} is a number or Learn(…), not {value!r}"
    )


def _row(name: str, parameter: inspect.Parameter, value: Any) -> Any:
    """Returns a row of coefficients as a tuple of floats, an array, or a `Learn`."""
    if isinstance(value, jax.Array | np.ndarray):
        return value
    inside = value.init if isinstance(value, Learn) else value
    if not isinstance(inside, tuple | list) or not inside:
        raise TypeError(
            f"{parameter.name} of {name} is a row of coefficients, such as (0.0, 1.0) "
            f"or Learn((0.0, 1.0)), not {value!r}"
        )
    if isinstance(value, Learn):
        return value
    return tuple(_number(name, parameter, number) for number in inside)


def _static(name: str, parameter: inspect.Parameter, value: Any) -> Any:
    """Returns a static value, which is what the annotation says, where it says it."""
    if parameter.annotation == InnerFunction:
        return _part(name, parameter.name, value)
    if parameter.annotation == InnerFunctions:
        if not isinstance(value, tuple):
            raise TypeError(f"{parameter.name} of {name} is a tuple, not {value!r}")
        return tuple(_part(name, parameter.name, part) for part in value)
    if parameter.annotation is float:
        return _number(name, parameter, value)
    if parameter.annotation == tuple[float, ...] and isinstance(value, tuple):
        return tuple(_number(name, parameter, number) for number in value)
    if choices := _choices(parameter.annotation):
        check_choice(name, parameter.name, value, choices)
    if parameter.annotation in (bool, "bool") and not isinstance(value, bool):
        raise TypeError(f"{parameter.name} of {name} is True or False, not {value!r}")
    if parameter.annotation in (Axis, "Axis"):
        axes = value if isinstance(value, tuple) else (value,)
        if any(isinstance(a, bool) or not isinstance(a, int | None) for a in axes):
            raise TypeError(
                f"{parameter.name} of {name} is an integer, a tuple of integers or "
                f"None, not {value!r}"
            )
    return value


def _part(name: str, argument: str, value: Any) -> Any:
    """Returns a function that another one is made of, without a `Bound` around it.

    Raises:
        TypeError: It is no function, or has arguments to be learned.
    """
    if isinstance(value, Bound):
        if value.learned:
            raise TypeError(
                f"{value} has arguments to be learned; as {argument} of {name} it "
                f"cannot learn them, only {name} can learn its own"
            )
        return value if value.arguments else value.function
    if not callable(value):
        raise TypeError(
            f"{argument} of {name} is a function or a Bound, not {value!r}; of names "
            f"jax_acts.get makes one, as in get('{name}({argument}=silu)')"
        )
    return value


def _choices(annotation: Any) -> tuple[Any, ...]:
    """Returns the values that an annotation allows, where it lists them."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    members = get_args(annotation)
    literals = [m for m in members if get_origin(m) is Literal]
    if len(members) != 2 or len(literals) != 1 or NoneType not in members:
        return ()
    return (*get_args(literals[0]), None)


def format_argument(value: Any) -> str:
    """Returns an argument as a spec has it."""
    match value:
        case Bound():
            return str(value)
        case tuple():
            inside = ", ".join(map(format_argument, value))
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        case _ if callable(value):
            return getattr(value, "__name__", repr(value))
        case _:
            return repr(value)


def _encoded(name: str, argument: str, value: Any) -> Any:
    """Returns an argument as a value of JSON."""
    match value:
        case Learn(init=init, per_feature=each):
            start = list(init) if isinstance(init, tuple) else init
            return {"learn": start, **({"per_feature": True} if each else {})}
        case tuple():
            return [_encoded(name, argument, v) for v in value]
        case Bound():
            return value.to_dict() if value.arguments else value.name
        case _ if callable(value):
            return getattr(value, "__name__", repr(value))
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(
                f"{argument} of {name} is of type {type(value).__name__}, "
                "which a configuration cannot hold"
            )


def _unpickled(function: Callable[..., Array], arguments: dict[str, Any]) -> Bound:
    return Bound(function, **arguments)


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, jax.Array | np.ndarray):
        return False
    if isinstance(value, float) and math.isnan(value):
        return isinstance(default, float) and math.isnan(default)
    return type(value) is type(default) and value == default


def _flatten(bound: Bound) -> tuple[list[Any], Any]:
    arrays = {
        n: v for n, v in bound.arguments.items() if isinstance(v, Array | np.ndarray)
    }
    rest = tuple((n, None if n in arrays else v) for n, v in bound.arguments.items())
    return list(arrays.values()), (bound.function, rest, tuple(arrays))


def _unflatten(structure: Any, leaves: Any) -> Bound:
    function, rest, names = structure
    bound = object.__new__(Bound)
    bound.function = function
    bound.arguments = {**dict(rest), **dict(zip(names, leaves, strict=True))}
    return bound


jax.tree_util.register_pytree_node(Bound, _flatten, _unflatten)
