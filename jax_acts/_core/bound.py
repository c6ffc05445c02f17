"""A function with some of its arguments fixed, or left to be learned."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.tree_util import DictKey

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.arguments import Learn, validate_arguments
from jax_acts._core.function import Function
from jax_acts._core.glu import apply_gate, is_gated_unit
from jax_acts._core.identity import display_name, spec_name, split_policies


class Bound:
    """`f(x, **arguments)`, hashable, picklable and comparable by value.

    Arguments at their defaults are dropped. A `Learn` evaluates to its initial value
    unless the call passes another.

    An argument that is an array, or contains one, makes the `Bound` a pytree with that
    argument as a child, under its name, whatever replaces the array later: a tracer, a
    `jax.ShapeDtypeStruct`, a sharding, a boolean of a mask or None. Two are equal if
    their arrays have the same dtype, shape and elements; they are not hashable.

    >>> from jax_acts import elu
    >>> soft = Bound(elu, alpha=0.5)
    >>> soft
    Bound('elu(alpha=0.5)')
    >>> soft(-1.0)
    Array(-0.3160603, dtype=float32, weak_type=True)
    >>> Bound(elu, alpha=1.0) == Bound(elu)
    True
    """

    function: Callable[..., Array]
    arguments: dict[str, Any]
    children: tuple[str, ...]
    """The arguments that are children of the pytree."""

    def __init__(self, function: Callable[..., Array], /, **arguments: Any) -> None:
        if isinstance(function, Function):
            name = function.__name__
            arguments = {n: _unwrap(f"{name}: {n}", v) for n, v in arguments.items()}
        self.function = function
        self.arguments = validate_arguments(function, arguments)
        self.children = tuple(n for n, v in self.arguments.items() if _has_array(v))

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
        """Compute f(x), with learned arguments projected to their bounds."""
        return self.function(x, **{**self._values(), **self._project(arguments)})

    def _project(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments; project the learned ones."""
        declared = getattr(getattr(self.function, "spec", None), "bounds", {})
        learned = {n: v for n, v in self.learned.items() if n in arguments}
        projected = {
            n: learn.project(arguments[n], declared.get(n))
            for n, learn in learned.items()
        }
        return {**arguments, **projected}

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
        values = {**self._values(), **self._project(arguments)}
        # Closures of a derivative rule must not capture tracers.
        arrays = {n: v for n, v in values.items() if _has_array(v)}
        static = {n: v for n, v in values.items() if n not in arrays}
        function = self.function

        def rule(gate: Array, value: Array, /, **arrays: Any) -> Array:
            return value * function(gate, **static, **arrays)

        return apply_gate(
            self.name, rule, gate, value, -1, "value_first", "split", arrays
        )

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
        return format_function(self.function, self.arguments)

    def __repr__(self) -> str:
        return f"Bound({str(self)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return a dict for JSON, TOML or YAML; `get` converts it back.

        The name of a function that is not in the catalog is its import path, as in
        "my_pkg.acts:gelu", which `get` resolves with `allow_imports=True`.

        >>> from jax_acts import leaky_relu
        >>> Bound(leaky_relu, negative_slope=Learn(0.25)).to_dict()
        {'name': 'leaky_relu', 'negative_slope': {'learn': 0.25}}

        Raises:
            TypeError: An argument is an array, or a function has no import path, as a
                lambda.
        """
        return _encode_function(self.function, self.arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self.function, self.arguments)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bound) or self._key() != other._key():
            return False
        return all(
            _are_equal(self.arguments[n], other.arguments[n]) for n in self.children
        )

    def __hash__(self) -> int:
        if self.children:
            raise TypeError(
                f"{self.name}: expected hashable arguments, got arrays for "
                f"{', '.join(self.children)}; pass it to a transformation as a pytree"
            )
        return hash(self._key())

    def _key(self) -> Any:
        static = {n: v for n, v in self.arguments.items() if n not in self.children}
        return self.function, self.children, tuple(static.items())


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


def format_function(function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """Return a function and its arguments as a spec.

    A function that no spec can name, as a lambda, is written in angle brackets.
    """
    base, policies = split_policies(function)
    values = {**policies, **arguments}
    inside = ", ".join(f"{n}={format_argument(v)}" for n, v in values.items())
    return display_name(base) + (f"({inside})" if inside else "")


def format_argument(value: Any) -> str:
    """Return an argument as it is written in a spec."""
    match value:
        case tuple():
            inside = ", ".join(map(format_argument, value))
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        case _ if callable(value):
            text = (
                str(value) if isinstance(value, Bound) else format_function(value, {})
            )
            return repr(text) if ":" in text else text  # an import path is quoted
        case _:
            return repr(value)


def _encode_function(function: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a function and its arguments as a JSON value."""
    base, policies = split_policies(function)
    name = spec_name(base)
    if name is None:
        raise TypeError(
            f"{display_name(base)}: expected a function of the catalog, or one that "
            "its module and name import; define it with `def` in a module, or pickle "
            "the Bound"
        )
    if clash := policies.keys() & getattr(base, "parameters", ()):
        raise TypeError(
            f"{name}: expected no argument named {', '.join(clash)}, which stands for "
            "a policy in specs"
        )
    values = {**policies, **arguments}
    return {"name": name, **{n: _encode(f"{name}: {n}", v) for n, v in values.items()}}


def _encode(where: str, value: Any) -> Any:
    """Return an argument as a JSON value."""
    match value:
        case Learn():
            return value.to_dict()
        case tuple():
            return [_encode(where, v) for v in value]
        case Bound():
            spec = value.to_dict()
            return spec if len(spec) > 1 else spec["name"]
        case _ if callable(value):
            spec = _encode_function(value, {})
            return spec if len(spec) > 1 else spec["name"]
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(
                f"{where}: expected a value that JSON, TOML or YAML can hold, got "
                f"type {type(value).__name__}"
            )


def _has_array(value: Any) -> bool:
    leaves = jax.tree.leaves(value)
    return any(isinstance(leaf, Array | np.ndarray) for leaf in leaves)


def _are_equal(a: Any, b: Any) -> bool:
    """Return whether two children are equal; tracers only if they are the same."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    return all(map(_is_equal_leaf, jax.tree.leaves(a), jax.tree.leaves(b)))


def _is_equal_leaf(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, Tracer) or isinstance(b, Tracer):
        return False
    if not (hasattr(a, "dtype") and hasattr(b, "dtype")):
        return type(a) is type(b) and bool(a == b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if not all(isinstance(v, Array | np.ndarray) for v in (a, b)):
        return bool(a == b)  # shapes without elements
    if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        a, b = jax.random.key_data(a), jax.random.key_data(b)
    a, b = np.asarray(a), np.asarray(b)
    return a.tobytes() == b.tobytes() or bool((a == b).all())


def _unpickle(function: Callable[..., Array], arguments: dict[str, Any]) -> Bound:
    return Bound(function, **arguments)


def _flatten(bound: Bound) -> tuple[tuple[Any, ...], Any]:
    static = tuple(
        (n, None if n in bound.children else v) for n, v in bound.arguments.items()
    )
    children = tuple(bound.arguments[n] for n in bound.children)
    return children, (bound.function, static, bound.children)


def _flatten_with_keys(bound: Bound) -> tuple[tuple[tuple[Any, Any], ...], Any]:
    children, structure = _flatten(bound)
    keys = map(DictKey, bound.children)
    return tuple(zip(keys, children, strict=True)), structure


def _unflatten(structure: Any, children: Any) -> Bound:
    function, static, names = structure
    bound = object.__new__(Bound)
    bound.function, bound.children = function, names
    bound.arguments = {**dict(static), **dict(zip(names, children, strict=True))}
    return bound


jax.tree_util.register_pytree_with_keys(Bound, _flatten_with_keys, _unflatten, _flatten)
