"""The page of a study that compares activations: its answer, its table, its notes."""

from collections.abc import Sequence

import numpy as np

from experiments.cnn_charts import Values, charts, mean_of
from experiments.cnn_records import Group, Trained, answer, grouped, scored
from jax_acts.experiments.report.contrasts import PAIRED, behind, behind_best, section
from jax_acts.experiments.report.format import mean, number, text
from jax_acts.experiments.report.model import Cell, Column, Page, Table

NOTES = (
    "Intervals are 95 % t-intervals of the mean over the seeds. A seed decides the "
    "initial weights and the order of the batches; the images are the same for all.",
    PAIRED,
    "Dead units: channels whose activation has a derivative of exactly 0 at every "
    "place of every test image, so that no gradient reaches their weights.",
    "Gradient ratio: the norm of the gradient of the first kernel over that of the "
    "last, on the same 256 training images, as a power of ten.",
    "Time per step: the median over the epochs of a member, without compiling and "
    "measuring; then the median over the members.",
    "All activations use the same learning rate; it was not tuned for each of them.",
)

COLUMNS = (
    Column("activation"),
    Column("test accuracy, %", "mean over the seeds, with its 95 % interval"),
    Column("sd", "standard deviation over the seeds, in points", narrow=False),
    Column("seeds", "members that finished without diverging", narrow=False),
    Column(
        "behind the best",
        "points, paired by seed, with its 95 % interval; p after Holm",
    ),
    Column("dead units, %", "before and after training"),
    Column(
        "gradient ratio", "log10 of first over last layer, before and after training"
    ),
    Column("ms per step", "median"),
    Column("compile, s", "once for each activation", narrow=False),
)


def page(
    question: str,
    setting: str,
    origin: str,
    activations: Sequence[str],
    planned: int,
    records: Sequence[Trained],
) -> Page:
    """Returns the page of a comparison.

    Args:
        question: The question of the study.
        setting: What was trained on what, in a sentence.
        origin: Where the data come from.
        activations: All the activations, in the order of their colours.
        planned: The number of members that the finished run has.
        records: The records so far.
    """
    groups = grouped(activations, records)
    scores = scored(groups)
    notes = [
        f"{g.name}: {g.diverged} of {g.diverged + len(g.done)} members diverged."
        for g in groups
        if g.diverged
    ]
    if len(records) < planned:
        notes.append(f"The run is not finished: {len(records)} of {planned} members.")
    return Page(
        question,
        answer(groups),
        setting,
        origin,
        table(groups),
        charts([g for g in groups if g.done]),
        tuple(activations),
        (*notes, *NOTES),
        section(
            "Test accuracy: the best against the others", behind_best(scores), scores
        ),
        scores,
    )


def table(groups: Sequence[Group]) -> Table:
    """Returns a row for each activation."""
    gaps = behind(scored(groups))
    return Table(
        COLUMNS,
        tuple(
            (
                Cell(group.name, group.name),
                mean(group.accuracy, 2),
                number(group.accuracy.sd, 2),
                Cell(
                    f"{len(group.done)}",
                    len(group.done),
                    f"{group.diverged} diverged" if group.diverged else "",
                ),
                gaps[group.name],
                _change(group, lambda r: r.dead_by_epoch, 100, 1),
                _change(group, lambda r: r.gradient_ratio_by_epoch, 1, 2),
                _median(group.each(lambda r: 1000 * r.step_seconds), 2),
                _median(group.each(lambda r: r.compile_seconds), 1),
            )
            for group in groups
        ),
    )


def _change(group: Group, values: Values, scale: float, digits: int) -> Cell:
    """Returns the means over the seeds of the first and of the last number."""
    ends = [mean_of(group, values, n) for n in (0, -1)]
    start, end = (text(scale * e, digits) for e in ends)
    return Cell(f"{start} → {end}", None if np.isnan(ends[1]) else scale * ends[1])


def _median(values: Sequence[float], digits: int) -> Cell:
    return number(float(np.median(values)) if values else float("nan"), digits)
