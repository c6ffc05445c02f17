"""A function with a name: compiled, documented, and picklable, whatever it computes.

The signature of the rule is the whole declaration:

    def f(x, alpha=1.0, *, exact=False)
          |  |              '-- after `*`: static, a hashable Python value
          '--'----------------- before `*`: arrays

An argument annotated `bool` or `Axis` is static wherever it stands, for the functions
whose signature `jax.nn` has fixed.
"""

import dataclasses
import difflib
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec

import jax
from jax import Array

P = ParamSpec("P")
Rule = Callable[..., Array]
Coefficients = Array | tuple[float, ...]
"""Several numbers, along the first axis; the other axes broadcast against x."""
Axis = int | tuple[int, ...] | None
"""One axis, several, or all."""

InnerFunction = Callable[..., Array]
"""An elementwise function that another one is made of: static, wherever it stands."""
InnerFunctions = tuple[InnerFunction, ...]
"""Several."""

_STATIC_TYPES = (bool, Axis, "bool", "Axis", InnerFunction, InnerFunctions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActivationSpec:
    """What is claimed of a function at its default arguments; tests check it."""

    cite: str = ""
    """Keys in `references.bib`, separated by spaces."""
    range: tuple[float, float] = (-math.inf, math.inf)
    """Greatest lower and least upper bound of the values."""
    domain: tuple[float, float] = (-math.inf, math.inf)
    """Where the function is defined; elsewhere it is NaN."""
    kinks: Mapping[float, float] = dataclasses.field(default_factory=dict)
    """The inputs without a derivative, each with what `derivative` is there."""
    reference: Callable[..., Any] | None = None
    """The formula once more, as `oracle(m, x, *args)` with `m` the module mpmath."""
    surrogate: Callable[..., Any] | None = None
    """The same of another function, whose derivatives are taken in place of its own.

    Then these are no slopes of the values, and no law compares the two.
    """

    def reference_of(self, order: int) -> Callable[..., Any] | None:
        """Returns the formula that the derivative of that order is of."""
        return (order and self.surrogate) or self.reference


class Function(Generic[P]):
    """A rule, compiled when called, that pickles, copies and hashes by name."""

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
        self.static = frozenset(
            name
            for name, p in self.signature.parameters.items()
            if p.kind is p.KEYWORD_ONLY or p.annotation in _STATIC_TYPES
        )
        self.rows = frozenset(
            name
            for name, p in self.signature.parameters.items()
            if p.annotation in (Coefficients, "Coefficients")
        )
        self._rule: Rule = rule

    @functools.cached_property
    def _call(self) -> Callable[P, Array]:
        """The compiled function; not made before it is called, as it takes a while."""

        @functools.partial(jax.jit, static_argnames=sorted(self.static))
        @functools.wraps(self._rule)
        def call(*args: P.args, **kwargs: P.kwargs) -> Array:
            return self._trace(self.arguments(*args, **kwargs))

        return call

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        if self._check is not None:
            self._check(**self.arguments(*args, **kwargs))
        return self._call(*args, **kwargs)

    def without_custom_jvp(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        """Returns the same without `jit`."""
        arguments = self.arguments(*args, **kwargs)
        if self._check is not None:
            self._check(**arguments)
        return self._trace(arguments)

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Returns the arguments that are given, by name.

        Raises:
            TypeError: One is unknown or missing; the message shows the signature.
        """
        try:
            return self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(
                f"{self.__name__}{self.signature}: {error}"
                + "".join(
                    did_you_mean(name, self.parameters)
                    for name in kwargs
                    if name not in self.parameters
                )
            ) from None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the arguments, the input first."""
        return tuple(self.signature.parameters)

    def __repr__(self) -> str:
        return f"{self.__module__}.{self.__qualname__}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__qualname__  # pickle and copy by name, as functions do

    def _trace(self, arguments: dict[str, Any]) -> Array:
        return self._rule(**arguments)


def did_you_mean(
    name: str, known: Mapping[str, Any] | tuple[str, ...] | list[str]
) -> str:
    """Returns "; did you mean 'silu'?", or nothing where no name is near.

    >>> nearest("sliu", ["silu", "relu"])
    "; did you mean 'silu'?"
    """
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_choice(name: str, argument: str, given: Any, valid: tuple[Any, ...]) -> None:
    """Raises a ValueError unless a static argument is one of a few."""
    if given not in valid:
        choices = " or ".join(map(repr, valid))
        texts = [v for v in valid if isinstance(v, str)]
        near = did_you_mean(given, texts) if isinstance(given, str) else ""
        raise ValueError(f"{name}: {argument} is {choices}, not {given!r}{near}")


def function(
    *, cite: str = "", check: Callable[..., None] | None = None
) -> Callable[[Callable[P, Array]], Function[P]]:
    """Makes a rule a `Function`: named, compiled, and known to the registry.

    A check sees the arguments as they are given, before `jit` makes arrays of numbers,
    and raises what there is to raise.
    """
    return lambda rule: Function(rule, ActivationSpec(cite=cite), check)
