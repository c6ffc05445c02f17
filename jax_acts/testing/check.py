"""Check all properties of one function, and report them."""

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


class Check(NamedTuple):
    """The result for one property."""

    property: str
    error: str | None
    """The error of a failed check, or None."""


class Report(NamedTuple):
    """The results for all properties that were checked."""

    name: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.error is not None)

    def __str__(self) -> str:
        total, passed = len(self.checks), len(self.checks) - len(self.failed)
        lines = [f"{self.name} passes {passed}/{total} checks"]
        for name, error in self.checks:
            status = "passed" if error is None else "FAILED"
            lines.append(f"  {status}  {name.replace('_', ' ')}")
            if error is not None:
                lines.append(f"          {error}")
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
    """Check every property of `jax_acts.testing.PROPERTIES`, in some seconds.

    >>> from jax_acts import silu
    >>> print(check_activation(silu))
    silu passes 18/18 checks
    ...
    >>> check_activation(lambda x: x / (1 + jnp.exp(-x)))
    Traceback (most recent call last):
    ...
    AssertionError: <lambda> passes 9/16 checks
    ...

    Args:
        f: An elementwise function of x that JAX can trace, a `Bound`, or an
            `ActivationFunction`, which has its own metadata.
        derivative: A custom derivative; f and the derivative are checked as
            `jax_acts.activation` combines them.
        reference: The formula `reference(m, x)`, where m is the module mpmath. Values,
            derivatives and limits are compared with it.
        range: Bounds of the values.
        domain: The interval on which f is defined.
        kinks: The inputs without a derivative, each with the derivative used there.
        surrogate: The formula of another function, like `reference`, whose derivatives
            f has in place of its own. They are not compared with differences of f.
        limits: The greatest errors in ulp by dtype for orders 0, 1 and 2, such as
            `{"float32": (3, 4, 8)}`; by default those of `CONTRACT`.

    Returns:
        The report; `print` shows it.

    Raises:
        AssertionError: A check failed; the message is the report.
    """
    spec = ActivationSpec(
        range=range,
        domain=domain,
        kinks=kinks or {},
        reference=reference,
        surrogate=surrogate,
    )
    name = str(f) if isinstance(f, Bound) else getattr(f, "__name__", repr(f))
    if isinstance(f, Bound) and isinstance(f.function, ActivationFunction):
        derivative = Bound(f.function.derivative, **f.arguments)
    if derivative is not None:
        value, rule = f, derivative
        f = activation(lambda x: value(x))
        f.defderivative(lambda x: rule(x))
    if isinstance(f, ActivationFunction) and spec == ActivationSpec():
        spec = f.spec
    merged = {**CONTRACT, **{n: tuple(v) for n, v in (limits or {}).items()}}
    subject = Subject(f, spec, merged)
    properties = [
        p for p in PROPERTIES if p not in NEED_REFERENCE or spec.reference is not None
    ]
    checks = (Check(p.__name__, _error(p, subject)) for p in properties)
    report = Report(name, tuple(checks))
    if report.failed:
        raise AssertionError(str(report))
    return report


def _error(check: Property, subject: Subject) -> str | None:
    """Return the error of a failed check, or None."""
    try:
        check(subject)
    except AssertionError as error:
        return str(error)
    except (TypeError, ValueError, NotImplementedError) as error:
        # A function that rejects a valid input fails the check; the others still run.
        return f"{type(error).__name__}: {error}"
    return None
