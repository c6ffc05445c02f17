"""Every law for one function, and a report."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jax import Array

from jax_acts._core.activation import ActivationFunction, activation
from jax_acts._core.bound import Bound
from jax_acts._core.spec import ActivationSpec
from jax_acts.testing.properties import (
    CONTRACT,
    NEED_REFERENCE,
    PROPERTIES,
    Property,
    Subject,
)


class Finding(NamedTuple):
    """What became of one law."""

    law: str
    broken: str | None
    """How it is broken, or None."""


class Report(NamedTuple):
    """What became of every law that was tried."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The laws that are broken."""
        return tuple(f for f in self.findings if f.broken is not None)

    def __str__(self) -> str:
        total, kept = len(self.findings), len(self.findings) - len(self.broken)
        lines = [f"{self.name} keeps {kept} of {total} laws"]
        for law, broken in self.findings:
            lines.append(
                f"  {'kept  ' if broken is None else 'BROKEN'}  {sentence(law)}"
            )
            if broken is not None:
                lines.append(f"          {broken}")
        return "\n".join(lines)


def check_activation(
    f: Callable[..., Array],
    derivative: Callable[..., Array] | None = None,
    *,
    reference: Callable[..., Any] | None = None,
    range: tuple[float, float] = (-math.inf, math.inf),
    domain: tuple[float, float] = (-math.inf, math.inf),
    kinks: Mapping[float, float] | None = None,
    surrogate: Callable[..., Any] | None = None,
    limits: Mapping[str, Sequence[float]] | None = None,
) -> Report:
    """Tries every law of `jax_acts.testing.LAWS` on a function.

    It takes some seconds.

    >>> from jax_acts import silu
    >>> print(check_activation(silu))
    silu keeps 17 of 17 laws
    ...
    >>> check_activation(lambda x: x / (1 + jnp.exp(-x)))
    Traceback (most recent call last):
    ...
    AssertionError: <lambda> keeps 8 of 15 laws
    ...

    Args:
        f: An elementwise function of x: any that JAX can trace, a `Bound`, or an
            `ActivationFunction`, which brings its own facts.
        derivative: Its derivative, where that is a function of its own; the two are
            then checked as `jax_acts.activation` joins them.
        oracle: The formula once more, as `oracle(m, x)` with `m` the module mpmath.
            With one, values and limits are compared with it in hundreds of digits.
        range: Bounds of the values.
        domain: Where the function is defined.
        kinks: The inputs without a derivative, each with the value taken there.
        surrogate: As of `reference`, the function whose derivatives those of f are, where
            they are not its own. They are then not compared with differences of f.
        limits: The greatest errors in ulp by dtype, where they are not those of
            `CONTRACT`: `{"float32": (3, 4, 8)}` for orders 0, 1 and 2.

    Returns:
        The report, which `print` shows.

    Raises:
        AssertionError: At least one law is broken; the message is the report.
    """
    spec = ActivationSpec(
        range=range,
        domain=domain,
        kinks=kinks or {},
        reference=reference,
        surrogate=surrogate,
    )
    name = str(f) if isinstance(f, Bound) else getattr(f, "__name__", repr(f))
    if isinstance(f, Bound):
        f, derivative = bound_to(f)
    if derivative is not None:
        f = joined(f, derivative)
    if isinstance(f, ActivationFunction) and spec == ActivationSpec():
        spec = f.spec
    granted = {**CONTRACT, **{n: tuple(v) for n, v in (limits or {}).items()}}
    subject = Subject(f, spec, granted)
    laws = [
        w for w in PROPERTIES if w not in NEED_REFERENCE or spec.reference is not None
    ]
    report = Report(
        name, tuple(Finding(w.__name__, try_property(w, subject)) for w in laws)
    )
    if report.broken:
        raise AssertionError(str(report))
    return report


def bound_to(bound: Bound) -> tuple[Callable[..., Array], Callable[..., Array] | None]:
    """Returns a function with its arguments, and its derivative with the same."""
    f = bound.function
    named = {n: v for n, v in bound.arguments.items() if n not in bound.learned}
    start = {n: v.init for n, v in bound.learned.items()}
    value = lambda x: f(x, **named, **start)
    value.__name__ = str(bound)
    if not isinstance(f, ActivationFunction):
        return value, None
    return value, lambda x: f.derivative(x, **named, **start)


def joined(
    value: Callable[..., Array], derivative: Callable[..., Array]
) -> ActivationFunction[...]:
    """Returns a function and its derivative as one `ActivationFunction`."""
    f = activation(functools.wraps(value)(lambda x: value(x)))
    f.defderivative(lambda x: derivative(x))
    return f


def try_property(law: Property, subject: Subject) -> str | None:
    """Returns how the law is broken, or None."""
    try:
        law(subject)
    except AssertionError as error:
        return str(error)
    except (TypeError, ValueError, NotImplementedError) as error:
        # A function that refuses what the law gives breaks it; the report goes on.
        return f"{type(error).__name__}: {error}"
    return None


def sentence(name: str) -> str:
    """Returns the name of a law as a sentence."""
    return name.replace("_", " ")
