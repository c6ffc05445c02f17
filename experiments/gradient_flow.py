"""How large are the gradients of the first layers of a deep network?"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from jax import Array
from pydantic import Field

from jax_acts.experiments.config.schema import Chunks, Data, StudyConfig
from jax_acts.experiments.datasets.registry import described, load
from jax_acts.experiments.models import MLP
from jax_acts.experiments.models.mlp import Start
from jax_acts.experiments.report.charts import Curve
from jax_acts.experiments.report.format import listed, mean, text
from jax_acts.experiments.report.model import Cell, Chart, Column, Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NO_ANSWER,
    NOTES,
    Group,
    against,
    at,
    compared,
    grouped,
    line,
    scored,
    table,
    unfinished,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import (
    Classes,
    classification,
    gradients,
    layers,
    on_device,
)
from jax_acts.experiments.train.loop import Fit, Params
from jax_acts.experiments.train.trial import (
    Activations,
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    grid,
    prepared,
)


class Config(StudyConfig):
    """A perceptron with each activation, at each depth, from each kind of start."""

    activations: Activations
    depths: tuple[int, ...] = Field(
        default=(2, 5, 10, 20, 50), min_length=1, max_length=50, strict=False
    )
    starts: tuple[Start, ...] = Field(
        default=("lecun", "gain"), min_length=1, max_length=4, strict=False
    )
    data: Data = Data(set="mnist_1d")
    width: int = Field(default=64, ge=1, le=65_536)
    seeds: Seeds = 5
    training: Steps = Steps(steps=300, batch_size=64, clip=1.0)
    chunks: Chunks = Chunks()

    def shrunk(self) -> Self:
        """Returns two activations at one depth, narrow, on a few examples."""
        return self.model_copy(
            update={
                "activations": self.activations[:2],
                "depths": self.depths[:1],
                "starts": self.starts[-1:],
                "data": self.data.model_copy(update={"train": 96, "test": 96}),
                "width": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of a network together."""
    return grid(
        start=config.starts,
        depth=config.depths,
        activation=config.activations,
        seed=range(config.seeds),
    )


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    images = load(config.data)

    def program(fixed: Mapping[str, Value]) -> Any:
        start: Any = fixed["start"]
        model = MLP(
            fixed["activation"],
            int(fixed["depth"]),
            config.width,
            images.classes,
            start,
        )

        def also(params: Params, data: Classes) -> dict[str, Array]:
            return gradients(model, params, data) | layers(model, params, data)

        def train(key: Array, numbers: Any, data: Classes) -> Fit:
            size = config.training.batch_size
            problem = classification(model, data, size, also=also)
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), on_device(images), (), program)
    return prepared(trial, config.chunks)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    return (
        f"{len(config.activations)} activations × depths {_list(config.depths)} × "
        f"starts {_list(config.starts)} × {config.seeds} seeds: perceptrons of width "
        f"{config.width} on {described(config.data).title}, measured before training "
        f"and on the way through {config.training.said}."
    )


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))


def ratio(record: Learned, part: int) -> float | None:
    """Returns log10 of |gradient of the first kernel| / |that of the last|."""
    norms = record.measures["log10_gradient"][part]
    assert isinstance(norms, list)
    first, last = norms[0], norms[-1]
    return None if first is None or last is None else first - last


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    color = {name: n for n, name in enumerate(config.activations)}
    names, series = [], {}
    for start in config.starts:
        for depth in config.depths:
            for activation in config.activations:
                name = f"{activation}, {start}, depth {depth}"
                names.append(name)
                series[name] = color[activation]
    width = len(config.activations)
    families = [names[n : n + width] for n in range(0, len(names), width)]
    groups = grouped(records, names, _name, lambda name: series[name])
    charts = []
    deepest = max(config.depths)
    for start in config.starts:
        own = [g for g in groups if g.name.split(", ")[-2] == start]
        deep = [g for g in own if _axis(g, "depth") == deepest]
        charts += [
            _by_layer(
                f"Gradients before training, start {start}, depth {deepest}", deep, 0
            ),
            _by_layer(
                f"Gradients after training, start {start}, depth {deepest}", deep, -1
            ),
            _by_depth(f"First layer over last by depth, start {start}", own, color),
            _accuracy_by_depth(f"Accuracy by depth, start {start}", own, color),
        ]
    return Page(
        __doc__ or "",
        answer(config, groups),
        setting(config),
        described(config.data).origin,
        table("network", groups, ACCURACY, _COLUMNS, families=families),
        tuple(charts),
        tuple(config.activations),
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        compared(groups, ACCURACY, families),
        scored(groups, ACCURACY),
    )


def _name(record: Learned) -> str:
    axes = record.axes
    return f"{axes['activation']}, {axes['start']}, depth {axes['depth']}"


def _axis(group: Group, name: str) -> Value | None:
    return group.done[0].axes[name] if group.done else None


def _by_layer(title: str, groups: Sequence[Group], part: int) -> Chart:
    lines = []
    for group in groups:
        norms = [r.measures["log10_gradient"][part] for r in group.done]
        seeds = np.array(norms, float)  # None becomes nan, which is not drawn
        layers = [float(n + 1) for n in range(seeds.shape[1])]
        lines.append(line(group.color, layers, seeds))
    note = "An underflow, a gradient of exactly 0, is not drawn."
    return against(title, lines, "layer", "log10 of the norm", note)


def _by_depth(title: str, groups: Sequence[Group], color: Mapping[str, int]) -> Chart:
    return against(
        title,
        _over_depths(groups, color, lambda r: ratio(r, 0)),
        "hidden layers",
        "log10 of the ratio before training",
        "Below 0 gradients vanish, above 0 they explode.",
    )


def _accuracy_by_depth(
    title: str, groups: Sequence[Group], color: Mapping[str, int]
) -> Chart:
    lines = _over_depths(groups, color, ACCURACY.of)
    return against(title, lines, "hidden layers", "% of test examples right")


def _over_depths(
    groups: Sequence[Group], color: Mapping[str, int], of: Any
) -> list[Curve]:
    lines = []
    for activation, series in color.items():
        own = [g for g in groups if _axis(g, "activation") == activation]
        known = [(g, g.each(of)) for g in own if g.each(of)]
        fewest = min((len(values) for _, values in known), default=0)
        if known:
            x = [float(_axis(g, "depth") or 0) for g, _ in known]
            seeds = np.array([values[:fewest] for _, values in known]).T
            lines.append(line(series, x, seeds))
    return lines


def answer(config: Config, groups: Sequence[Group]) -> str:
    """Returns the ratios at the largest depth, and what they do to learning."""
    deepest = max(config.depths)
    parts = []
    for start in config.starts:
        own = [
            g
            for g in groups
            if (_axis(g, "start"), _axis(g, "depth")) == (start, deepest)
        ]
        ratios = {
            str(_axis(g, "activation")): g.each(lambda r: ratio(r, 0)) for g in own
        }
        said = [
            f"{name} {text(float(np.mean(values)), 1)}"
            if values
            else f"{name} an underflow to 0"
            for name, values in ratios.items()
        ]
        if said:
            parts.append(f"from the start {start} {listed(said)}")
    if not parts:
        return NO_ANSWER
    able = [
        f"{g.name.rpartition(',')[0]} ({g.spread(ACCURACY.of).mean:.0f} %)"
        for g in groups
        if _axis(g, "depth") == deepest and g.spread(ACCURACY.of).mean > 20
    ]
    learned = f"beyond 20 % got {listed(able)}" if able else "none got beyond 20 %"
    return (
        f"At {deepest} hidden layers the first kernel's gradient over the last's is, "
        f"as a power of ten before training, {'; '.join(parts)}. After "
        f"{config.training.steps} steps {learned}."
    )


def _ratios(part: int) -> Any:
    def cell(group: Group) -> Cell:
        found = group.spread(lambda r: ratio(r, part))
        return mean(found, 2) if found.n else Cell("0", -99.0, "underflow")

    return cell


_COLUMNS = (
    (
        Column("gradient ratio, before", "log10 of |first kernel's| / |last kernel's|"),
        _ratios(0),
    ),
    (Column("gradient ratio, after", "the same after training"), _ratios(-1)),
    (
        Column(
            "size in the last layer", "rms of what goes into its activation, before"
        ),
        lambda group: mean(group.spread(at("rms", 0, place=-1)), 2),
    ),
)
_NOTES = (
    "Behind the best: of the same start and depth.",
    "lecun: variance 1 / fan_in, Flax's default. gain: gain² / fan_in with the gain "
    "E[f(z)²]^−½ of the activation, so that signals keep their size.",
    "Gradients are taken on the same 256 training examples, and their norms as "
    "logarithms, which hold what float32 does not. A norm of exactly 0 is an underflow "
    "in the backward pass itself.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
