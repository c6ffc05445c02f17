"""A dataset in memory: validated arrays for training and testing."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Task = Literal["classification", "regression"]


class Split(NamedTuple):
    """Inputs `(n, …)` with labels int32 `(n,)` or targets float32 `(n, targets)`.

    Images are uint8 of shape `(n, height, width, channels)`; other inputs are float32.
    """

    x: NDArray[np.generic]
    y: NDArray[np.generic]


MAX_CLASSES = 65_536
"""Largest number of classes; more distinct labels are regression targets."""


@dataclass(frozen=True)
class Dataset:
    """Training and test split of a classification or regression dataset.

    Attributes:
        train: The training split.
        test: The test split.
        num_classes: The number of classes; None for regression.
    """

    train: Split
    test: Split
    num_classes: int | None

    def __post_init__(self) -> None:
        """Check lengths and labels, whichever reader made the arrays.

        Raises:
            ValueError: A split is empty, or labels are not 0 to num_classes - 1.
        """
        if self.num_classes is not None and not 2 <= self.num_classes <= MAX_CLASSES:
            raise ValueError(
                f"expected 2 to {MAX_CLASSES:,} classes, got {self.num_classes:,}"
            )
        for name, (x, y) in (("train", self.train), ("test", self.test)):
            if not len(x) == len(y) > 0:
                raise ValueError(
                    f"expected x_{name} and y_{name} of one length > 0, "
                    f"got {len(x)} and {len(y)}"
                )
            if self.num_classes is not None:
                check_labels(f"y_{name}", y, self.num_classes)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input; (height, width, channels) of an image."""
        return self.train.x.shape[1:]

    @property
    def num_outputs(self) -> int:
        """Number of classes, or of regression targets."""
        return self.num_classes or int(np.prod(self.train.y.shape[1:]))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over shapes, dtypes and bytes of all arrays, in hex."""
        digest = hashlib.sha256()
        for array in (*self.train, *self.test):
            digest.update(f"{array.dtype.str} {array.shape};".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def take(self, num_train: int | None, num_test: int | None) -> "Dataset":
        """Return the dataset with the first examples of each split; None keeps all."""
        train = Split(*(array[:num_train] for array in self.train))
        test = Split(*(array[:num_test] for array in self.test))
        return Dataset(train, test, self.num_classes)

    def describe(self) -> str:
        """Return counts, shape, classes and hash in one sentence."""
        shape = " × ".join(map(str, self.input_shape))
        content = f"{self.num_outputs} regression target(s)"
        if self.num_classes is not None:
            counts = np.bincount(self.train.y, minlength=self.num_classes)
            content = (
                f"{self.num_classes} classes, {counts.min():,} to {counts.max():,} "
                "training examples each"
            )
        return (
            f"{len(self.train.y):,} training and {len(self.test.y):,} test examples, "
            f"inputs {shape} ({self.train.x.dtype}), {content}; "
            f"sha256 {self.content_hash[:12]}."
        )


def check_labels(name: str, labels: np.ndarray, num_classes: int) -> None:
    """Raise ValueError unless labels are integers from 0 to num_classes - 1."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"expected {name} of integers, shape (n,), got {labels.dtype} "
            f"{labels.shape}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"expected {name} of labels 0 to {num_classes - 1}, got {low} to {high}"
        )


def make_dataset(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    task: Task | None = None,
) -> Dataset:
    """Validate arrays and return them as a dataset.

    Integer labels make a classification dataset, floating targets a regression one.

    Args:
        train: Inputs, uint8 or floating `(n, …)`, and labels, integers from 0 to
            num_classes - 1 `(n,)`, or targets, floating `(n,)` or `(n, targets)`.
        test: The same for testing.
        task: "classification" maps the distinct labels to 0, 1, …; "regression" takes
            integer targets as numbers. By default the dtype of the labels decides.

    Raises:
        ValueError: The arrays are invalid.
    """
    (x, y), (x_test, y_test) = train, test
    inputs = _inputs("x_train", x), _inputs("x_test", x_test)
    for name, values, labels in (("train", x, y), ("test", x_test, y_test)):
        if labels.ndim == 0 or not len(values) == len(labels) > 0:
            raise ValueError(
                f"expected x_{name} and y_{name} of one length > 0, "
                f"got {len(values)} and {labels.shape[:1] and len(labels)}"
            )
    if (task or _infer_task(y)) == "regression":
        targets = _targets("y_train", y), _targets("y_test", y_test)
        num_classes = None
    else:
        targets, num_classes = _labels(y, y_test, renumber=task is not None)
    for name, (a, b) in {"x": inputs, "y": targets}.items():
        if a.shape[1:] != b.shape[1:]:
            raise ValueError(
                f"expected {name}_train and {name}_test of one shape, got {a.shape}, "
                f"{b.shape}"
            )
    train, test = map(Split, inputs, targets)
    return Dataset(train, test, num_classes)


def _inputs(name: str, x: np.ndarray) -> np.ndarray:
    """Return images with a channel axis as uint8, other inputs as float32."""
    if x.dtype != np.uint8 and not np.issubdtype(x.dtype, np.floating):
        raise ValueError(f"expected {name} of uint8 or a floating dtype, got {x.dtype}")
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"expected {name} of shape (n, …), got {x.shape}")
    check_finite(name, x)
    if x.dtype == np.uint8:
        return x[..., None] if x.ndim == 3 else x
    return x.astype(np.float32)


def check_finite(name: str, x: np.ndarray) -> None:
    """Raise ValueError with the count and the first index of non-finite values."""
    finite = np.isfinite(x)
    if not finite.all():
        index = [int(n) for n in np.unravel_index(np.argmin(finite), x.shape)]
        raise ValueError(
            f"expected finite values, got {(~finite).sum():,} non-finite in {name}, "
            f"the first ({x[tuple(index)]}) at {name}{index}"
        )


def _infer_task(y: np.ndarray) -> Task:
    if np.issubdtype(y.dtype, np.integer):
        return "classification"
    if np.issubdtype(y.dtype, np.floating):
        finite = y[np.isfinite(y)]
        if y.ndim == 1 and finite.size and (finite == np.round(finite)).all():
            raise ValueError(
                "expected integer labels or fractional targets in y_train, got whole "
                f"numbers of {y.dtype}; set data.task to 'classification' or "
                "'regression'"
            )
        return "regression"
    raise ValueError(f"expected y_train of an integer or floating dtype, got {y.dtype}")


def _targets(name: str, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "iuf" or y.ndim not in (1, 2):
        raise ValueError(
            f"expected {name} of numbers, shape (n,) or (n, targets), "
            f"got {y.dtype} {y.shape}"
        )
    check_finite(name, y)
    return y.reshape(len(y), -1).astype(np.float32)


def _labels(
    y: np.ndarray, y_test: np.ndarray, *, renumber: bool
) -> tuple[tuple[np.ndarray, np.ndarray], int]:
    """Return labels from 0 to num_classes - 1, and num_classes."""
    for name, labels in (("y_train", y), ("y_test", y_test)):
        if labels.ndim != 1 or (not renumber and labels.dtype.kind not in "iu"):
            raise ValueError(
                f"expected {name} of integers, shape (n,), got {labels.dtype} "
                f"{labels.shape}"
            )
        if labels.dtype.kind == "f":
            check_finite(name, labels)
    y, y_test = _to_signed("y_train", y), _to_signed("y_test", y_test)
    classes, numbered = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"expected 2 or more classes in y_train, got {_short(classes)}"
        )
    unknown = np.setdiff1d(y_test, classes)
    if len(unknown):
        raise ValueError(
            f"expected the labels of y_test in y_train, got {_short(unknown)} as well"
        )
    if not renumber and not np.array_equal(classes, np.arange(len(classes))):
        raise ValueError(
            f"expected labels 0 to {len(classes) - 1}, got {_short(classes)}; "
            "data.task = 'classification' renumbers them, 'regression' predicts numbers"
        )
    test = np.searchsorted(classes, y_test)
    return (numbered.astype(np.int32), test.astype(np.int32)), len(classes)


def _to_signed(name: str, labels: np.ndarray) -> np.ndarray:
    """Return unsigned labels as int64; NumPy compares int64 with uint64 as floats."""
    if labels.dtype.kind != "u":
        return labels
    if (largest := int(labels.max())) >= 2**63:
        raise ValueError(f"expected {name} of labels below 2^63, got {largest}")
    return labels.astype(np.int64)


def _short(values: np.ndarray) -> str:
    return ", ".join(map(str, values[:5])) + (", …" if len(values) > 5 else "")


def standardize(x: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return x with columns scaled to mean 0 and standard deviation 1 of a sample."""
    std = sample.std(0)
    return (x - sample.mean(0)) / np.where(std > 0, std, 1)


def divide(x: np.ndarray, y: np.ndarray) -> tuple[Split, Split]:
    """Return four fifths for training and one fifth for testing, by a fixed shuffle."""
    x, y = shuffle(x, y)
    size = len(y) * 4 // 5
    return Split(x[:size], y[:size]), Split(x[size:], y[size:])


def shuffle(x: np.ndarray, y: np.ndarray) -> Split:
    """Return both arrays in one random order that is the same every time."""
    order = np.random.default_rng(0).permutation(len(y))
    return Split(x[order], y[order])
