"""Activation sites of a jaxpr: elementwise nonlinearities.

A site is a call of a function of this library or of `jax.nn`, of another function with
a custom derivative rule that is elementwise, or a `tanh` or `logistic` primitive.
"""

import inspect
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core as jex

_JAX = str(Path(jax.__file__).parent) + os.sep
_JAX_NN = str(inspect.getsourcefile(inspect.unwrap(jax.nn.selu)))
_JAX_ACTS = str(Path(__file__).parents[1]) + os.sep
_ACTIVATION = str(Path(__file__).parents[1] / "_core" / "activation.py")
_LIBRARIES = (_JAX, _JAX_ACTS, str(Path(_JAX).parent / "flax") + os.sep)

_NN_NAMES = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish"}
    | {"softplus", "sparse_plus", "squareplus", "log_sigmoid", "sparse_sigmoid"}
    | {"hard_tanh", "hard_sigmoid", "hard_silu", "soft_sign", "swish", "hard_swish"}
)
"""The elementwise functions of `jax.nn`, except aliases of primitives."""

_PRIMITIVES = {"tanh": "tanh", "logistic": "sigmoid"}
CALLS = ("jit", "pjit", "closed_call", "core_call")
REMATS = ("remat2", "checkpoint", "remat")
_NOT_ELEMENTWISE = ("dot_general", "conv_general_dilated", "sort", "rev", "gather")
RESHAPES = ("reshape", "squeeze", "convert_element_type", "expand_dims", "copy")

Position = tuple[int, ...]
"""The position of an equation: its index in each of the nested jaxprs."""


class Site(NamedTuple):
    """An activation site."""

    path: str
    """Scopes in the model and the function: "Dense_0/activation/relu"."""
    function: str
    source: str
    """File and line of the call."""
    shape: tuple[int, ...]
    lead: tuple[int, ...]
    """The lengths of the scans that contain it."""
    scans: tuple[tuple[int, bool], ...]
    """For each scan: the length of its position, and whether it runs in reverse."""


class Step(NamedTuple):
    """An equation, or the equations of a site."""

    eqns: tuple[Any, ...]
    function: str | None
    """The name of the activation, None if the equation is no site."""
    x: Any = None
    """The variable of the input of a site."""


class Plan(NamedTuple):
    """The sites of a jaxpr by their position."""

    sites: dict[Position, Site]
    unmeasured: list[str]
    """Sites in loops and branches that are not evaluated by taps, with the reason."""


def find_sites(jaxpr: Any, root: str) -> Plan:
    """Return the sites of a jaxpr; `root` is the outermost scope, left out of paths."""
    plan = Plan({}, [])
    _search(jaxpr, plan, (), (), (), root)
    names: dict[str, int] = {}
    for position, site in plan.sites.items():
        count = names[site.path] = names.get(site.path, -1) + 1
        if count:
            plan.sites[position] = site._replace(path=f"{site.path}_{count}")
    return plan


def _search(
    jaxpr: Any,
    plan: Plan,
    position: Position,
    scopes: tuple[str, ...],
    scans: tuple[tuple[int, int, bool], ...],
    root: str,
    caller: str = "",
) -> None:
    for i, step in enumerate(steps(jaxpr)):
        eqn, here = step.eqns[-1], (*position, i)
        inner = _join(scopes, str(eqn.source_info.name_stack), root)
        # Flax traces some bodies apart from their callers.
        source = call_site(eqn) or caller
        if step.function is not None:
            names = inner if inner[-1:] == (step.function,) else (*inner, step.function)
            plan.sites[here] = Site(
                path="/".join(names),
                function=step.function,
                source=source,
                shape=tuple(step.x.aval.shape),
                lead=tuple(length for _, length, _ in scans),
                scans=tuple((depth, reverse) for depth, _, reverse in scans),
            )
        elif (inside := entered(eqn)) is not None:
            nested = scans
            if eqn.primitive.name == "scan":
                length, reverse = eqn.params["length"], eqn.params["reverse"]
                nested = (*scans, (len(here), length, reverse))
            _search(inside, plan, here, inner, nested, root, source)
        else:
            for inside in _bodies(eqn):
                hidden = Plan({}, [])
                _search(inside, hidden, (), inner, scans, root)
                paths = [s.path for s in hidden.sites.values()]
                plan.unmeasured.extend(f"{p} in `{eqn.primitive}`" for p in paths)
                plan.unmeasured.extend(hidden.unmeasured)


def output_site(jaxpr: Any, position: Position = (), index: int = 0) -> Position | None:
    """Return the position of the site that computes an output, or None."""
    makers = {v: (i, s) for i, s in enumerate(steps(jaxpr)) for v in s.eqns[-1].outvars}
    v = jaxpr.outvars[index]
    while not isinstance(v, jex.Literal) and v in makers:
        i, step = makers[v]
        eqn, here = step.eqns[-1], (*position, i)
        if step.function is not None:
            return here
        if eqn.primitive.name in (*RESHAPES, "name"):
            v = eqn.invars[0]
        elif (inside := entered(eqn)) is not None and eqn.primitive.name != "scan":
            return output_site(inside, here, eqn.outvars.index(v))
        else:
            return None
    return None


def entered(eqn: Any) -> Any:
    """Return the jaxpr of an equation that is evaluated by its equations, or None."""
    name = eqn.primitive.name
    if name in (*CALLS, *REMATS, "scan"):
        return body(eqn)
    # Gated units of this library: the rule only chooses the residuals.
    if name == "custom_jvp_call" and _origin(eqn).startswith(_JAX_ACTS):
        return body(eqn)
    return None


def body(eqn: Any) -> Any:
    """Return the jaxpr of a call, without its constants."""
    jaxpr = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    return getattr(jaxpr, "jaxpr", jaxpr)


def constants(eqn: Any) -> Sequence[Any]:
    """Return the constants of the jaxpr of a call."""
    jaxpr = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    return getattr(jaxpr, "consts", ())


def steps(jaxpr: Any) -> Iterator[Step]:
    """Yield the equations; those of an inlined `jax.nn` function as one step."""
    eqns = list(jaxpr.eqns)
    i = 0
    while i < len(eqns):
        name, end = _inlined(eqns[i]), i + 1
        if name is not None:
            while end < len(eqns) and _inlined(eqns[end]) == name:
                end += 1
            x = _only_input(eqns[i:end])
            if x is not None:
                yield Step(tuple(eqns[i:end]), name, x)
                i = end
                continue
        yield Step((eqns[i],), *_site(eqns[i]))
        i += 1


def _site(eqn: Any) -> tuple[str | None, Any]:
    """Return the function and the input of an equation that is a site."""
    name = eqn.primitive.name
    if name in _PRIMITIVES:
        return _PRIMITIVES[name], eqn.invars[0]
    if len(eqn.outvars) != 1:
        return None, None
    out = eqn.outvars[0].aval
    arrays = [
        v
        for v in eqn.invars
        if not isinstance(v, jex.Literal)
        and getattr(v.aval, "shape", None) == out.shape
        and jnp.issubdtype(v.aval.dtype, jnp.floating)
    ]
    if not arrays or not jnp.issubdtype(out.dtype, jnp.floating):
        return None, None
    if name in ("jit", "pjit"):
        function = eqn.params["name"]
        is_nn = function in _NN_NAMES and _origin(eqn) == _JAX_NN
        if is_nn or _is_activation_function(eqn, function):
            return function, arrays[0]
    if name in ("custom_jvp_call", "custom_vjp_call") and len(arrays) == 1:
        origin = _origin(eqn)
        is_ours = origin == _JAX_NN or not origin.startswith((_JAX, _JAX_ACTS))
        if is_ours and _is_elementwise(body(eqn), out.shape):
            return body(eqn).debug_info.func_name, arrays[0]
    return None, None


def _is_activation_function(eqn: Any, name: str) -> bool:
    """Return whether the equation is the call of an `ActivationFunction`."""
    return any(
        inner.primitive.name == "custom_jvp_call"
        and body(inner).debug_info.func_name == name
        and _origin(inner) == _ACTIVATION
        for inner in body(eqn).eqns
    )


def _origin(eqn: Any) -> str:
    """Return the file of the function that an equation calls."""
    info = body(eqn).debug_info.func_src_info or ""
    return info.partition(" at ")[2].rpartition(":")[0]


def _is_elementwise(jaxpr: Any, shape: tuple[int, ...]) -> bool:
    """Return whether no equation reduces or reorders an array of the shape."""
    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        is_reduction = any(
            getattr(v.aval, "shape", ()) == shape for v in eqn.invars
        ) and any(v.aval.shape != shape for v in eqn.outvars)
        if is_reduction or name in _NOT_ELEMENTWISE or name.startswith("cum"):
            return False
        if not all(_is_elementwise(j, shape) for j in _bodies(eqn)):
            return False
    return True


def _bodies(eqn: Any) -> list[Any]:
    return [getattr(j, "jaxpr", j) for j in jex.jaxprs_in_params(eqn.params)]


def call_site(eqn: Any) -> str:
    """Return file and line of the caller outside of JAX, Flax and this library."""
    for frame in _frames(eqn):
        if not frame.file_name.startswith(_LIBRARIES):
            return f"{Path(frame.file_name).name}:{frame.line_num}"
    return ""


def _frames(eqn: Any) -> Sequence[Any]:
    traceback = eqn.source_info.traceback
    return traceback.frames if traceback is not None else ()


def _inlined(eqn: Any) -> str | None:
    """Return the `jax.nn` function whose Python code made the equation, or None."""
    for frame in _frames(eqn):
        if frame.file_name == _JAX_NN:
            name = frame.function_name
            return name if name in _NN_NAMES else None
    return None


def _only_input(eqns: Sequence[Any]) -> Any:
    """Return the only array that the equations read, if the result has its shape."""
    made = {v for eqn in eqns for v in eqn.outvars}
    read = {
        v
        for eqn in eqns
        for v in eqn.invars
        if not isinstance(v, jex.Literal) and v not in made and v.aval.ndim
    }
    if not eqns[-1].outvars:
        return None
    shape = eqns[-1].outvars[0].aval.shape
    only = read.pop() if len(read) == 1 else None
    return only if only is not None and only.aval.shape == shape else None


def _join(scopes: tuple[str, ...], stack: str, root: str) -> tuple[str, ...]:
    """Return the scopes followed by those of a name stack, each once.

    Transformations wrap scopes, `vmap(Dense_0)`; Flax appends methods, `MLP_0.finish`,
    and names the outermost scope again in a transformed module.
    """
    while stack != (stack := re.sub(r"\w+\(([^()]*)\)", r"\1", stack)):
        pass
    names = [n.partition(".")[0] if root else n for n in stack.split("/") if n]
    if not scopes and names[:1] == [root]:
        names = names[1:]
    for overlap in range(min(len(names), len(scopes)), 0, -1):
        if list(scopes[-overlap:]) == names[:overlap]:
            names = names[overlap:]
            break
    return (*scopes, *names)
