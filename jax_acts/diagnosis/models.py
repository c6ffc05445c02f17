"""Models and functions as one pure function of arrays."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax


class Pure(NamedTuple):
    """A model as a function of arrays."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    root: str
    """The outermost scope of its name stack."""
    key: Any
    """Equal for equal programs; None for functions, which may read variables."""


def pure(model: Any, batch: tuple[Any, ...], options: dict[str, Any]) -> Pure:
    """Return the call `model(*batch, **options)` as a pure function.

    Raises:
        TypeError: The model is not callable, or a linen module without variables.
    """
    linen, nnx = sys.modules.get("flax.linen"), sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(model, nnx.Module):
        return _pure_nnx(nnx, model, batch, options)
    if linen is not None and isinstance(model, linen.Module):
        return _pure_linen(model, batch, options)
    if not callable(model) or isinstance(model, type):
        kind = "the class " if isinstance(model, type) else ""
        name = model.__name__ if isinstance(model, type) else type(model).__name__
        raise TypeError(
            f"diagnose: expected a Flax module or a function, got {kind}{name}"
        )
    return Pure(lambda *args: model(*args, **options), batch, "", None)


def _pure_linen(module: Any, batch: tuple[Any, ...], options: dict[str, Any]) -> Pure:
    if module.scope is not None:
        module, variables = module.unbind()
        batch = (variables, *batch)
    variables = batch[0] if batch else None
    if not isinstance(variables, Mapping) or (variables and "params" not in variables):
        got = type(variables).__name__
        if isinstance(variables, Mapping):
            got = f"the keys {', '.join(map(str, variables))}"
        raise TypeError(
            "diagnose: expected the variables of the linen module after it, "
            f"{{'params': …}}, or a bound module; got {got}"
        )

    def function(variables: Any, *inputs: Any) -> Any:
        result = module.apply(variables, *inputs, **options)
        return result[0] if options.get("mutable") else result

    key = (module, tuple(options.items()))
    return Pure(function, batch, type(module).__name__, key)


def _pure_nnx(
    nnx: Any, model: Any, batch: tuple[Any, ...], options: dict[str, Any]
) -> Pure:
    graph, state = nnx.split(model)

    def function(state: Any, *inputs: Any) -> Any:
        merged = nnx.merge(graph, state)
        with _named_calls(nnx, merged):
            return merged(*inputs, **options)

    return Pure(function, (state, *batch), "", (graph, tuple(options.items())))


@contextlib.contextmanager
def _named_calls(nnx: Any, model: Any) -> Iterator[None]:
    """Call the submodules of an nnx model in scopes with their paths.

    NNX has no scopes, and the call of an object is looked up in its class: the classes
    are changed while the model is traced.
    """
    names = _names(nnx, model, ())
    active: list[tuple[Any, tuple[str, ...]]] = [(model, ())]
    classes = {c for _, m in nnx.iter_modules(model) for c in type(m).__mro__}
    originals = {c: c.__dict__["__call__"] for c in classes if _owns_call(nnx, c)}

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def named(self: Any, *args: Any, **kwargs: Any) -> Any:
            module, path = active[-1]
            if self is module:  # `super().__call__`
                return call(self, *args, **kwargs)
            if id(self) not in names:
                names.update(_names(nnx, self, _guess_path(self, path, names)))
            _, own = names[id(self)]
            relative = own[len(path) :] if own[: len(path)] == path else own
            active.append((self, own))
            try:
                with jax.named_scope(".".join(relative)):
                    return call(self, *args, **kwargs)
            finally:
                active.pop()

        return named

    try:
        for cls, call in originals.items():
            cls.__call__ = wrap(call)
        yield
    finally:
        for cls, call in originals.items():
            cls.__call__ = call


def _guess_path(
    module: Any, path: tuple[str, ...], names: dict[int, tuple[Any, tuple[str, ...]]]
) -> tuple[str, ...]:
    """Return the path of a copy that a transformation such as `nnx.remat` made.

    It is that of the first submodule of its type in the active module that has no copy.
    """
    of_type = [p for m, p in names.values() if type(m) is type(module)]
    inside = (p for p in of_type if p[: len(path)] == path and p != path)
    return next(
        (p for p in inside if of_type.count(p) == 1), (*path, type(module).__name__)
    )


def _owns_call(nnx: Any, cls: type) -> bool:
    return issubclass(cls, nnx.Module) and "__call__" in cls.__dict__


def _names(
    nnx: Any, model: Any, path: tuple[str, ...]
) -> dict[int, tuple[Any, tuple[str, ...]]]:
    """Return each submodule and its path by its id, which it must outlive."""
    return {id(m): (m, (*path, *map(str, p))) for p, m in nnx.iter_modules(model)}
