"""A named function: compiled when called, documented, picklable.

The signature of the rule is the whole declaration:

    def f(x, alpha=1.0, *, exact=False)
          |  |              '-- after `*`: static, a hashable Python value
          '--'----------------- before `*`: arrays

An argument annotated `bool` or `Axis` is static wherever it stands, because `jax.nn`
fixes the signatures of some functions.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, ParamSpec

import jax
from jax import Array

from jax_acts._core.compat import as_weakly_typed, is_weakly_typed
from jax_acts._core.errors import did_you_mean
from jax_acts._core.spec import STATIC_TYPES, ActivationSpec, Coefficients
from jax_acts._numerics.ordinary import (
    building_blocks,
    is_ordinary,
    is_taylor,
    rounded_to_bfloat16,
)

P = ParamSpec("P")
Rule = Callable[..., Array]


class Function(Generic[P]):
    """A rule, compiled when called; pickled, copied and hashed by its name."""

    __name__: str
    __qualname__: str

    def __init__(
        self,
        rule: Callable[P, Array],
        spec: ActivationSpec,
        check: Callable[..., None] | None = None,
    ) -> None:
        functools.update_wrapper(self, rule)
        self._check = check
        self.spec = spec
        self.signature = inspect.signature(rule)
        parameters = self.signature.parameters.values()
        self.static = frozenset(
            p.name
            for p in parameters
            if p.kind is p.KEYWORD_ONLY or p.annotation in STATIC_TYPES
        )
        self.coefficients = frozenset(
            p.name for p in parameters if p.annotation in (Coefficients, "Coefficients")
        )
        first = next(iter(self.signature.parameters), "")
        self._data = tuple(
            p.name
            for p in parameters
            if p.name == first or (p.name == "value" and p.annotation == Array | None)
        )
        self._rule: Rule = rule
        # The call that made a copy or a derivative: pickle, repr and specs use it.
        self._origin: tuple[Callable[..., Any], tuple[Any, Any]] | None = None

    @functools.cached_property
    def _call(self) -> Callable[P, Array]:
        """The function under `jax.jit`, made on the first call to keep imports fast."""
        return self._compile(frozenset())

    def _compile(self, constants: frozenset[str]) -> Callable[P, Array]:
        """Return the function under `jax.jit`.

        `constants` are the arguments that are given as Python scalars: `jit` makes
        arrays of them, but no derivative with respect to them can be asked for.
        """

        @functools.partial(jax.jit, static_argnames=sorted(self.static))
        @functools.wraps(self._rule)
        def call(*args: P.args, **kwargs: P.kwargs) -> Array:
            arguments = self.arguments(*args, **kwargs)
            return self._match_weak_type(arguments, self._trace(arguments, constants))

        return call

    def _match_weak_type(self, arguments: dict[str, Any], result: Any) -> Any:
        """Return the result, weakly typed if the input is: gate and value of units."""
        data = [arguments[n] for n in self._data if arguments.get(n) is not None]
        if not all(map(is_weakly_typed, data)):
            return result
        return jax.tree.map(as_weakly_typed, result)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        if self._check is not None:
            self._check(**self.arguments(*args, **kwargs))
        if is_ordinary() or is_taylor(*args, *kwargs.values()):
            return self.without_custom_jvp(*args, **kwargs)
        return self._call(*args, **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Lower the function for arguments, arrays or `jax.ShapeDtypeStruct`.

        >>> from jax_acts import silu
        >>> silu.lower(jax.ShapeDtypeStruct((3,), "float32")).out_info.shape
        (3,)
        """
        lowered: Any = self._call
        return lowered.lower(*args, **kwargs)

    def without_custom_jvp(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        """Compute the function without `jit`, `custom_jvp` and bit patterns.

        See `ActivationFunction.without_custom_jvp`.
        """
        arguments = self.arguments(*args, **kwargs)
        if self._check is not None:
            self._check(**arguments)
        with building_blocks("ordinary"):
            result = self._rule(**arguments)
        return self._match_weak_type(arguments, result)

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the given arguments by name.

        Raises:
            TypeError: An argument is unknown or missing; the message has the signature.
        """
        try:
            return self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            unknown = [name for name in kwargs if name not in self.parameters]
            near = "".join(did_you_mean(name, self.parameters) for name in unknown)
            raise TypeError(f"{self.__name__}{self.signature}: {error}{near}") from None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the arguments, the input first."""
        return tuple(self.signature.parameters)

    def __repr__(self) -> str:
        return f"{self.__module__}.{self.__qualname__}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name, as functions do; from `__main__` or a function, by value.

        By value only with a pickler that supports functions by value: cloudpickle.
        """
        path = import_path(self)
        if path is not None and path[0] != "__main__":
            return self.__qualname__
        self.__dict__.pop("_by_value", None)  # rules may have been added
        return _unpickle, (self._by_value,)

    def __copy__(self) -> "Function[P]":
        return self

    def __deepcopy__(self, memo: Any) -> "Function[P]":
        return self

    @functools.cached_property
    def _by_value(self) -> Callable[[], "Function[P]"]:
        """A function that makes this one.

        pickle finds it by its name, as an attribute of this one; cloudpickle copies it.
        """
        cls, state = type(self), self._state()

        def make() -> Function[P]:
            return cls._from_state(state)

        make.__module__ = self.__module__
        make.__qualname__ = f"{self.__qualname__}._by_value"
        return make

    def _state(self) -> dict[str, Any]:
        """Return the data that `_from_state` needs."""
        return {"arguments": (self._rule, self.spec, self._check)}

    @classmethod
    def _from_state(cls, state: dict[str, Any]) -> "Function[...]":
        """Return the function of a state."""
        return cls(*state["arguments"])

    def _trace(self, arguments: dict[str, Any], constants: frozenset[str]) -> Array:
        with building_blocks("accurate"), rounded_to_bfloat16(False):
            return self._rule(**arguments)


def import_path(function: Any) -> tuple[str, str] | None:
    """Return the module and the name that import a function, or None.

    The function must be the object of that name, not one that replaced it.
    """
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        return None
    value = sys.modules.get(module)
    for part in qualname.split("."):
        value = getattr(value, part, None)
    return (module, qualname) if value is function else None


def _unpickle(make: Callable[[], Function[...]]) -> Function[...]:
    """Return the function that has `make`, if it is importable; else make it."""
    owner = sys.modules.get(make.__module__)
    for part in make.__qualname__.split(".")[:-1]:
        owner = getattr(owner, part, None)
    if isinstance(owner, Function) and owner.__dict__.get("_by_value") is make:
        return owner
    return make()


def function(
    *,
    cite: str = "",
    check: Callable[..., None] | None = None,
    bounds: Mapping[str, tuple[float, float]] = MappingProxyType({}),
) -> Callable[[Callable[P, Array]], Function[P]]:
    """Return a decorator that makes a rule a `Function`.

    Args:
        cite: Keys in `references.bib`, separated by spaces.
        check: A function of the arguments that raises if they are invalid. It gets them
            as given, before `jit` turns Python scalars into tracers.
        bounds: See `ActivationSpec.bounds`.
    """
    spec = ActivationSpec(cite=cite, bounds=bounds)
    return lambda rule: Function(rule, spec, check)
