"""Classification and regression tasks on a dataset in device memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jax_acts.experiments.config.schema import TrainingConfig
from jax_acts.experiments.datasets.dataset import Dataset
from jax_acts.experiments.models import MLP
from jax_acts.experiments.train.loop import (
    Batch,
    EpochSampler,
    Metrics,
    Params,
    Task,
)
from jax_acts.experiments.train.metrics import (
    hidden_layer_metrics,
    kernel_gradient_norms,
)

Apply = Callable[[Params, Array], Array]
Loss = Callable[[Array, Array], Array]
"""Takes outputs and targets; returns the mean loss."""


class DeviceData(NamedTuple):
    """A dataset on the device, as it is stored: inputs are normalized when used."""

    x: Array
    y: Array
    """Labels, int32 of shape `(n,)`, or float32 targets."""
    x_test: Array
    y_test: Array
    mean: Array
    std: Array

    def normalize(self, x: Array) -> Array:
        """Return inputs with mean 0 and standard deviation 1, float32."""
        return (x.astype(jnp.float32) - self.mean) / self.std


def to_device(dataset: Dataset) -> DeviceData:
    """Return the dataset on the default device."""
    sample = dataset.train.x[:10_000]  # enough for two statistics
    statistics = np.float32(sample.mean()), np.float32(sample.std() or 1.0)
    return DeviceData(*map(jnp.asarray, (*dataset.train, *dataset.test, *statistics)))


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Return the mean over the examples of -log softmax(logits)[label]."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def squared_error(outputs: Array, targets: Array) -> Array:
    """Return the mean squared error of outputs `(n, 1)` or `(n,)`."""
    return jnp.square(outputs.reshape(targets.shape) - targets).mean()


def accuracy(logits: Array, labels: Array) -> Array:
    """Return the fraction of examples whose largest logit is that of the label."""
    return (logits.argmax(-1) == labels).mean()


def r2_score(outputs: Array, targets: Array) -> Array:
    """Return 1 - mean squared error / variance of the targets."""
    return 1 - squared_error(outputs, targets) / targets.var()


def supervised(
    init: Callable[[Array, Array], Params],
    apply: Apply,
    data: DeviceData,
    training: TrainingConfig,
    *,
    loss: Loss = cross_entropy,
    metrics: Callable[[Params], Metrics],
) -> Task:
    """Return the task of a model on labeled inputs.

    Args:
        init: Returns parameters from a key and one input with a batch axis.
        apply: Returns outputs from parameters and normalized inputs.
        data: The dataset.
        training: Batch size and sampling; see `make_sampler`.
        loss: The loss of outputs and targets.
        metrics: The metrics of parameters.
    """

    def take(indices: Array) -> tuple[Array, Array]:
        return data.x[indices], data.y[indices]

    def batch_loss(params: Params, batch: tuple[Array, Array]) -> Array:
        x, y = batch
        return loss(apply(params, data.normalize(x)), y)

    return Task(
        lambda key: init(key, data.normalize(data.x[:1])),
        make_sampler(len(data.y), training, take),
        batch_loss,
        metrics,
    )


def make_sampler(
    count: int, training: TrainingConfig, take: Callable[[Array], Batch]
) -> Callable[[Array], Batch] | EpochSampler:
    """Return the sampler of a task with `count` training examples.

    Args:
        count: The number of training examples.
        training: Batches are drawn with replacement where its length is in steps, and
            without where it is in epochs; then examples that do not fill a batch are
            left out of the epoch.
        take: Returns the examples of indices.
    """
    size = training.batch_size
    if not training.epochs:
        dtype = jnp.int32  # that of `jax_enable_x64` would be other draws
        return lambda key: take(jax.random.randint(key, (size,), 0, count, dtype))
    num_steps = count // size

    def shuffle(key: Array) -> Array:
        order = jax.random.permutation(key, count)
        return order[: num_steps * size].reshape(num_steps, size)

    return EpochSampler(num_steps, shuffle, lambda order, n: take(order[n]))


def linen_functions(model: Any) -> tuple[Callable[[Array, Array], Params], Apply]:
    """Return `init(key, x) -> params` and `apply(params, x)` of a linen model."""
    return (
        lambda key, x: model.init(key, x)["params"],
        lambda params, x: model.apply({"params": params}, x),
    )


def classification(
    model: Any,
    data: DeviceData,
    training: TrainingConfig,
    *,
    extra_metrics: Callable[[Params], Metrics] = lambda params: {},
) -> Task:
    """Return the task of a linen model whose outputs are the logits of classes.

    Args:
        model: Takes inputs of shape `(n, …)`; returns logits `(n, classes)`.
        data: The dataset.
        training: Batch size and sampling; see `make_sampler`.
        extra_metrics: Metrics besides the test accuracy.
    """
    init, apply = linen_functions(model)

    def metrics(params: Params) -> Metrics:
        logits = apply(params, data.normalize(data.x_test))
        return {"accuracy": accuracy(logits, data.y_test), **extra_metrics(params)}

    return supervised(init, apply, data, training, metrics=metrics)


PROBE_SIZE = 256
"""Number of training examples on which gradients are measured."""


def gradient_metrics(model: MLP, params: Params, data: DeviceData) -> Metrics:
    """Return log10 of the gradient norm of each kernel on the first examples."""
    x, labels = data.normalize(data.x[:PROBE_SIZE]), data.y[:PROBE_SIZE]
    _, apply = linen_functions(model)
    loss = lambda params: cross_entropy(apply(params, x), labels)
    return {"log10_gradient_norm": kernel_gradient_norms(jax.grad(loss)(params))}


def layer_metrics(model: MLP, params: Params, data: DeviceData) -> Metrics:
    """Return dead units and pre-activations of each hidden layer on the test data."""
    return hidden_layer_metrics(model, params, data.normalize(data.x_test))
