"""The user's tables in CSV files, of which one column is to be predicted."""

from pathlib import Path

import numpy as np
import pandas as pd

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, did_you_mean
from jax_acts.experiments.datasets.dataset import (
    Dataset,
    Task,
    check_finite,
    divide,
    make_dataset,
)
from jax_acts.experiments.datasets.files import check_file

SUFFIXES = (".csv", ".csv.gz")
TRAIN, TEST = "train.csv", "test.csv"
LAYOUT = f"a .csv file with a header, or a folder with {TRAIN} and {TEST}"


def read_csv(
    path: Path, label_column: str | None = None, task: Task | None = None
) -> Dataset:
    """Read a table; one file is divided 4 : 1 by a fixed shuffle.

    Feature columns are numbers, scaled to mean 0 and standard deviation 1 on the
    training rows. A label column of strings has classes, one of integers has classes
    unless `task` is "regression", one of fractional numbers has regression targets.

    Args:
        path: A file, or a folder with train.csv and test.csv.
        label_column: The column to predict; the last one by default.
        task: Overrides what the type of the label column says.

    Raises:
        ConfigError: A file is missing, or the columns are invalid.
    """
    where = f"data.path = {str(path)!r}"
    files = [path / TRAIN, path / TEST] if path.is_dir() else [path]
    for file in files:
        check_file(file, LAYOUT, *SUFFIXES)
    try:
        tables = [_features_and_labels(pd.read_csv(f), label_column) for f in files]
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise ConfigError(ConfigIssue("data.path", f"{where}: {error}")) from None
    train, test = divide(*tables[0]) if len(tables) == 1 else tables
    if train[1].dtype.kind not in "iuf":
        task = task or "classification"
    x = np.asarray(train[0], float)
    mean, std = x.mean(0), x.std(0)
    scale = lambda x: (x - mean) / np.where(std > 0, std, 1)
    return make_dataset(
        (scale(x), train[1]), (scale(test[0]), test[1]), task=task, where=where
    )


def _features_and_labels(
    table: pd.DataFrame, label_column: str | None
) -> tuple[np.ndarray, np.ndarray]:
    columns = [str(c) for c in table.columns]
    label = columns[-1] if label_column is None else label_column
    if label not in columns:
        near = did_you_mean(label, columns)
        raise ValueError(
            f"expected a label column {label!r}, got the columns "
            f"{', '.join(columns)}{near}"
        )
    features = table.drop(columns=label)
    if features.shape[1] == 0:
        raise ValueError(f"expected feature columns, got {label!r} only")
    for name, column in features.items():
        if column.dtype.kind not in "iufb":
            text = pd.to_numeric(column, errors="coerce").isna() & column.notna()
            first = column[text].iloc[0] if text.any() else column.iloc[0]
            raise ValueError(
                f"expected numbers in column {name!r}, got {first!r}; "
                "encode or drop the column"
            )
        check_finite(f"column {name!r}", column.to_numpy(float))
    labels = table[label]
    if labels.isna().any():
        raise ValueError(
            f"expected labels in column {label!r}, got {labels.isna().sum()} empty, "
            f"the first in row {int(labels.isna().argmax())}"
        )
    if labels.dtype.kind not in "iuf":
        labels = labels.astype(str)
    return features.to_numpy(float), labels.to_numpy(
        str if labels.dtype.kind not in "iuf" else None
    )
