"""Names of functions: which function a spec stands for.

function of the catalog               gelu
with other residuals or kinks         gelu(residuals='input')
importable function                   my_pkg.acts:gelu
other                                 <my_pkg.acts:f.<locals>.gelu>, not a spec
"""

from collections.abc import Callable
from typing import Any

from jax_acts._core.function import Function, import_path

DIALECTS: set[str] = set()
"""Names before a colon that are no modules; the registry adds its dialects."""

CATALOG = "jax_acts.functional"

_POLICIES = {
    "with_residuals": "residuals",
    "with_kinks": "kinks",
    "with_implementation": "implementation",
}


def split_policies(function: Any) -> tuple[Any, dict[str, Any]]:
    """Return a function without its policies and kinks, and these.

    >>> from jax_acts import tanh
    >>> split_policies(tanh.with_residuals("output"))
    (jax_acts.functional.hyperbolic.tanh, {'residuals': 'output'})
    """
    policies: dict[str, Any] = {}
    while origin := getattr(function, "_origin", None):
        make, (base, value) = origin
        if make.__name__ not in _POLICIES:  # a derivative
            break
        key = _POLICIES[make.__name__]
        policies[key] = tuple(value.items()) if key == "kinks" else value
        function = base
    return function, policies


def is_in_catalog(function: Any) -> bool:
    """Return whether a function, without policies, is one of the catalog."""
    path = import_path(function) if isinstance(function, Function) else None
    return path is not None and path[0].partition(f"{CATALOG}.")[0] == ""


def spec_name(function: Any) -> str | None:
    """Return the name of a function without policies in a spec, or None.

    >>> import jax
    >>> spec_name(jax.numpy.tanh)
    'jax.numpy:tanh'
    """
    if is_in_catalog(function):
        return function.__name__
    path = import_path(function)
    if path is None or path[0] in DIALECTS:
        return None
    return ":".join(path)


def display_name(function: Callable[..., Any]) -> str:
    """Return the name of a function in a spec, else a text that is no spec."""
    if (name := spec_name(function)) is not None:
        return name
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    if qualname is None or (isinstance(function, Function) and function._origin):
        return f"<{function!r}>"
    return f"<{module}:{qualname}>"
