"""Modes of the building blocks: accurate, the same on every platform, or ordinary.

In ordinary mode they are primitives such as `lax.exp`: Taylor mode, forward Laplacians
and exporters have no rules for bit patterns, and the high derivatives of a minimax
polynomial are not those of the function. `without_custom_jvp` evaluates the rules of a
function in this mode.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, ParamSpec, TypeVar

import jax
from jax import Array, lax

P = ParamSpec("P")
T = TypeVar("T")


Mode = Literal["accurate", "portable", "ordinary"]
"""The rules, which may differ by platform; the rules of every platform; primitives."""


class _Mode(threading.local):
    name: Mode | None = None
    is_bfloat16: bool = False


_mode = _Mode()


def is_ordinary() -> bool:
    """Return whether building blocks are to be ordinary primitives."""
    return _mode.name == "ordinary"


def is_taylor(*arguments: Any) -> bool:
    """Return whether `jax.experimental.jet` traces one: it fails at `custom_jvp`."""
    for argument in arguments:  # noqa: SIM110, in half the time of `any`
        if type(argument).__name__ == "JetTracer":
            return True
    return False


def in_rule() -> bool:
    """Return whether a rule is being evaluated."""
    return _mode.name is not None


def is_portable() -> bool:
    """Return whether building blocks are to be the same on every platform."""
    return _mode.name == "portable"


def is_bfloat16() -> bool:
    """Return whether float32 results will be rounded to bfloat16.

    Relative errors below 2^-16 then do not matter, unless terms cancel: exponents need
    one word, and polynomials fewer terms.
    """
    return _mode.is_bfloat16


@contextlib.contextmanager
def rounded_to_bfloat16(is_rounded: bool) -> Iterator[None]:
    """Evaluate building blocks for results that will, or will not, be rounded.

    The innermost call holds, unlike that of `building_blocks`.
    """
    before, _mode.is_bfloat16 = _mode.is_bfloat16, is_rounded
    try:
        yield
    finally:
        _mode.is_bfloat16 = before


def in_full_precision(rule: Callable[P, T]) -> Callable[P, T]:
    """Decorate a rule whose terms cancel: its errors would matter in bfloat16, too."""

    @functools.wraps(rule)
    def evaluate(*args: P.args, **kwargs: P.kwargs) -> T:
        with rounded_to_bfloat16(False):
            return rule(*args, **kwargs)

    return evaluate


def by_platform(
    x: Array, default: Callable[[Array], T], **platforms: Callable[[Array], T]
) -> T:
    """Return the form of the platform that a program is compiled for.

    Every choice by platform is made here, and depends on the implementation that
    `ActivationFunction.with_implementation` selects.
    """
    if is_portable():
        return default(x)
    return lax.platform_dependent(x, default=default, **platforms)


@contextlib.contextmanager
def building_blocks(mode: Mode) -> Iterator[None]:
    """Evaluate building blocks in a mode, in this thread.

    The outermost mode holds: a rule that calls `f.without_custom_jvp` gets the accurate
    value where the rule itself is evaluated accurately.
    """
    if _mode.name is not None:
        yield
        return
    _mode.name = mode
    try:
        yield
    finally:
        _mode.name = None


def ordinary_form(
    form: Callable[..., Any],
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that replaces a building block by `form` in this mode."""

    def decorate(block: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(block)
        def choose(*args: P.args, **kwargs: P.kwargs) -> T:
            return (form if _mode.name == "ordinary" else block)(*args, **kwargs)

        return choose

    return decorate


def custom_jvp(
    nondiff_argnums: tuple[int, ...],
) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator as `jax.custom_jvp`, which does nothing in this mode."""

    def decorate(function: Callable[..., Any]) -> Any:
        with_rule = jax.custom_jvp(function, nondiff_argnums)
        choose: Any = ordinary_form(function)(with_rule.__call__)
        choose.defjvp = with_rule.defjvp
        return functools.update_wrapper(choose, function)

    return decorate
