"""`compare`: activations in the caller's model, from a notebook or a script."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w
from rich.console import Console

import jax_acts
from jax_acts.experiments import custom
from jax_acts.experiments.config import errors
from jax_acts.experiments.config.schema import DataConfig, canonical_spec
from jax_acts.experiments.datasets.dataset import Dataset, Task, make_dataset
from jax_acts.experiments.datasets.hub import HUBS
from jax_acts.experiments.datasets.registry import DATASETS, load_dataset
from jax_acts.experiments.models.factory import Factory
from jax_acts.experiments.records import RunRecord, metrics_frame, runs_frame
from jax_acts.experiments.report.model import Report
from jax_acts.experiments.report.render import RunInfo, html, markdown
from jax_acts.experiments.runtime.environment import collect_environment
from jax_acts.experiments.runtime.files import write_atomic
from jax_acts.experiments.runtime.runner import run_study

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Result:
    """The finished runs of `compare`; a notebook displays the table.

    Attributes:
        config: The resolved config.
        records: One record per run.
        environment: Versions, devices and revision.
        data: Counts, shapes, classes and content hash of the data.
    """

    config: custom.Config
    records: tuple[RunRecord, ...]
    environment: Mapping[str, Any]
    data: str

    @property
    def conclusion(self) -> str:
        """The conclusion of the report, in one sentence."""
        return self._report.conclusion

    @property
    def table(self) -> pd.DataFrame:
        """One row per activation, the best first.

        Columns: activation, n, mean, sd, ci_low, ci_high (95 % interval), difference
        to the best, p_holm (Holm-adjusted, of the paired t-test), train_seconds. The
        name of the metric is the name of the columns.
        """
        comparison, metric = custom.compare_activations(self.config, self.records)
        table = comparison.summary(metric).set_index("group")
        tests = comparison.tests(metric).set_index("group")
        table = table.join(tests[["mean_diff", "p_holm"]])
        seconds = comparison.runs.groupby("group")["train_seconds"].median()
        table = table.assign(train_seconds=seconds)
        table = table.sort_values("mean", ascending=metric.lower_is_better)
        table = table.rename(columns={"mean_diff": "difference"})
        return table.rename_axis(index="activation", columns=metric.label).reset_index()

    @property
    def runs(self) -> pd.DataFrame:
        """One row per run; see `records.runs_frame`."""
        return runs_frame(self.records)

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per run, metric and evaluation step; see `records.metrics_frame`."""
        return metrics_frame(self.records)

    def report(self, path: str | Path) -> Path:
        """Write the report as an .html or .md file and return its path."""
        path = Path(path)
        if path.suffix not in (".html", ".md"):
            raise ValueError(f"report: expected an .html or .md file, got {path}")
        text = tomli_w.dumps(self.config.model_dump(mode="json", exclude_none=True))
        info = RunInfo(self.config.name, text, [self.environment])
        render = html if path.suffix == ".html" else markdown
        write_atomic(path, render(self._report, [info]))
        return path

    @property
    def _report(self) -> Report:
        report = custom.STUDY.report(self.config, self.records)
        data = [summary._replace(content=self.data) for summary in report.data]
        return replace(report, data=tuple(data))

    def __repr__(self) -> str:
        return f"{self.conclusion}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        table: Any = self.table
        return f"<p>{self.conclusion}</p>{table._repr_html_()}"


def compare(
    make_model: Factory,
    data: str | Path | DataConfig | Dataset | Arrays,
    activations: Iterable[Any],
    *,
    seeds: int = 5,
    task: Task | None = None,
    label_column: str | None = None,
    learning_rate: float | None = None,
    trial_batch: Mapping[str, int] | None = None,
    name: str = "compare",
    directory: str | Path | None = None,
    quiet: bool = False,
    **training: Any,
) -> Result:
    """Train a model with each activation from several seeds and compare them.

    Args:
        make_model: A function or class `(activation, num_outputs)` that returns a linen
            module, or `(activation, num_outputs, *, rngs)` that returns an nnx module.
            `activation` is a callable that the layers of `jax_acts` accept;
            `num_outputs` is the number of classes or of regression targets.
        data: The name of a dataset, the path of an .npz or .csv file or of an image
            folder, a `DataConfig`, or arrays `(x_train, y_train, x_test, y_test)`:
            integer labels are classes, fractional ones regression targets.
        activations: Specs as `jax_acts.get` takes them.
        seeds: The number of runs of each activation.
        task: "classification" or "regression", where the labels do not say it.
        label_column: The column of a .csv file to predict; the last one by default.
        learning_rate: That of the optimizer.
        trial_batch: Keys of `[trial_batch]`: size, vmap_width.
        name: The name of the comparison in its report.
        directory: A run directory, in which an interrupted comparison resumes; by
            default a temporary one.
        quiet: Whether to show no progress.
        **training: Keys of `[training]`: steps or epochs, batch_size, optimizer, ….

    Returns:
        The result: `result.table` is a DataFrame, `result.report("out.html")` writes
        the report.

    Raises:
        ConfigError: An argument, the data or the model is invalid.
        RunError: `directory` belongs to another comparison.
    """
    section, dataset = _load(data, task, label_column)
    if learning_rate is not None:
        optimizer = training.get("optimizer", {})
        training["optimizer"] = {**optimizer, "learning_rate": learning_rate}
    name_of_factory = getattr(make_model, "__qualname__", type(make_model).__qualname__)
    raw = {
        "study": custom.STUDY.name,
        "name": name,
        "model": f"{make_model.__module__}:{name_of_factory}",
        "import_path": Path.cwd(),
        "activations": [_spec(activation) for activation in activations],
        "seeds": seeds,
        "data": section,
        "training": {"batch_size": min(100, len(dataset.train.y))} | training,
        "trial_batch": dict(trial_batch or {}),
    }
    config = errors.validate(custom.Config, raw)
    with errors.value_errors_at("training.batch_size", config.training.batch_size):
        if config.training.batch_size > (limit := len(dataset.train.y)):
            raise ValueError(f"expected at most {limit}, the training examples")
    prepared = custom.prepare_custom(config, make_model, dataset)
    console = Console(stderr=True, quiet=quiet)
    with tempfile.TemporaryDirectory() as temporary:
        run_directory = Path(directory or temporary)
        records = run_study(custom.STUDY, config, prepared, run_directory, console)
    return Result(config, records, collect_environment(), dataset.describe())


def _load(
    data: Any, task: Task | None, label_column: str | None
) -> tuple[DataConfig, Dataset]:
    """Return the section `[data]` and the dataset."""
    if isinstance(data, Dataset):
        return DataConfig(name="arrays"), data
    if isinstance(data, tuple):
        try:
            if len(data) != 4:
                names = "(x_train, y_train, x_test, y_test)"
                raise ValueError(f"expected arrays {names}, got {len(data)}")
            x, y, x_test, y_test = map(np.asarray, data)
            dataset = make_dataset((x, y), (x_test, y_test), task=task)
        except ValueError as error:
            issue = errors.ConfigIssue("data", f"data: {error}")
            raise errors.ConfigError(issue) from None
        return DataConfig(name="arrays"), dataset
    if not isinstance(data, DataConfig):
        is_name = str(data) in DATASETS or str(data).partition(":")[0] in HUBS
        key = {"name": str(data)} if is_name else {"path": Path(data).resolve()}
        optional = {"task": task, "label_column": label_column}
        given = {k: v for k, v in optional.items() if v is not None}
        data = DataConfig.model_validate(key | given)
    return data, load_dataset(data)


def _spec(activation: Any) -> Any:
    """Return the spec of an activation, which the config checks where it is text."""
    if isinstance(activation, str | dict):
        return activation
    with errors.value_errors_at("activations", activation):
        return canonical_spec(jax_acts.get(activation))
