"""Are the function, the layer and the Dense form of an activation the same program?"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
from jax_acts.experiments.base import activation_runs, keep, pluralize
from jax_acts.experiments.config.schema import Activations, Seeds, StudyConfig
from jax_acts.experiments.records import Curve, RunRecord
from jax_acts.experiments.report.charts import dot_chart
from jax_acts.experiments.report.comparisons import NO_CONCLUSION, Comparison
from jax_acts.experiments.report.format import interval, join
from jax_acts.experiments.report.model import Chart, Column, Metric, Report, Table
from jax_acts.experiments.report.tables import number_column
from jax_acts.experiments.runtime.source_hash import hash_source
from jax_acts.experiments.stats import mean_ci
from jax_acts.experiments.study import BatchedTrainer, PreparedStudy, RunSpec, Study

FORMS = ("function", "layer", "Dense")
PROGRAMS = tuple(f"{api} {form}" for api in ("linen", "nnx") for form in FORMS)
TIMES = {"call": "time of a call", "compile": "compile time"}
"""Titles of "call_seconds" and "compile_seconds": one value per program."""
EQUALITIES = {
    "equal_results": "outputs and gradients of all six programs, bit for bit",
    "equal_programs": "instructions after the optimizations of XLA",
}
"""Metrics that are 1 where all programs are equal, with their meaning."""


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

    QUICK: ClassVar = {
        "activations": keep(2),
        "features": 8,
        "batch_size": 4,
        "rounds": 2,
        "calls": 2,
        "seeds": 2,
    }


Weights = dict[str, Array]
"""A kernel `(features, features)` and a bias `(features,)`."""
Program = Callable[[Weights, Array], tuple[Array, tuple[Weights, Array]]]
"""Returns the output, and the gradients of its sum in the weights and in x."""


def make_programs(activation: str) -> dict[str, Program]:
    """Return the ways to write f(x W + b), with its gradients, by API and form.

    - "function": the dense layer of Flax, then the function;
    - "layer": the dense layer of Flax, then the activation as a layer;
    - "Dense": the dense layer that takes the activation as an argument.
    """
    f, options = jax_acts.get(activation), {"activation": activation}
    linen_layer = acts_linen.Activation(activation)
    nnx_layer = acts_nnx.Activation
    forms = {
        "linen function": lambda w, x: f(_linen(nn.Dense, w, x)),
        "linen layer": lambda w, x: linen_layer.apply({}, _linen(nn.Dense, w, x)),
        "linen Dense": lambda w, x: _linen(acts_linen.Dense, w, x, **options),
        "nnx function": lambda w, x: f(_nnx(nnx.Linear, w)(x)),
        "nnx layer": lambda w, x: nnx_layer(activation)(_nnx(nnx.Linear, w)(x)),
        "nnx Dense": lambda w, x: _nnx(acts_nnx.Dense, w, **options)(x),
    }
    return {name: _with_gradients(form) for name, form in forms.items()}


def _linen(layer: Any, weights: Weights, x: Array, **options: Any) -> Array:
    return layer(len(weights["bias"]), **options).apply({"params": weights}, x)


def _nnx(layer: Any, weights: Weights, **options: Any) -> Any:
    n = len(weights["bias"])
    build = lambda: layer(n, n, rngs=nnx.Rngs(0), **options)
    dense = nnx.eval_shape(build)  # without random weights, which are replaced
    nnx.update(dense, weights)
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
    inputs = _inputs(config, seed)
    programs = make_programs(str(axes["activation"]))
    order = _rotate(list(PROGRAMS), seed)  # the order must not favor a form
    compile_program(programs[order[-1]], *inputs)  # warm-up of the compiler
    compiled = {name: compile_program(programs[name], *inputs) for name in order}
    first, *others = [program.run(*inputs) for program in compiled.values()]
    runs = {name: program.run for name, program in compiled.items()}
    seconds = time_calls(runs, *inputs, config.rounds, config.calls)
    metrics = {
        "equal_results": all(equal_bits(first, other) for other in others),
        "equal_programs": len({p.instructions for p in compiled.values()}) == 1,
        "call_seconds": [seconds[name] for name in PROGRAMS],
        "compile_seconds": [compiled[name].seconds for name in PROGRAMS],
    }
    return RunRecord(
        run=run.name,
        axes=axes,
        status="finished",
        num_params=sum(leaf.size for leaf in inputs[0].values()),
        steps=1,
        curves={k: Curve.from_array([0], np.array([v])) for k, v in metrics.items()},
        train_seconds=0.0,
        compile_seconds=sum(program.seconds for program in compiled.values()),
    )


def _inputs(config: Config, seed: int) -> tuple[Weights, Array]:
    kernel, bias, x = jax.random.split(jax.random.key(seed), 3)
    n = config.features
    normal = partial(jax.random.normal, dtype=jnp.float32)
    weights = {"kernel": normal(kernel, (n, n)) / n**0.5, "bias": normal(bias, (n,))}
    return weights, normal(x, (config.batch_size, n))


def prepare(config: Config) -> PreparedStudy:
    def train(batch: Sequence[RunSpec], progress: Any, _: Any) -> list[RunRecord]:
        records = [measure(config, run) for run in batch]
        progress(1, 1, None)
        return records

    trainer = BatchedTrainer(1, lambda run: run.without("seed"), train)
    functions = (jax_acts.get(name).function for name in config.activations)
    return PreparedStudy(
        summarize(config), 1, trainer, model_hash=hash_source(measure, *functions)
    )


def summarize(config: Config) -> str:
    return (
        f"{pluralize(len(config.activations), 'activation')} × "
        f"{pluralize(config.seeds, 'seed')}: f(x W + b) and its gradients in x, W and "
        f"b, float32, x of {config.batch_size} × {config.features}, as a function, as "
        "a layer and as Dense with an activation, in linen and in nnx; "
        f"{config.rounds} alternating timings of {config.calls} calls of each."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    question, setup = STUDY.question, summarize(config)
    if not records:
        return Report(question, NO_CONCLUSION, setup)
    equal = _equalities(records)
    times = {name: _times(records, f"{name}_seconds") for name in TIMES}
    return Report(
        question,
        conclude(equal, times["call"]),
        setup,
        (_table(config, equal, times),),
        tuple(_chart(times[name], title) for name, title in TIMES.items()),
        PROGRAMS,
        _NOTES,
    )


def _equalities(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return the metrics of `EQUALITIES`: one row per run, named by activation."""
    rows = [{name: r.curves[name].values[0] for name in EQUALITIES} for r in records]
    return pd.DataFrame(rows, [str(r.axes["activation"]) for r in records])


def _times(records: Sequence[RunRecord], metric: str) -> pd.DataFrame:
    """Return the times of the programs: rows (activation, seed), six columns."""
    rows = {tuple(r.axes.values()): r.curves[metric].values[0] for r in records}
    frame = pd.DataFrame(rows, index=pd.Index(PROGRAMS, name="group"))
    return frame.T.rename_axis(["activation", "seed"])


def _ratios(times: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return time / time of the function: geometric mean over the APIs, with CI."""
    logs = times.map(np.log)
    means = {f: (logs[f"linen {f}"] + logs[f"nnx {f}"]) / 2 for f in FORMS}
    ratios = pd.DataFrame({f: means[f] - means["function"] for f in FORMS[1:]})
    frame = ratios.melt(var_name="form", ignore_index=False).reset_index()
    table = mean_ci(frame, by).set_index(by)
    return table[["mean", "ci_low", "ci_high"]].map(np.exp)


def _table(
    config: Config, equal: pd.DataFrame, times: Mapping[str, pd.DataFrame]
) -> Table:
    frame = equal.groupby(level=0).mean().reindex(config.activations).dropna()
    columns = [Column("activation", "activation")]
    for name, meaning in EQUALITIES.items():
        text = lambda share: "yes" if share == 1 else f"{100 * share:.0f} %"
        title = name.replace("_", " ")
        columns.append(Column(name, title, text, meaning=meaning))
    for name, own in times.items():
        ratios = _ratios(own, ["activation", "form"])
        for form in FORMS[1:]:
            prefix = f"{name}_{form}_"
            frame = frame.join(ratios.xs(form, level="form").add_prefix(prefix))
            columns.append(_ratio_column(prefix, f"{form} / function, {name} time"))
    median = times["call"].median(axis=1).groupby("activation").median()
    columns.append(number_column("call", "call time (µs)", 0, essential=False))
    frame["call"] = 1e6 * median
    return Table(frame.rename_axis("activation").reset_index(), tuple(columns))


def _ratio_column(prefix: str, title: str) -> Column:
    return Column(
        f"{prefix}mean",
        title,
        "{:.3f}".format,
        lambda row: interval(row[f"{prefix}ci_low"], row[f"{prefix}ci_high"], 3),
        "ratio of times [95 % CI]",
        essential=prefix.startswith("call"),
    )


def _chart(times: pd.DataFrame, title: str) -> Chart:
    """Return the times relative to the median program of each activation and seed."""
    percent = 100 * (times.div(times.median(axis=1), axis=0) - 1)
    runs = percent.melt(value_name="percent", ignore_index=False).reset_index()
    comparison = Comparison(
        runs=runs.assign(series=runs["group"], status="finished"),
        metrics=pd.DataFrame(),
        groups=PROGRAMS,
        series=PROGRAMS,
        families=(PROGRAMS,),
        title="program",
        num_planned=len(runs),
    )
    metric = Metric("percent", f"{title} above the median of the six programs", "%")
    return dot_chart(comparison, metric, title.capitalize())


def conclude(equal: pd.DataFrame, times: pd.DataFrame) -> str:
    """Return whether the forms are one program, and the ratios of their call times."""
    results, programs = (bool(equal[name].all()) for name in EQUALITIES)
    ratios = [
        f"{form} {mean:.3f} {interval(low, high, 3)}".strip()
        for form, mean, low, high in _ratios(times, ["form"]).itertuples()
    ]
    return (
        f"{'Yes' if results and programs else 'No'}: outputs and gradients are "
        f"{'' if results else 'not always '}bit-equal, and XLA compiles all forms in "
        f"linen and in nnx to {'' if programs else 'not always '}the same "
        "instructions. Call time / call time of the function [95 % CI]: "
        f"{join(ratios)}."
    )


_NOTES = (
    "Equal programs: the optimized HLO of all six programs is the same text, without "
    "source locations.",
    "Ratios are geometric means over seeds and both APIs; intervals are 95 % "
    "t-intervals of the logarithms over the seeds; in the conclusion, over activations "
    "and seeds. Equal programs take equal time: deviations from 1 are noise of the "
    "machine.",
    "A compilation starts with empty caches and includes tracing, lowering and "
    "compiling; the order of the programs differs between seeds.",
)

STUDY = Study(
    "form_equivalence", __doc__ or "", Config, activation_runs, prepare, report
)
