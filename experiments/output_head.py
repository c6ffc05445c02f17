"""Which activation and loss belong at the end of a network, and what do others cost?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import AfterValidator, Field

from experiments.output_heads import TASKS, score
from jax_acts.experiments.config.schema import Activation, Chunks, StudyConfig
from jax_acts.experiments.datasets.sklearn_tables import ORIGIN, Columns
from jax_acts.experiments.models import MLP
from jax_acts.experiments.report.contrasts import Contrast, contrasts, section
from jax_acts.experiments.report.format import listed, text
from jax_acts.experiments.report.model import Cell, Column, Page, Scores
from jax_acts.experiments.report.tables import (
    NO_ANSWER,
    NOTES,
    Group,
    Metric,
    compared,
    dots,
    grouped,
    histories,
    last,
    measured,
    scored,
    table,
    unfinished,
)
from jax_acts.experiments.stats import spread
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import outputs
from jax_acts.experiments.train.loop import Fit, Params, Problem
from jax_acts.experiments.train.trial import (
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    distinct,
    grid,
    prepared,
)

SCORE = Metric("score, %", last("score", 100), " %")


class Config(StudyConfig):
    """A perceptron with each head, on each of the tasks."""

    tasks: Annotated[
        tuple[Literal["regression", "binary", "multiclass"], ...],
        AfterValidator(distinct),
        Field(min_length=1, strict=False),
    ] = ("regression", "binary", "multiclass")
    activation: Activation = "relu"
    """Of the hidden layers."""
    depth: int = Field(default=2, ge=1, le=1000)
    width: int = Field(default=32, ge=1, le=65_536)
    seeds: Seeds = 10
    training: Steps = Steps()
    chunks: Chunks = Chunks()

    def shrunk(self) -> Self:
        """Returns the first task, narrow."""
        return self.model_copy(
            update={
                "tasks": self.tasks[:1],
                "width": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of a head together."""
    return tuple(
        member
        for task in config.tasks
        for member in grid(
            task=[task], head=TASKS[task].heads, seed=range(config.seeds)
        )
    )


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    tables = {
        name: jax.tree.map(jnp.asarray, TASKS[name].load()) for name in config.tasks
    }

    def program(fixed: Mapping[str, Value]) -> Any:
        task = str(fixed["task"])
        head = TASKS[task].heads[str(fixed["head"])]
        model = MLP(config.activation, config.depth, config.width, head.outputs, "gain")

        def train(key: Array, numbers: Any, data: Mapping[str, Columns]) -> Fit:
            x, y, x_test, y_test = map(jnp.asarray, data[task])

            def draw(key: Array) -> tuple[Array, Array]:
                size = config.training.batch_size
                places = jax.random.randint(key, (size,), 0, len(y))
                return x[places], y[places]

            def measure(params: Params) -> dict[str, Array]:
                guesses = head.guess(outputs(model, params, x_test))
                return {"score": score(guesses, y_test)}

            problem = Problem(
                lambda key: model.init(key, x[:1])["params"],
                draw,
                lambda params, batch: head.loss(
                    outputs(model, params, batch[0]), batch[1]
                ),
                measure,
            )
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), tables, (), program)
    return prepared(trial, config.chunks)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    tasks = listed([TASKS[task].title for task in config.tasks])
    return (
        f"Perceptrons of {config.depth} hidden layers of {config.width} with "
        f"{config.activation}, from {config.seeds} seeds, on {tasks}: "
        f"{config.training.said}."
    )


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    charts, all_groups, series, families = [], [], [], []
    by_task = {}
    for task in config.tasks:
        heads = TASKS[task].heads
        own = [r for r in records if r.axes["task"] == task]
        names = [f"{task}: {head}" for head in heads]
        groups = grouped(own, names, lambda r: f"{r.axes['task']}: {r.axes['head']}")
        by_task[task] = groups
        series += names
        all_groups += groups
        families.append(names)
        title = TASKS[task].title
        values, steps = measured("score", 100), config.training.steps
        charts += [
            dots(f"Score: {title}", groups, SCORE),
            histories(f"Learning: {title}", groups, values, steps, "score, %"),
        ]
    scores = scored(all_groups, SCORE)
    pairs = [pair for groups in by_task.values() for pair in against_advised(groups)]
    costs = contrasts(scores, pairs)
    return Page(
        __doc__ or "",
        answer(costs, scores),
        setting(config),
        ORIGIN,
        table("task and head", all_groups, SCORE, [_ADVISED], families=families),
        tuple(charts),
        tuple(series),
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        (
            *section("The advised head against the wrong ones", costs, scores),
            *compared(all_groups, SCORE, families),
        ),
        scores,
    )


def against_advised(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """Returns the pairs of the first advised head of a task and each wrong one."""
    known = [g for g in groups if len(g.done) > 1]
    advised = [g.name for g in known if _advised(g)]
    return [(advised[0], g.name) for g in known if advised and not _advised(g)]


def answer(costs: Sequence[Contrast], scores: Scores) -> str:
    """Returns for each task the advised head, and what each other one costs."""
    told = []
    for right in dict.fromkeys(contrast.first for contrast in costs):
        own = [contrast for contrast in costs if contrast.first == right]
        parts: dict[bool, list[str]] = {True: [], False: []}
        for _, wrong, found in own:
            size = f"{text(found.mean, 1)} ± {found.half:.1f}"
            parts[found.shows()].append(f"{wrong.partition(': ')[2]} {size}")
        task, _, head = right.partition(": ")
        score = spread([*scores.of[right].values()]).mean
        said = f"For {task} {head} scores {score:.1f} %"
        if parts[True]:
            said += f", points ahead of {listed(parts[True])}"
        if parts[False]:
            said += f"; not measurably other: {listed(parts[False])}"
        told.append(said)
    return f"{'. '.join(told)}." if told else NO_ANSWER


def _advised(group: Group) -> bool:
    task, _, head = group.name.partition(": ")
    return TASKS[task].heads[head].right


_ADVISED = (
    Column("advised", "whether textbooks advise this head for this task"),
    lambda group: Cell("yes" if _advised(group) else "no", float(_advised(group))),
)
_NOTES = (
    "Score: the share of test examples that are guessed right; for regression 1 minus "
    "the squared error over the variance of the target.",
    "The target of the regression has mean 0 and deviation 1: a sigmoid and a relu can "
    "not be negative, and tanh and sigmoid cannot exceed 1.",
    "Behind the best: of the same task.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
