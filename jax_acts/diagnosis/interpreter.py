"""Evaluation of a jaxpr with taps at its activation sites."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core as jex

from jax_acts.diagnosis import taps
from jax_acts.diagnosis.sites import (
    REMATS,
    RESHAPES,
    Position,
    Site,
    Step,
    body,
    constants,
    steps,
)

Zeros = dict[Position, tuple[taps.Stats, taps.Stats]]
"""The zeros of the taps before and after each site."""


class Scales(NamedTuple):
    """The scale of a kernel W, of whose product an array is the sum with a bias."""

    forward: Any
    """RMS(W) √fan_in: the RMS of the product, if that of the input is 1."""
    widest: Any
    """RMS(W) √max(fan_in, fan_out)."""


class Options(NamedTuple):
    """Options of the statistics."""

    eps: float
    bins: int


class Result(NamedTuple):
    """The outputs of a jaxpr and the statistics of its sites."""

    outputs: list[Any]
    statistics: dict[Position, taps.Stats]


def tap_zeros(sites: Mapping[Position, Site], options: Options) -> Zeros:
    """Return the zeros of all taps."""
    return {
        position: (
            taps.zeros(s.shape, s.lead, options.bins),
            taps.zeros(s.shape, s.lead, options.bins),
        )
        for position, s in sites.items()
    }


def evaluate(
    jaxpr: Any,
    consts: Sequence[Any],
    args: Sequence[Any],
    zeros: Zeros,
    options: Options,
    position: Position = (),
    scales: Sequence[Scales | None] = (),
) -> Result:
    """Evaluate a jaxpr; `scales` are those of the kernels behind the arguments."""
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))
    kernels = {
        v: s for v, s in zip(jaxpr.invars, scales, strict=False) if s is not None
    }
    statistics: dict[Position, taps.Stats] = {}

    def read(v: Any) -> Any:
        return v.val if isinstance(v, jex.Literal) else values[v]

    for i, step in enumerate(steps(jaxpr)):
        eqn, here = step.eqns[-1], (*position, i)
        outputs: list[Any] = []
        inner = {p: z for p, z in zeros.items() if p[: len(here)] == here}
        if here in zeros:
            output, statistics[here] = _site(step, values, zeros[here], options)
            scale = kernels.get(step.x, Scales(jnp.nan, jnp.nan))
            statistics[here]["kernel_scale"] = jnp.asarray(scale.forward)
            statistics[here]["kernel_widest"] = jnp.asarray(scale.widest)
            outputs = [output]
        elif inner:
            behind = [
                None if isinstance(v, jex.Literal) else kernels.get(v)
                for v in eqn.invars
            ]
            operands = [read(v) for v in eqn.invars]
            outputs, nested = _call(eqn, operands, inner, options, here, behind)
            statistics |= nested
        else:
            for e in step.eqns:
                outputs = bind(e, [read(v) for v in e.invars])
                values.update(zip(e.outvars, outputs, strict=True))
                _propagate(e, values, kernels)
        values.update(zip(eqn.outvars, outputs, strict=True))
    return Result([read(v) for v in jaxpr.outvars], statistics)


def bind(eqn: Any, operands: Sequence[Any]) -> list[Any]:
    """Evaluate an equation."""
    parameters = eqn.primitive.get_bind_params(eqn.params)
    if isinstance(parameters, tuple):  # before JAX 0.10
        functions, parameters = parameters
        result = eqn.primitive.bind(*functions, *operands, **parameters)
    else:
        result = eqn.primitive.bind(*operands, **parameters)
    return list(result) if eqn.primitive.multiple_results else [result]


def _site(
    step: Step, values: dict[Any, Any], zeros: tuple[Any, Any], options: Options
) -> tuple[Any, taps.Stats]:
    """Return the output of a site between two taps, and its forward statistics."""
    fixed = dict(values)

    def f(x: Any) -> Any:
        known = {**fixed, step.x: x}
        for eqn in step.eqns:
            operands = [
                v.val if isinstance(v, jex.Literal) else known[v] for v in eqn.invars
            ]
            known.update(zip(eqn.outvars, bind(eqn, operands), strict=True))
        return known[step.eqns[-1].outvars[0]]

    x = values[step.x]
    y = f(taps.tap(x, zeros[0]))
    return taps.tap(y, zeros[1]), taps.forward(f, x, y, *options)


def _call(
    eqn: Any,
    operands: list[Any],
    zeros: Zeros,
    options: Options,
    here: Position,
    scales: list[Scales | None],
) -> Result:
    """Evaluate a call with sites in its body."""
    name, jaxpr, consts = eqn.primitive.name, body(eqn), constants(eqn)
    if name == "scan":
        return _scan(eqn, operands, zeros, options, here)
    evaluated = lambda operands, zeros: evaluate(
        jaxpr, consts, operands, zeros, options, here, scales
    )
    if name in REMATS:
        evaluated = jax.checkpoint(
            evaluated,
            prevent_cse=eqn.params["prevent_cse"],
            policy=eqn.params["policy"],
        )
    return evaluated(operands, zeros)


def _scan(
    eqn: Any, operands: list[Any], zeros: Zeros, options: Options, here: Position
) -> Result:
    """Evaluate a scan; statistics and zeros have one row per iteration."""
    p = eqn.params
    num_consts, num_carry = p["num_consts"], p["num_carry"]
    fixed = operands[:num_consts]
    carry = operands[num_consts : num_consts + num_carry]
    xs = operands[num_consts + num_carry :]

    def iteration(carry: list[Any], xs: tuple[list[Any], Zeros]) -> Any:
        x, zeros = xs
        outputs, statistics = evaluate(
            body(eqn), constants(eqn), [*fixed, *carry, *x], zeros, options, here
        )
        return outputs[:num_carry], (outputs[num_carry:], statistics)

    # Keys of a pytree are sorted and must be comparable: positions are.
    carry, (ys, statistics) = jax.lax.scan(
        iteration,
        carry,
        (xs, zeros),
        length=p["length"],
        reverse=p["reverse"],
        unroll=p["unroll"],
    )
    return Result([*carry, *ys], statistics)


def _propagate(eqn: Any, values: dict[Any, Any], kernels: dict[Any, Scales]) -> None:
    """Record the kernel of a product, and that of a sum with a bias or a reshape."""
    if len(eqn.outvars) != 1:
        return
    name, out = eqn.primitive.name, eqn.outvars[0]
    inputs = [v for v in eqn.invars if not isinstance(v, jex.Literal)]
    if name in ("dot_general", "conv_general_dilated") and len(inputs) == 2:
        kernel = _kernel(eqn, inputs, out.aval.shape[-1:])
        if kernel is not None:
            v, fan_in, fan_out = kernel
            rms = jnp.sqrt(jnp.mean(jnp.square(values[v].astype(jnp.float32))))
            kernels[out] = Scales(
                rms * math.sqrt(fan_in), rms * math.sqrt(max(fan_in, fan_out))
            )
    elif name in ("add", "add_any", "name", *RESHAPES):
        behind = [kernels[v] for v in inputs if v in kernels]
        if len(behind) == 1 and all(v.aval.size <= out.aval.size for v in inputs):
            kernels[out] = behind[0]


def _kernel(
    eqn: Any, inputs: Sequence[Any], features: tuple[int, ...]
) -> tuple[Any, int, int] | None:
    """Return the kernel of a product with its fans, or None."""
    if eqn.primitive.name == "conv_general_dilated":
        kernel = inputs[1]
        out = kernel.aval.shape[eqn.params["dimension_numbers"].rhs_spec[0]]
        return kernel, kernel.aval.size // out, out
    contracting, batch = eqn.params["dimension_numbers"]
    for v, axes in reversed([*zip(inputs, contracting, strict=True)]):
        fan_in = math.prod(v.aval.shape[a] for a in axes)
        free = [n for a, n in enumerate(v.aval.shape) if a not in axes]
        if not any(batch) and v.aval.ndim >= 2 and free == list(features):
            return v, fan_in, math.prod(free)
    return None
