"""The charts of a study that compares activations."""

from collections.abc import Callable, Sequence

import numpy as np

from experiments.cnn_records import Group, Numbers, Trained
from jax_acts.experiments.report.charts import Curve, Row, changes, curves, intervals
from jax_acts.experiments.report.model import Chart
from jax_acts.experiments.stats import spread

Values = Callable[[Trained], Numbers]


def charts(groups: Sequence[Group]) -> tuple[Chart, ...]:
    """Returns the charts of the groups that have a finished member."""
    if not groups:
        return ()
    steps = groups[0].done[0].steps
    epochs = len(groups[0].done[0].accuracy_by_epoch) - 1
    band = "Line: mean over the seeds; band: from the lowest to the highest seed."
    ends = "Ring: before training; dot: after it; means over the seeds."
    return (
        Chart(
            "Test accuracy",
            "Small dots: the seeds; large dot: their mean; bar: its 95 % interval. The "
            "axis is logarithmic in what is missing to 100 %.",
            intervals(
                "accuracy",
                _rows(groups, _percents),
                "% of test images right",
                percent=True,
            ),
        ),
        Chart(
            "Training loss",
            band,
            curves(
                "loss",
                _curves(groups, lambda r: r.loss, 0.5, steps),
                "step",
                "cross-entropy",
                log=True,
            ),
        ),
        Chart(
            "Test accuracy by epoch",
            band,
            curves(
                "epochs",
                _curves(groups, lambda r: _scaled(r.accuracy_by_epoch), 0.0, epochs),
                "epoch",
                "% of test images right",
            ),
        ),
        Chart(
            "Gradient of the first layer over the last",
            f"{ends} At 0 both are equally large; at −2 the first is a hundredth.",
            changes(
                "gradient",
                _changes(groups, lambda r: r.gradient_ratio_by_epoch, 1),
                "log10 of the ratio of norms",
            ),
        ),
        Chart(
            "Dead units",
            f"{ends} A dead unit has a zero derivative on all test images.",
            changes(
                "dead", _changes(groups, lambda r: r.dead_by_epoch, 100), "% of all"
            ),
        ),
        Chart(
            "Time per step",
            "Small dots: the members; large dot: their mean; bar: its 95 % interval.",
            intervals(
                "time",
                _rows(groups, lambda g: g.each(lambda r: 1000 * r.step_seconds)),
                "milliseconds",
            ),
        ),
    )


def _percents(group: Group) -> list[float]:
    return [100 * a for a in group.each(lambda r: r.test_accuracy)]


def _scaled(numbers: Numbers) -> Numbers:
    return [None if n is None else 100 * n for n in numbers]


def _rows(
    groups: Sequence[Group], values: Callable[[Group], Sequence[float]]
) -> list[Row]:
    return [Row(g.color, g.name, values(g), spread(values(g))) for g in groups]


def _changes(groups: Sequence[Group], values: Values, scale: float) -> list[Row]:
    return [
        Row(g.color, g.name, [scale * mean_of(g, values, n) for n in (0, -1)])
        for g in groups
    ]


def _curves(
    groups: Sequence[Group], values: Values, offset: float, end: float
) -> list[Curve]:
    """Returns a line for each group, over x from 0 to `end`.

    Args:
        groups: The groups.
        values: What is drawn.
        offset: Where in its part of the x-axis a number is: 0.5 for the mean of a part,
            0 for the numbers at the ends of the parts.
        end: The last x.
    """
    lines = []
    for group in groups:
        seeds = np.array([values(r) for r in group.done], float)
        parts = seeds.shape[1] if offset else max(seeds.shape[1] - 1, 1)
        x = (np.arange(seeds.shape[1]) + offset) * end / parts
        low, high = seeds.min(0), seeds.max(0)
        lines.append(Curve(group.color, x, seeds.mean(0), low, high))
    return lines


def mean_of(group: Group, values: Values, epoch: int) -> float:
    """Returns the mean over the seeds at an epoch, nan where none has a number."""
    found = group.each(lambda record: values(record)[epoch])
    return float(np.mean(found)) if found else float("nan")
