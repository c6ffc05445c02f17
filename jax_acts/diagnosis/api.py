"""`diagnose`: statistics of the activations of a model, and findings."""

import math
from typing import Any

import jax

from jax_acts.diagnosis.findings import Finding, find, is_finite
from jax_acts.diagnosis.nonfinite import find_source, nonfinite_leaves
from jax_acts.diagnosis.output import OutputCheck, check_output
from jax_acts.diagnosis.program import (
    Loss,
    Program,
    Row,
    find_program,
    split_batch,
    to_rows,
)
from jax_acts.diagnosis.result import Diagnosis


def diagnose(
    model: Any,
    *batch: Any,
    loss: Loss | None = None,
    eps: float = 1e-3,
    bins: int = 64,
    **options: Any,
) -> Diagnosis:
    """Measure what the activations of a model do on a batch, in one compiled pass.

        diagnose(linen_module, variables, x, y, loss=loss)   also: bound_module, x, y
        diagnose(nnx_module, x, y, loss=loss)
        diagnose(function, *args)                            a scalar is the loss

    A unit is an element of the last axis of a site, a row one vector along it. A unit
    is dead if |f'(x)| < `eps` on every row, an element saturated if |f'(x)| < `eps`.
    Sites are calls of functions and layers of this library, functions of `jax.nn`,
    `tanh`, `sigmoid`, and elementwise functions with a custom derivative; also under
    `jit`, `scan`, `vmap` and `jax.checkpoint`. `jnp.maximum(x, 0)` and other formulas
    are not recognized. The model is not changed; its loss and gradients are those of
    the model without the measurement.

    >>> import jax.numpy as jnp, jax_acts
    >>> def network(w, x):
    ...     return jax_acts.tanh(jax_acts.relu(x @ w - 9.0) @ w)
    >>> w, x = jnp.eye(4), jax.random.normal(jax.random.key(0), (64, 4))
    >>> [finding.name for finding in diagnose(network, w, x).findings]
    ['dead layer']

    Args:
        model: A linen module, bound or followed by its variables; an nnx module; or a
            function of arrays.
        *batch: The arguments of the model; with `loss`, followed by the targets.
        loss: `loss(outputs, targets)`, whose mean is differentiated. Without it, the
            output of a function is, if it is a scalar; else there are no gradients.
        eps: The derivative below which an input is saturated.
        bins: The number of intervals of the histograms; 0 for no histograms.
        **options: Keyword arguments of the call, such as `train=True` or
            `rngs={"dropout": key}`.

    Raises:
        TypeError: The model is no module or function, the variables of a linen module
            or the targets are missing, or the call is traced by `jax.jit`.
        ValueError: The model or the loss fails for these shapes, or there is no site,
            `eps` is not positive, or `bins` is negative.
    """
    if not eps > 0 or bins < 0:
        raise ValueError(
            "diagnose: expected a positive eps and at least 0 bins, got "
            f"eps = {eps} and bins = {bins}"
        )
    pure, targets = split_batch(model, batch, loss, options)
    program = find_program(pure, targets, loss, eps, bins)
    leaves = jax.tree.leaves(pure.args)
    value, outputs, statistics, gradients = program.run(leaves, targets)
    rows = to_rows(program, statistics, gradients)
    output = None
    if loss is not None:
        last = [row.function for row in rows if row.is_output]
        output = check_output(loss, outputs, targets, last[0] if last else None)
    mean_loss = float(value) if program.has_gradients else None
    findings = _output_findings(output)
    if not findings:
        findings = _not_finite(program, rows, pure.args, targets, outputs, mean_loss)
    if is_finite(rows):
        findings += find(rows)
    return Diagnosis(rows, mean_loss, output, [*findings, *_unmeasured(program)])


def _not_finite(
    program: Program,
    rows: list[Row],
    args: Any,
    targets: Any,
    outputs: Any,
    loss: float | None,
) -> list[Finding]:
    """Return where the first NaN or infinity comes from, in inputs, model or loss."""
    for name, tree in (("arguments", args), ("targets", targets)):
        if where := nonfinite_leaves(tree):
            return [
                Finding(
                    "NaN",
                    "",
                    f"{where} of the {name} are NaN or infinite",
                    "expected finite arrays",
                    "clean the data, or restore the last finite parameters",
                )
            ]
    bad = [r for r in rows if r.values["pre_nonfinite"] or r.values["post_nonfinite"]]
    if bad or nonfinite_leaves(outputs):
        site = bad[0].site if bad else ""
        source = find_source(program.closed, jax.tree.leaves(args))
        remedy = "bound the inputs of that operation, or scale the kernels before it"
        return [Finding("NaN", site, source, "expected finite values", remedy)]
    bad = [r for r in rows if r.values.get("post_grad_nonfinite")]
    if bad or (loss is not None and not math.isfinite(loss)):
        site = bad[-1].site if bad else ""
        evidence = f"all outputs are finite; the loss is {loss:.3g}"
        if bad:
            evidence += f", the gradient after {site} is not finite"
        remedy = (
            "the operation after it has no finite derivative (sqrt or norm at 0, log "
            "of 0): bound its input, or use a loss of logits"
        )
        return [Finding("NaN", site, evidence, "expected a finite gradient", remedy)]
    return []


def _output_findings(check: OutputCheck | None) -> list[Finding]:
    if check is None or not check.problem:
        return []
    expects = f"the loss expects {check.expects}"
    return [Finding(check.problem, "", check.evidence, expects, check.remedy)]


def _unmeasured(program: Program) -> list[Finding]:
    return [
        Finding(
            "not measured",
            site,
            "the activation is inside of a loop or branch that has no reverse mode or "
            "is not evaluated",
            "expected jit, scan, vmap or checkpoint",
            "use jax.lax.scan, or diagnose the body as a function",
        )
        for site in program.unmeasured
    ]
