"""A function with some of its arguments fixed, or left to be learned."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.arguments import Learn, validate_arguments
from jax_acts._core.function import Function
from jax_acts._core.glu import apply_gate, is_gated_unit


class Bound:
    """`f(x, **arguments)`, hashable, picklable and comparable by value.

    Arguments at their defaults are dropped. A `Learn` evaluates to its initial value
    unless the call passes another. Arrays may be bound for use inside a
    transformation; such a `Bound` is a pytree of them and is not hashable.

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
        if isinstance(function, Function):
            name = function.__name__
            arguments = {n: _unwrap(f"{name}: {n}", v) for n, v in arguments.items()}
        self.function = function
        self.arguments = validate_arguments(function, arguments)

    @property
    def name(self) -> str:
        """The name of the function."""
        return getattr(self.function, "__name__", repr(self.function))

    @property
    def learned(self) -> dict[str, Learn]:
        """The arguments to be learned."""
        return {n: v for n, v in self.arguments.items() if isinstance(v, Learn)}

    def with_residuals(self, policy: str) -> "Bound":
        """Return a copy that saves different residuals for the backward pass.

        The policies are those of `ActivationFunction.with_residuals`.
        """
        if isinstance(self.function, ActivationFunction):
            return Bound(self.function.with_residuals(policy), **self.arguments)
        if policy != "derivative":
            raise ValueError(
                f"{self.name}: with_residuals: expected an elementwise function of "
                f"jax_acts, got {self.name}"
            )
        return self

    def __call__(self, x: Any, **arguments: Any) -> Array:
        return self.function(x, **{**self._values(), **arguments})

    def gate(self, gate: Any, value: Any, **arguments: Any) -> Array:
        """Compute f(gate) * value; for a gated unit, the unit of both.

        16-bit inputs are computed in float32 and rounded once. The residuals are gate
        and value; the backward pass recomputes f.

        >>> import jax.numpy as jnp
        >>> from jax_acts import elu
        >>> Bound(elu).gate(jnp.array([-1.0, 2.0]), jnp.array([3.0, 4.0]))
        Array([-1.8963616,  8.       ], dtype=float32)
        """
        if is_gated_unit(self.function):
            return self(gate, value=value, **arguments)
        rule = lambda gate, value: value * self(gate, **arguments)
        return apply_gate(self.name, rule, gate, value, -1, "value_first", "split")

    def without_custom_jvp(self, x: Any) -> Array:
        """Compute f(x) without `jit` and without a custom JVP rule.

        See `ActivationFunction.without_custom_jvp`.
        """
        rule = getattr(self.function, "without_custom_jvp", self.function)
        return rule(x, **self._values())

    def _values(self) -> dict[str, Any]:
        """Return the arguments with the initial value in place of each `Learn`."""
        return {
            n: v.init if isinstance(v, Learn) else v for n, v in self.arguments.items()
        }

    def __str__(self) -> str:
        inside = ", ".join(
            f"{n}={format_argument(v)}" for n, v in self.arguments.items()
        )
        return f"{self.name}({inside})" if inside else self.name

    def __repr__(self) -> str:
        return f"Bound({str(self)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return a dict for JSON, TOML or YAML; `get` converts it back.

        >>> from jax_acts import leaky_relu
        >>> Bound(leaky_relu, negative_slope=Learn(0.25)).to_dict()
        {'name': 'leaky_relu', 'negative_slope': {'learn': 0.25}}
        """
        values = {n: _encode(f"{self.name}: {n}", v) for n, v in self.arguments.items()}
        return {"name": self.name, **values}

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self.function, self.arguments)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bound) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> Any:
        return self.function, tuple(self.arguments.items())


def _unwrap(where: str, value: Any) -> Any:
    """Return the function of a `Bound` without arguments; in tuples as well."""
    if isinstance(value, tuple):
        return tuple(_unwrap(where, v) for v in value)
    if not isinstance(value, Bound):
        return value
    if value.learned:
        raise TypeError(
            f"{where}: expected a function with fixed arguments, got {value}; an inner "
            "function cannot learn its arguments"
        )
    return value if value.arguments else value.function


def format_argument(value: Any) -> str:
    """Return an argument as it is written in a spec."""
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


def _encode(where: str, value: Any) -> Any:
    """Return an argument as a JSON value."""
    match value:
        case Learn(init=init, per_feature=per_feature):
            start = list(init) if isinstance(init, tuple) else init
            return {"learn": start, **({"per_feature": True} if per_feature else {})}
        case tuple():
            return [_encode(where, v) for v in value]
        case Bound():
            return value.to_dict() if value.arguments else value.name
        case _ if callable(value):
            return getattr(value, "__name__", repr(value))
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(
                f"{where}: expected a value that JSON, TOML or YAML can hold, got "
                f"type {type(value).__name__}"
            )


def _unpickle(function: Callable[..., Array], arguments: dict[str, Any]) -> Bound:
    return Bound(function, **arguments)


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
