"""Are the function, the layer and the Dense form of an activation the same program?"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from jax import Array
from pydantic import Field

import jax_acts
from jax_acts import linen as acts_linen, nnx as acts_nnx
from jax_acts.experiments.base import activation_runs, keep
from jax_acts.experiments.config.schema import Activations, Seeds, StudyConfig
from jax_acts.experiments.records import Curve, RunRecord
from jax_acts.experiments.report.charts import dot_chart
from jax_acts.experiments.report.comparisons import (
    NO_CONCLUSION,
    Comparison,
    group_runs,
)
from jax_acts.experiments.report.format import interval, join
from jax_acts.experiments.report.model import Column, Metric, Report, Table
from jax_acts.experiments.report.tables import number_column
from jax_acts.experiments.stats import mean_ci
from jax_acts.experiments.study import (
    BatchedTrainer,
    PreparedStudy,
    ProgressCallback,
    RunSpec,
    Study,
)

APIS = ("linen", "nnx")
FORMS = ("function", "layer", "Dense")
CALL, COMPILE = "call_seconds", "compile_seconds"
"""Metrics with one "layer" per program, in the order of `PROGRAMS`."""
PROGRAMS = tuple(f"{api} {form}" for api in APIS for form in FORMS)


class Config(StudyConfig):
    """Six programs of each activation: three forms in two APIs, from each seed."""

    activations: Activations
    features: int = Field(default=256, ge=1, le=65_536)
    batch_size: int = Field(default=256, ge=1, le=1_000_000)
    rounds: int = Field(default=40, ge=1, le=100_000)
    """Number of timings of each program."""
    calls: int = Field(default=5, ge=1, le=100_000)
    """Calls per timing."""
    seeds: Seeds = 5

    QUICK: ClassVar[Mapping[str, Any]] = {
        "activations": keep(2),
        "features": 8,
        "batch_size": 4,
        "rounds": 2,
        "calls": 2,
        "seeds": 2,
    }


class Weights(NamedTuple):
    """A kernel `(features, features)` and a bias `(features,)`."""

    kernel: Array
    bias: Array


Program = Callable[[Weights, Array], tuple[Array, tuple[Weights, Array]]]
"""Returns the output, and the gradients of its sum in the weights and in x."""


def make_programs(activation: str) -> dict[str, Program]:
    """Return the ways to write f(x W + b), with its gradients, by API and form.

    - "function": the dense layer of Flax, then the function;
    - "layer": the dense layer of Flax, then the activation as a layer;
    - "Dense": the dense layer that takes the activation as an argument.
    """
    f = jax_acts.get(activation)
    layer = acts_linen.Activation(activation)
    forms = {
        "linen function": lambda w, x: f(_linen(nn.Dense, w, x)),
        "linen layer": lambda w, x: layer.apply({}, _linen(nn.Dense, w, x)),
        "linen Dense": lambda w, x: _linen(
            acts_linen.Dense, w, x, activation=activation
        ),
        "nnx function": lambda w, x: f(_nnx(nnx.Linear, w)(x)),
        "nnx layer": lambda w, x: acts_nnx.Activation(activation)(
            _nnx(nnx.Linear, w)(x)
        ),
        "nnx Dense": lambda w, x: _nnx(acts_nnx.Dense, w, activation=activation)(x),
    }
    return {name: _with_gradients(form) for name, form in forms.items()}


def _linen(layer: Any, weights: Weights, x: Array, **options: Any) -> Array:
    dense = layer(len(weights.bias), **options)
    return dense.apply({"params": weights._asdict()}, x)


def _nnx(layer: Any, weights: Weights, **options: Any) -> Any:
    features = len(weights.bias)
    build = lambda: layer(features, features, rngs=nnx.Rngs(0), **options)
    dense = nnx.eval_shape(build)  # without random weights, which are replaced
    dense.kernel, dense.bias = map(nnx.Param, weights)
    return dense


def _with_gradients(form: Callable[[Weights, Array], Array]) -> Program:
    def program(weights: Weights, x: Array) -> Any:
        y, backward = jax.vjp(form, weights, x)
        return y, backward(jnp.ones_like(y))

    return program


class CompiledProgram(NamedTuple):
    """A compiled program, with its instructions and compile time."""

    run: Program
    instructions: str
    """See `normalize_hlo`."""
    seconds: float
    """Time to trace, lower and compile."""


def compile_program(program: Program, weights: Weights, x: Array) -> CompiledProgram:
    """Compile a program with empty caches."""
    jax.clear_caches()
    begin = time.perf_counter()
    compiled = jax.jit(program).lower(weights, x).compile()
    seconds = time.perf_counter() - begin
    return CompiledProgram(compiled, normalize_hlo(compiled.as_text() or ""), seconds)


def normalize_hlo(hlo: str) -> str:
    """Return the instructions of a compiled program without source locations.

    Names are numbered in order of first use, as they depend on the source as well.

    >>> first = "HloModule a\\n\\n%f (p: f32[]) {\\n  %p.1 = f32[] metadata={x=1}\\n}"
    >>> print(normalize_hlo(first))
    %0 (p: f32[]) {
      %1 = f32[]
    }
    """
    start = re.search(r"^(%|ENTRY)", hlo, re.MULTILINE)
    body = re.sub(r",? metadata=\{[^}]*\}", "", hlo[start.start() if start else 0 :])
    names: dict[str, str] = {}
    return re.sub(
        r"%[\w.-]+", lambda name: names.setdefault(name[0], f"%{len(names)}"), body
    )


def equal_bits(first: Any, second: Any) -> bool:
    """Return whether two trees of arrays are equal bit for bit."""
    bits = lambda tree: [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]
    return bits(first) == bits(second)


def time_calls(
    programs: Mapping[str, Program], weights: Weights, x: Array, rounds: int, calls: int
) -> dict[str, float]:
    """Return the median time of a call of each program, in seconds.

    The programs alternate, so that other load on the machine slows all of them alike.
    """
    jax.block_until_ready([run(weights, x) for run in programs.values()])  # warm-up
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(rounds):
        for name in _rotate(list(programs), turn):
            begin = time.perf_counter()
            jax.block_until_ready([programs[name](weights, x) for _ in range(calls)])
            seconds[name].append((time.perf_counter() - begin) / calls)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def _rotate(names: list[str], turn: int) -> list[str]:
    start = turn % len(names)
    return names[start:] + names[:start]


def measure(config: Config, run: RunSpec) -> RunRecord:
    """Compile and time the six programs of an activation on inputs from one seed."""
    axes = dict(run.axes)
    seed = int(axes["seed"])
    weights, x = _inputs(config, seed)
    programs = make_programs(str(axes["activation"]))
    order = _rotate(list(PROGRAMS), seed)  # the order must not favor a form
    compile_program(programs[order[-1]], weights, x)  # warm-up of the compiler
    compiled = {name: compile_program(programs[name], weights, x) for name in order}
    results = [program.run(weights, x) for program in compiled.values()]
    seconds = time_calls(
        {name: program.run for name, program in compiled.items()},
        weights,
        x,
        config.rounds,
        config.calls,
    )
    metrics = {
        "equal_results": all(equal_bits(results[0], other) for other in results),
        "equal_programs": len({p.instructions for p in compiled.values()}) == 1,
        CALL: [seconds[name] for name in PROGRAMS],
        COMPILE: [compiled[name].seconds for name in PROGRAMS],
    }
    return RunRecord(
        run=run.name,
        axes=axes,
        status="finished",
        num_params=sum(leaf.size for leaf in weights),
        steps=1,
        curves={k: Curve.from_array([0], np.array([v])) for k, v in metrics.items()},
        train_seconds=0.0,
        compile_seconds=sum(program.seconds for program in compiled.values()),
    )


def _inputs(config: Config, seed: int) -> tuple[Weights, Array]:
    kernel, bias, x = jax.random.split(jax.random.key(seed), 3)
    shape = (config.features, config.features)
    weights = Weights(
        jax.random.normal(kernel, shape) / config.features**0.5,
        jax.random.normal(bias, (config.features,)),
    )
    return weights, jax.random.normal(x, (config.batch_size, config.features))


def prepare(config: Config) -> PreparedStudy:
    """Return the study; it has no data."""

    def train(
        batch: Sequence[RunSpec], progress: ProgressCallback, _: Path | None
    ) -> list[RunRecord]:
        records = [measure(config, run) for run in batch]
        progress(1, 1, None)
        return records

    trainer = BatchedTrainer(1, lambda run: run.without("seed"), train)
    return PreparedStudy(summarize(config), 1, trainer)


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    return (
        f"{len(config.activations)} activations × {config.seeds} seeds: f(x W + b) and "
        f"its gradients in x, W and b, float32, x of {config.batch_size} × "
        f"{config.features}, as a function, as a layer and as Dense with an "
        f"activation, in linen and in nnx; {config.rounds} alternating timings of "
        f"{config.calls} calls of each."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison = group_runs(records, activation_runs(config))
    times = _times(comparison)
    return Report(
        STUDY.question,
        conclude(comparison, times),
        summarize(config),
        (_table(config, comparison, times),) if records else (),
        tuple(
            dot_chart(
                _by_program(records, metric),
                Metric("percent", f"{title} above the median of the six programs", "%"),
                title.capitalize(),
            )
            for metric, title in ((CALL, "time of a call"), (COMPILE, "compile time"))
            if records
        ),
        PROGRAMS,
        _NOTES,
    )


def _times(comparison: Comparison) -> pd.DataFrame:
    """Return the times of each run: rows (metric, activation, seed), six columns."""
    rows = comparison.metrics[comparison.metrics["metric"].isin([CALL, COMPILE])]
    index = ["metric", "activation", "seed"]
    table = rows.pivot(index=index, columns="layer", values="value")
    return table.set_axis(list(PROGRAMS)[: table.shape[1]], axis=1)


def _ratios(times: pd.DataFrame, form: str) -> pd.Series:
    """Return log(time of a form / time of the function), mean over the APIs."""
    logs = times.map(np.log)
    ratios = {api: logs[f"{api} {form}"] - logs[f"{api} function"] for api in APIS}
    return pd.DataFrame(ratios).mean(axis=1)


def _ratio_ci(times: pd.DataFrame, form: str, by: str) -> pd.DataFrame:
    """Return the geometric mean of the ratios with its interval, by a column."""
    frame = _ratios(times, form).rename("value").reset_index()
    table = mean_ci(frame, by).set_index(by)
    return table[["mean", "ci_low", "ci_high"]].map(np.exp)


def _table(config: Config, comparison: Comparison, times: pd.DataFrame) -> Table:
    frame = pd.DataFrame(index=pd.Index(config.activations, name="group"))
    columns = [Column("group", "activation")]
    for name in ("equal_results", "equal_programs"):
        values = comparison.values(Metric(name, name))
        frame[name] = values.groupby("group")["value"].mean()
        columns.append(
            Column(
                name,
                name.replace("_", " "),
                lambda share: "yes" if share == 1 else f"{100 * share:.0f} %",
                meaning=_MEANINGS[name],
            )
        )
    for metric, title in ((CALL, "call"), (COMPILE, "compile")):
        own = pd.DataFrame(times.xs(metric))
        for form in FORMS[1:]:
            name = f"{title}_{form}"
            ci = _ratio_ci(own, form, "activation").add_prefix(f"{name}_")
            frame = frame.join(ci)
            columns.append(_ratio_column(name, f"{form} / function, {title} time"))
    call = (
        1e6 * pd.DataFrame(times.xs(CALL)).median(axis=1).groupby("activation").median()
    )
    columns.append(number_column("call", "call time (µs)", 0, essential=False))
    frame["call"] = call
    return Table(frame.dropna(how="all").reset_index(), tuple(columns))


def _ratio_column(name: str, title: str) -> Column:
    return Column(
        f"{name}_mean",
        title,
        lambda ratio: f"{ratio:.3f}",
        lambda row: interval(row[f"{name}_ci_low"], row[f"{name}_ci_high"], 3),
        "ratio of times [95 % CI]",
        essential="call" in name,
    )


def _by_program(records: Sequence[RunRecord], metric: str) -> Comparison:
    """Return the programs as groups, with their times relative to the median."""
    relative = [
        record.model_copy(
            update={
                "run": f"{record.run}, {program}",
                "axes": {
                    "program": program,
                    "seed": f"{record.axes['activation']} {record.axes['seed']}",
                },
                "curves": {"percent": Curve(steps=[0], values=[value])},
            }
        )
        for record in records
        for times in [np.array(record.curves[metric].values[0], float)]
        for program, value in zip(
            PROGRAMS, (100 * (times / np.median(times) - 1)).tolist(), strict=True
        )
    ]
    return group_runs(relative, by=("program",))


def conclude(comparison: Comparison, times: pd.DataFrame) -> str:
    """Return whether the forms are one program, and the ratios of their times."""
    if comparison.runs.empty:
        return NO_CONCLUSION
    results, programs = (
        bool((comparison.values(Metric(name, name))["value"] == 1).all())
        for name in ("equal_results", "equal_programs")
    )
    ratios = []
    for form in FORMS[1:]:
        ((_, ci),) = _ratio_ci(times.loc[[CALL]], form, "metric").iterrows()
        ratios.append(
            f"{form} {ci['mean']:.3f} {interval(ci['ci_low'], ci['ci_high'], 3)}"
        )
    return (
        f"{'Yes' if results and programs else 'No'}: outputs and gradients are "
        f"{'' if results else 'not always '}bit-equal, and XLA compiles all forms in "
        f"linen and in nnx to {'' if programs else 'not always '}the same "
        "instructions. "
        f"Call time / call time of the function [95 % CI]: {join(ratios)}."
    )


_MEANINGS = {
    "equal_results": "outputs and gradients of all six programs, bit for bit",
    "equal_programs": "instructions after the optimizations of XLA",
}
_NOTES = (
    "Equal programs: the optimized HLO of all six programs is the same text, without "
    "source locations.",
    "Ratios are geometric means over seeds and both APIs; intervals are 95 % "
    "t-intervals of the logarithms over the seeds. Equal programs take equal time: "
    "deviations from 1 are noise of the machine.",
    "A compilation starts with empty caches and includes tracing, lowering and "
    "compiling; the order of the programs differs between seeds.",
)

STUDY = Study(
    "form_equivalence", __doc__ or "", Config, activation_runs, prepare, report
)
