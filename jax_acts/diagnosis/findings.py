"""Findings: what is wrong at which site, with evidence, threshold and remedy."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jax_acts._core.function import Function
from jax_acts._registry.lookup import get
from jax_acts.diagnosis.program import Row

MIN_ROWS = 32
"""Vectors of a batch from which dead units are reported: by chance, a healthy ReLU unit
is inactive on n of them with probability 2^-n."""
DEAD_LAYER = 0.9
DEAD_UNITS = 0.3
SATURATED = 0.4
SATURATED_WITH_KINKS = 0.8
"""Hard functions such as hard_tanh are flat on 32 % of a standard normal input."""
GRADIENT_RATIO = 1e3
KERNEL_SCALE = (0.2, 5.0)
"""LeCun, Glorot and He initialization have 1, √2 or a value between."""


class Finding(NamedTuple):
    """A problem in a model, its data or its loss."""

    name: str
    """dead layer, dead units, unused units, saturation, vanishing gradient, exploding
    gradient, NaN, kernel scale, double softmax, output activation, squashed output,
    broadcast targets, labels, small batch, not measured."""
    site: str
    """The path of the site, or an empty string for the whole model."""
    evidence: str
    threshold: str
    remedy: str

    def __str__(self) -> str:
        where = f" at {self.site}" if self.site else ""
        return f"{self.name}{where}: {self.evidence} ({self.threshold}); {self.remedy}"


def find(rows: Sequence[Row]) -> list[Finding]:
    """Return the findings of the statistics of sites in the order of execution.

    An output activation saturates where the model is certain: it has no finding here.
    """
    hidden = [row for row in rows if not row.is_output]
    rules = (_dead, _unused, _saturated, _kernel_scale)
    findings = [f for rule in rules for f in rule(hidden)]
    has_dead_layer = any(f.name == "dead layer" for f in findings)
    return [*findings, *_gradient_ratio(rows, has_dead_layer)]


def is_finite(rows: Sequence[Row]) -> bool:
    """Return whether all inputs, outputs and gradients of the sites are finite."""
    return not any(v for r in rows for n, v in r.values.items() if "nonfinite" in n)


def _dead(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        dead = row.values["dead"]
        if dead < DEAD_UNITS:
            continue
        evidence = (
            f"|f'| < ε for {dead:.0%} of the {row.units} units of {row.function}, on "
            f"all {row.rows} rows; pre-activation mean {row.values['pre_mean']:.3g}, "
            f"maximum {row.values['pre_max']:.3g}"
        )
        if row.rows < MIN_ROWS:
            threshold = f"expected at least {MIN_ROWS} rows"
            remedy = "diagnose a larger batch"
            yield Finding("small batch", row.site, evidence, threshold, remedy)
            continue
        name = "dead layer" if dead >= DEAD_LAYER else "dead units"
        limit = DEAD_LAYER if dead >= DEAD_LAYER else DEAD_UNITS
        remedy = (
            "lower the learning rate, check the bias, or use an activation with a "
            "derivative for negative inputs: leaky_relu, gelu"
        )
        yield Finding(name, row.site, evidence, f"threshold {limit:.0%}", remedy)


def _unused(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        unused = row.values.get("unused", 0.0)
        # All units: a consequence of a later site, which has its own finding.
        if 0 < unused < 1:
            count = round(unused * row.units)
            yield Finding(
                "unused units",
                row.site,
                f"the gradient of {count} of {row.units} outputs is 0 on all "
                f"{row.rows} rows",
                "threshold 0",
                "their outgoing weights are 0 or masked: check the initialization and "
                "the masks of the next layer, or remove the units",
            )


def _saturated(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        threshold = _saturation_threshold(row.function)
        saturated = row.values["saturated"]
        if saturated > threshold:
            yield Finding(
                "saturation",
                row.site,
                f"|f'| < ε for {saturated:.0%} of the inputs of {row.function}; their "
                f"standard deviation is {row.values['pre_std']:.3g}",
                f"threshold {threshold:.0%}",
                "scale the kernel (jax_acts.initializers), normalize the inputs, or "
                "lower the learning rate",
            )


def _saturation_threshold(name: str) -> float:
    """Return the threshold of a function: bounded on both sides, smooth or not."""
    try:
        function = get(name).function
    except ValueError:
        return math.inf
    if not isinstance(function, Function):
        return math.inf
    spec: Any = function.spec
    if not all(map(math.isfinite, spec.range)):
        return math.inf
    return SATURATED_WITH_KINKS if spec.kinks else SATURATED


def _kernel_scale(rows: Sequence[Row]) -> Iterator[Finding]:
    low, high = KERNEL_SCALE
    for row in rows:
        scale, widest = row.values["kernel_scale"], row.values["kernel_widest"]
        if scale > high or widest < low:
            yield Finding(
                "kernel scale",
                row.site,
                f"RMS(W) √fan_in = {scale:.3g} for the kernel before {row.function}",
                f"expected {low:g} to {high:g}",
                f'initialize with jax_acts.initializers.initializer("{row.function}"), '
                "or normalize after the product",
            )


def _gradient_ratio(rows: Sequence[Row], has_dead_layer: bool) -> Iterator[Finding]:
    ratio = gradient_ratio(rows)
    if ratio is None or (has_dead_layer and ratio < 1):
        return
    first, last = rows[0], rows[-1]
    norms = [row.values["post_grad_norm"] for row in (first, last)]
    evidence = (
        f"gradient norm {norms[0]:.3g} at {first.site}, {norms[1]:.3g} at {last.site}: "
        f"ratio {ratio:.3g}"
    )
    if not any(norms):
        evidence = "the gradient is 0 at every site"
    if ratio < 1 / GRADIENT_RATIO:
        name, threshold = "vanishing gradient", f"threshold {1 / GRADIENT_RATIO:g}"
        remedy = (
            "use an activation with a larger derivative (relu, gelu), its gain in the "
            "initializer, normalization, or residual connections"
        )
        yield Finding(name, first.site, evidence, threshold, remedy)
    elif ratio > GRADIENT_RATIO:
        name, threshold = "exploding gradient", f"threshold {GRADIENT_RATIO:g}"
        remedy = (
            "scale the kernels by the gain of the activation (jax_acts.initializers), "
            "or normalize"
        )
        yield Finding(name, first.site, evidence, threshold, remedy)


def gradient_ratio(rows: Sequence[Row]) -> float | None:
    """Return the gradient norm of the first site over that of the last, or None.

    Norms, not RMS: pooling changes the number of elements, and the norm hardly.
    """
    if not rows or "post_grad_norm" not in rows[0].values:
        return None
    first, last = (rows[i].values["post_grad_norm"] for i in (0, -1))
    if not last:
        return 0.0 if not any(r.values["post_grad_norm"] for r in rows) else None
    return first / last
