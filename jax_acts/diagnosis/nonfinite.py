"""The equation that makes the first NaN or infinity of a model."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex

from jax_acts.diagnosis.interpreter import bind
from jax_acts.diagnosis.sites import body, call_site, constants, entered


def find_source(closed: Any, leaves: list[Any]) -> str:
    """Evaluate a model equation by equation; describe the first that makes a NaN.

    If no equation does, describe the first that makes an infinity; an empty string if
    none does.
    """
    infinite: list[str] = []
    try:
        _check(closed.jaxpr, closed.consts, leaves, infinite, "")
    except _NaNSource as error:
        return str(error) + (f"; {infinite[0]} before it" if infinite else "")
    return infinite[0] if infinite else ""


class _NaNSource(Exception):
    """Ends the evaluation at the first NaN."""


def _check(
    jaxpr: Any, consts: Any, args: list[Any], infinite: list[str], scopes: str
) -> list[Any]:
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))
    read = lambda v: v.val if isinstance(v, jex.Literal) else values[v]
    for eqn in jaxpr.eqns:
        operands = [read(v) for v in eqn.invars]
        outputs = bind(eqn, operands)
        if _any(jnp.isnan, outputs) and not _any(jnp.isnan, operands):
            inner = "/".join(filter(None, (scopes, str(eqn.source_info.name_stack))))
            _enter(eqn, operands, infinite, inner)
            raise _NaNSource(_describe(eqn, operands, outputs, "NaN", inner))
        if _any(jnp.isinf, outputs) and not _any(jnp.isinf, operands):
            infinite.append(_describe(eqn, operands, outputs, "infinity", scopes))
        values.update(zip(eqn.outvars, outputs, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _enter(eqn: Any, operands: list[Any], infinite: list[str], scopes: str) -> None:
    """Raise for the equation inside of a call that makes the NaN."""
    inside, name = entered(eqn), eqn.primitive.name
    if inside is None and name == "custom_jvp_call":
        inside = body(eqn)
    if inside is None:
        return
    if name != "scan":
        _check(inside, constants(eqn), operands, infinite, scopes)
        return
    num_consts, num_carry = eqn.params["num_consts"], eqn.params["num_carry"]
    fixed, carry = operands[:num_consts], operands[num_consts:][:num_carry]
    iterations = range(eqn.params["length"])
    for i in reversed(iterations) if eqn.params["reverse"] else iterations:
        xs = [x[i] for x in operands[num_consts + num_carry :]]
        args = [*fixed, *carry, *xs]
        outputs = _check(inside, constants(eqn), args, infinite, f"{scopes}/{i}")
        carry = outputs[:num_carry]


def _any(test: Any, values: list[Any]) -> bool:
    return any(
        bool(test(v).any())
        for v in values
        if hasattr(v, "dtype") and jnp.issubdtype(v.dtype, jnp.floating)
    )


def _describe(
    eqn: Any, operands: list[Any], outputs: list[Any], what: str, scopes: str
) -> str:
    name = eqn.params.get("name", eqn.primitive.name)
    ranges = ", ".join(
        f"[{float(jnp.nanmin(v)):.3g}, {float(jnp.nanmax(v)):.3g}]"
        for v in operands
        if hasattr(v, "dtype") and jnp.issubdtype(v.dtype, jnp.floating) and jnp.size(v)
    )
    test = jnp.isnan if what == "NaN" else jnp.isinf
    count = sum(int(test(v).sum()) for v in outputs)
    where = " in ".join(filter(None, (call_site(eqn), scopes)))
    return f"`{name}` at {where} makes {count} {what} of inputs in {ranges}"


def nonfinite_leaves(tree: Any) -> str:
    """Return the path of the first leaf with a NaN or infinity, or an empty string."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating):
            count = int((~jnp.isfinite(leaf)).sum())
            if count:
                name = jax.tree_util.keystr(path) or "the array"
                return f"{count} of {jnp.size(leaf)} elements of {name}"
    return ""
