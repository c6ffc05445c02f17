"""Write `docs/losses.md` from the results of `python -m benchmarks losses`."""

from typing import Any

from benchmarks.pages import DOCS, markdown_table
from benchmarks.results import LossMemoryRow, LossRow, LossTimeRow, load

HEAD = """# Losses

Written by `python -m benchmarks pages losses` from the results of
`python -m benchmarks losses`.

## Cross-entropy at every margin

The logits are (0, m, −1/2) + offset in float32 with label 1; m is the margin. A cell is
the relative error of the loss, and of its derivative in the logit of the label. An
error of 1 is a result that is 0: the example no longer trains. In a small network that
learns modular addition this happens to 82 % of the examples with optax and to 80 % with
`jax.nn`, but to none with `jax_acts`; no loss makes it generalize, except stablemax in
part ([report](studies/loss_precision-modular_addition.md)).
"""

MEMORY = """
## Memory of a linear head

Temporary memory (MiB) that the compiler plans for the mean loss and its gradients in x
and w. `linear_cross_entropy` holds a block of the logits, the others all of them. XLA
for CPU keeps float32 copies of bfloat16 operands.
"""
TIME = """
## Time of a linear head

Time of the mean loss and its gradients in x and w relative to `cross_entropy` of all
logits, in float32; the programs take turns. `linear_cross_entropy` computes the logits
a second time in the backward pass: four products of this size instead of three.
"""


def write() -> None:
    """Write the page."""
    stored = load("losses")
    errors = [LossRow(*row) for row in stored["errors"]]
    memories = [LossMemoryRow(*row) for row in stored["memory"]]
    timed = load("losses_time")
    times = [LossTimeRow(*row) for row in timed["rows"]]
    lines = [HEAD, *_errors(errors), MEMORY, *_memory(memories), _machine(stored)]
    lines += [TIME, *_times(times), _machine(timed)]
    (DOCS / "losses.md").write_text("\n".join(lines) + "\n")


def _errors(rows: list[LossRow]) -> list[str]:
    """Return a table of the errors by margin and offset, a column per library."""
    versions = {row.library: row.version for row in rows}
    points = list(dict.fromkeys((row.offset, row.margin) for row in rows))
    cells = {(r.library, r.offset, r.margin): _cell(r) for r in rows}
    exact = {(r.offset, r.margin): r.exact for r in rows}
    return markdown_table(
        ["offset", "margin", "exact loss", *(f"{n} {v}" for n, v in versions.items())],
        [
            [
                f"{offset:g}",
                f"{margin:g}",
                f"{exact[offset, margin]:.4g}",
                *(cells[name, offset, margin] for name in versions),
            ]
            for offset, margin in points
        ],
    )


def _cell(row: LossRow) -> str:
    errors = (
        _relative(row.value, row.exact),
        _relative(row.gradient, row.exact_gradient),
    )
    return " / ".join(f"{e:.1g}" for e in errors)


def _relative(got: float, want: float) -> float:
    return abs(got - want) / abs(want)


def _memory(rows: list[LossMemoryRow]) -> list[str]:
    """Return a table of the memory by head and dtype, a column per loss."""
    names = list(dict.fromkeys(row.loss for row in rows))
    sizes = {(r.loss, r[1:5]): f"{r.bytes / 2**20:,.0f}" for r in rows}
    heads = list(dict.fromkeys(row[1:5] for row in rows))
    return markdown_table(
        ["dtype", "rows", "features", "vocabulary", *names],
        [
            [head[0], *(f"{n:,}" for n in head[1:]), *(sizes[n, head] for n in names)]
            for head in heads
        ],
    )


def _times(rows: list[LossTimeRow]) -> list[str]:
    """Return a table of the relative times, a column per loss."""
    seconds = {row.loss: row.seconds for row in rows}
    ratios = [f"{s / seconds['cross_entropy']:.2f}" for s in seconds.values()]
    return markdown_table(
        ["rows", "features", "vocabulary", *seconds],
        [[*(f"{n:,}" for n in rows[0][1:4]), *ratios]],
    )


def _machine(stored: dict[str, Any]) -> str:
    return (
        f"\nMeasured on {stored['device']} ({stored['machine']}) with JAX "
        f"{stored['jax']}."
    )
