"""`watch`: the statistics of `diagnose` during training, for loggers.

A writer is a function of a dict of floats and the step. `wandb.log` and
`mlflow.log_metrics` are writers; `tensorboard` and `jsonl` return one.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jax_acts.diagnosis.findings import find, gradient_ratio, is_finite
from jax_acts.diagnosis.program import Loss, find_program, split_batch, to_rows

Metrics = dict[str, float]
Writer = Callable[[Metrics, int], Any]

STATISTICS = (
    *("dead", "dormant", "saturated", "unused"),
    *("pre_mean", "pre_std", "pre_min", "pre_max"),
    *("post_mean", "post_std", "post_min", "post_max"),
    *("pre_grad_rms", "post_grad_rms", "pre_grad_max"),
)
"""The statistics of a site that are logged as `<site>/<statistic>`."""


class watch:
    """Log statistics of the activations of a model every `every` steps of training.

    The call takes the step and the arguments of `diagnose` after the model. It measures
    if the step is a multiple of `every`; the first measurement compiles. A function is
    traced once for each set of shapes, as by `jax.jit`; the state of an nnx model is
    read at each measurement.

    >>> import jax.numpy as jnp, jax_acts
    >>> logged = []
    >>> network = lambda w, x: jnp.mean(jax_acts.tanh(x @ w))
    >>> measure = watch(network, lambda metrics, step: logged.append(step), every=100)
    >>> for step in range(201):
    ...     measure(step, jnp.ones((3, 3)), jnp.ones((8, 3)))
    >>> logged
    [0, 100, 200]

    Args:
        model: A linen or nnx module or a function, as of `diagnose`.
        writer: A function of a dict of floats and the step: `wandb.log`,
            `mlflow.log_metrics`, `tensorboard(SummaryWriter(…))`, or your own; or the
            path of a JSON Lines file.
        loss: As of `diagnose`.
        every: The number of steps between measurements.
        eps: As of `diagnose`.
        **options: Keyword arguments of the call of the model.

    Raises:
        ValueError: `every` is not positive.
        TypeError: The writer is no function and no path.
    """

    def __init__(
        self,
        model: Any,
        writer: Writer | str | Path,
        *,
        loss: Loss | None = None,
        every: int = 100,
        eps: float = 1e-3,
        **options: Any,
    ) -> None:
        if every < 1:
            raise ValueError(f"watch: every: expected at least 1, got {every}")
        if not callable(writer) and not isinstance(writer, str | Path):
            raise TypeError(
                "watch: writer: expected a function or the path of a JSON Lines file, "
                f"got {type(writer).__name__}"
            )
        self.model, self.loss, self.every, self.eps = model, loss, every, eps
        self.writer = writer if callable(writer) else jsonl(writer)
        self.options = options

    def __call__(self, step: int, *batch: Any) -> None:
        """Measure and write if it is the turn of the step."""
        if step % self.every:
            return
        pure, targets = split_batch(self.model, batch, self.loss, self.options)
        pure = pure if pure.key is not None else pure._replace(key=self)
        program = find_program(pure, targets, self.loss, self.eps, bins=0)
        leaves = jax.tree.leaves(pure.args)
        # The outputs stay on the device.
        value, _, statistics, gradients = program.run(leaves, targets)
        value, statistics, gradients = jax.device_get((value, statistics, gradients))
        rows = to_rows(program, statistics, gradients)
        metrics = {
            f"{row.site}/{name}": row.values[name]
            for row in rows
            for name in STATISTICS
            if name in row.values
        }
        finite = is_finite(rows)
        if program.has_gradients:
            ratio = gradient_ratio(rows)
            metrics["loss"] = float(value)
            finite = finite and math.isfinite(value)
            metrics["gradient_ratio"] = math.nan if ratio is None else ratio
        metrics["findings"] = float(len(find(rows))) if finite else 1.0
        self.writer(metrics, step)


def jsonl(path: str | Path) -> Writer:
    """Return a writer of one JSON object per measurement; NaN and infinity are null."""

    def write(metrics: Metrics, step: int) -> None:
        finite = {n: v if math.isfinite(v) else None for n, v in metrics.items()}
        line = json.dumps({"step": step} | finite, allow_nan=False)
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    return write


def tensorboard(events: Any) -> Writer:
    """Return a writer to a `SummaryWriter` of tensorboardX or PyTorch."""

    def write(metrics: Metrics, step: int) -> None:
        for name, value in metrics.items():
            events.add_scalar(name, value, step)

    return write
