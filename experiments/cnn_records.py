"""Activations compared: the same network trained with each, from several seeds."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jax_acts.experiments.report.contrasts import behind_best
from jax_acts.experiments.report.format import listed
from jax_acts.experiments.report.model import Scores
from jax_acts.experiments.stats import Spread, spread
from jax_acts.experiments.study import Member, Record
from jax_acts.experiments.train.epochs import History

Numbers = list[float | None]
"""Numbers in their order, None where one is not finite."""

CURVE_POINTS = 60


class Trained(Record):
    """One activation trained from one seed."""

    activation: str
    seed: int
    parameters: int
    steps: int
    test_accuracy: float | None
    """After the last epoch; None if the training diverged."""
    loss: Numbers
    """The training loss, as means over equal parts of the training."""
    accuracy_by_epoch: Numbers
    """On the test images, the first number before training; so too the next two."""
    dead_by_epoch: Numbers
    gradient_ratio_by_epoch: Numbers
    """As log10, which tells ratios that float32 cannot hold."""
    step_seconds: float
    compile_seconds: float

    @property
    def last_loss(self) -> float | None:
        """The mean training loss of the last part."""
        return self.loss[-1]


def trained(
    member: Member, history: History, parameters: int, compile_seconds: float
) -> Trained:
    """Returns the record of a training."""
    axes = dict(member.axes)
    finite = bool(np.isfinite(history.losses).all())
    parts = np.array_split(history.losses, min(CURVE_POINTS, len(history.losses)))
    accuracy, dead, ratio = (
        [_finite(value) for value in values]
        for values in zip(*history.measures, strict=True)
    )
    return Trained(
        member=member.name,
        status="done" if finite else "diverged",
        activation=str(axes["activation"]),
        seed=int(axes["seed"]),
        parameters=parameters,
        steps=len(history.losses),
        test_accuracy=accuracy[-1] if finite else None,
        loss=[_finite(part.mean()) for part in parts],
        accuracy_by_epoch=accuracy,
        dead_by_epoch=dead,
        gradient_ratio_by_epoch=ratio,
        step_seconds=history.step_seconds,
        compile_seconds=compile_seconds,
    )


def _finite(value: np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None


class Group(NamedTuple):
    """The members of one activation."""

    name: str
    color: int
    done: tuple[Trained, ...]
    """Those that did not diverge, by their seeds."""
    diverged: int

    @property
    def accuracy(self) -> Spread:
        """The test accuracy in percent, over the seeds."""
        known = spread([*_percent(self).values()])
        return known._replace(low=max(known.low, 0.0), high=min(known.high, 100.0))

    def each(self, value: Callable[[Trained], float | None]) -> list[float]:
        """Returns the value of each member that has one."""
        return [v for v in map(value, self.done) if v is not None]


def grouped(activations: Sequence[str], records: Sequence[Trained]) -> list[Group]:
    """Returns a group for each activation with a record, the best accuracy first."""
    groups = []
    for color, name in enumerate(activations):
        own = sorted((r for r in records if r.activation == name), key=lambda r: r.seed)
        done = tuple(r for r in own if r.status == "done")
        if own:
            groups.append(Group(name, color, done, len(own) - len(done)))
    return sorted(groups, key=lambda g: -g.accuracy.mean if g.done else math.inf)


def scored(groups: Sequence[Group]) -> Scores:
    """Returns the test accuracy of each seed, by which activations are compared.

    Equal seeds have the same initial weights and the same batches.
    """
    return Scores("test accuracy, %", {g.name: _percent(g) for g in groups}, " %")


def _percent(group: Group) -> dict[int, float]:
    """Returns the test accuracy of each seed."""
    return {
        r.seed: 100 * r.test_accuracy for r in group.done if r.test_accuracy is not None
    }


def answer(groups: Sequence[Group]) -> str:
    """Returns what the records say, no stronger than the intervals allow."""
    finished = [g for g in groups if g.done]
    if not finished:
        return "There is no answer: no member has finished without diverging."
    best, *others = finished
    mean, n = best.accuracy.mean, best.accuracy.n
    if n < 2:
        return (
            f"{best.name} has the highest test accuracy, {mean:.1f} %, but by one seed "
            "alone, which tells nothing of chance."
        )
    told = behind_best(scored(finished))
    gaps = {c.second: c.difference for c in told if c.difference.shows()}
    close = [g.name for g in others if g.name not in gaps]
    apart = [
        f"{name} (by {g.mean:.1f} ± {g.half:.1f} points)" for name, g in gaps.items()
    ]
    interval = f"95 % interval {best.accuracy.low:.1f} to {best.accuracy.high:.1f}"
    said = (
        f"{best.name} has the highest mean test accuracy, {mean:.1f} % ({interval}, "
        f"{n} seeds)"
    )
    if close:
        said += f", but these seeds do not tell {listed(close, 'or')} from it"
    if apart:
        verb = "is" if len(apart) == 1 else "are"
        said += f"; measurably behind {verb} {listed(apart, 'and')}"
    return f"{said}."
