"""The user's tables in CSV files, of which one column is to be predicted."""

from pathlib import Path

import numpy as np
import pandas as pd

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.datasets.dataset import (
    Dataset,
    Task,
    check_finite,
    divide,
    make_dataset,
    standardize,
)
from jax_acts.experiments.datasets.files import check_path

LAYOUT = "a .csv file with a header, or a folder with train.csv and test.csv"


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
        ValueError: A file is not a table, or its columns are invalid.
    """
    files = [path / "train.csv", path / "test.csv"] if path.is_dir() else [path]
    for file in files:
        check_path(file, Path.is_file, LAYOUT, ".csv", ".csv.gz")
    tables = [_features_and_labels(pd.read_csv(f), label_column) for f in files]
    train, test = divide(*tables[0]) if len(tables) == 1 else tables
    if train[1].dtype.kind not in "iuf":
        task = task or "classification"
    x, x_test = standardize(train[0], train[0]), standardize(test[0], train[0])
    return make_dataset((x, train[1]), (x_test, test[1]), task=task)


def _features_and_labels(
    table: pd.DataFrame, label_column: str | None
) -> tuple[np.ndarray, np.ndarray]:
    columns = [str(c) for c in table.columns]
    label = columns[-1] if label_column is None else label_column
    if label not in columns:
        got = f"{', '.join(columns)}{did_you_mean(label, columns)}"
        raise ValueError(f"expected a label column {label!r}, got the columns {got}")
    features, labels = table.drop(columns=label), table[label]
    if not features.shape[1]:
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
    if labels.isna().any():
        raise ValueError(
            f"expected labels in column {label!r}, got {labels.isna().sum()} empty, "
            f"the first in row {int(labels.isna().argmax())}"
        )
    if labels.dtype.kind not in "iuf":
        return features.to_numpy(float), labels.astype(str).to_numpy(str)
    return features.to_numpy(float), labels.to_numpy()
