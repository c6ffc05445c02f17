"""Write docs/diagnosis.md: what six activations do in an MLP on Fashion-MNIST.

    python -m tools.docs.diagnosis

Trains for a minute. Requires matplotlib, optax and Fashion-MNIST; the costs of `watch`
are those of `python -m benchmarks diagnosis`.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import jax_acts
import jax_acts.linen
from benchmarks.results import DiagnosisRow, load
from jax_acts.diagnosis import Diagnosis
from jax_acts.diagnosis.figure import compare
from jax_acts.experiments.config.schema import DataConfig
from jax_acts.experiments.datasets.registry import load_dataset
from jax_acts.losses import cross_entropy

PAGE = Path(__file__).parents[2] / "docs" / "diagnosis.md"
IMAGES = PAGE.with_suffix("")
NAMES = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "silu")
STEPS, BATCH = 200, 128


# The code of the page.
class MLP(nn.Module):  # noqa: D101
    activation: str

    @nn.compact
    def __call__(self, x):  # noqa: D102
        for size in (256, 128, 128, 64):
            x = jax_acts.linen.Dense(size, activation=self.activation)(x)
        return nn.Dense(10)(x)


def see(names, x, y, train):  # noqa: D103
    start, trained = {}, {}
    for name in names:
        model = MLP(name)
        variables = model.init(jax.random.key(0), x)
        start[name] = jax_acts.diagnose(model, variables, x, y, loss=cross_entropy)
        variables = train(model, variables)
        trained[name] = jax_acts.diagnose(model, variables, x, y, loss=cross_entropy)
    compare(start, "pre_grad", IMAGES / "gradients.png")
    compare(trained, "post", IMAGES / "outputs.png")
    return start, trained


# Table rows are one line.
# ruff: noqa: E501
HEAD = """# See what your activations do

Written by `python -m tools.docs.diagnosis`.

`jax_acts.diagnose` runs one compiled forward and backward pass of a model on a batch
and measures every activation: dead units, saturation, moments, histograms, gradients.
It ends in findings, each with evidence, threshold and remedy.

| model | call |
|---|---|
| linen | `diagnose(module, variables, x, y, loss=loss)` or `diagnose(module.bind(variables), x, y, loss=loss)` |
| nnx | `diagnose(model, x, y, loss=loss)` |
| function | `diagnose(f, *args)`: a scalar output is the loss |

The last argument is the target if there is a `loss(outputs, targets)`, of optax, of
`jax_acts.losses` or your own. Other keyword arguments (`train=True`, `rngs=…`) are
those of the call of the model. Measured are the functions and layers of `jax_acts`, the
functions of `jax.nn`, `tanh`, `sigmoid`, and elementwise functions with a custom
derivative, under `jit`, `scan`, `vmap` and `jax.checkpoint`. Formulas such as
`jnp.maximum(x, 0)` are not recognized; activations in `while_loop` and `cond` are a
finding, *not measured*. Each iteration of a scan is a row: in a scan over time, the
ratio of gradients is that of the first and the last time.

## Six activations

An MLP on Fashion-MNIST, at initialization and after {steps} steps of SGD with batches
of {batch}:

```python
{code}
```

`train` is your training; `IMAGES` a folder.

**Gradients of the inputs of each activation at initialization**, from the first layer
to the last (counts on a logarithmic scale):

![gradient histograms](diagnosis/gradients.png)

**Outputs after training**:

![output histograms](diagnosis/outputs.png)

"""

FAULT = """
## Findings

The same MLP with ReLU, a bias of −3 in its second layer and a sigmoid before the loss:

```
{fault}
```

| finding | reported if |
|---|---|
| dead layer, dead units | \\|f'\\| < ε = 10⁻³ on the whole batch for ≥ 90 %, ≥ 30 % of the units |
| unused units | the gradient of some, not all, outputs is 0 on the whole batch |
| saturation | \\|f'\\| < ε for > 40 % of the inputs of a bounded smooth function, > 80 % of a bounded function with kinks |
| vanishing gradient, exploding gradient | gradient norm of the first activation over that of the last < 10⁻³, > 10³ |
| kernel scale | RMS(W) √fan_in > 5, or RMS(W) √max(fan_in, fan_out) < 0.2, for the kernel before an activation |
| NaN | with the operation, file and line that makes the first one |
| double softmax, output activation | the loss expects logits and the output has an activation, or it takes probabilities and the output is none |
| squashed output | targets are out of the range of the output activation |
| labels, broadcast targets | labels ≥ the number of classes; (N, 1) outputs with (N,) targets |
| small batch | units look dead, on fewer than 32 rows |
| not measured | an activation is in a loop or branch |

What the loss expects is measured on a few outputs, not looked up by its name. A result
has `findings`, `table` (a DataFrame), `figure("file.png")`, `output`, `gradient_ratio`.

## During training

```python
measure = jax_acts.watch(model, "log.jsonl", loss=cross_entropy, every=100)
for step, (x, y) in enumerate(batches):
    variables, state = train_step(variables, state, x, y)
    measure(step, variables, x, y)  # nnx: measure(step, x, y)
```

A writer is a function of a dict of floats and the step, or the path of a JSON Lines
file. `wandb.log` and `mlflow.log_metrics` are writers;
`jax_acts.diagnosis.tensorboard(SummaryWriter(…))` returns one. The names are
`<site>/<statistic>`, and `loss`, `gradient_ratio` and `findings` (their number).

The cost at the default interval of {interval} steps, by `python -m benchmarks diagnosis`:
step and measurement take turns, lower deciles of {rounds} rounds, on {machine}. The
statistics take O(features) memory; the measurement needs the memory of the backward
pass, as the step does.

| model | step (ms) | measurement (steps) | overhead (%) | temporary memory: gradient (MiB) | measurement (MiB) |
|---|---|---|---|---|---|
{costs}

## Reset dormant units

A unit is dormant if its mean \\|f(x)\\| is at most 2.5 % of that of its layer (Sokar et
al. 2023). The statistic `dormant` is their fraction; `redo` wraps an optimizer and
resets them:

```python
from jax_acts.diagnosis.dormant import redo

network = lambda variables, x: model.apply(variables, x)
layers = {{"relu": ("Dense_0", "Dense_1")}}  # site: the layers before and after it
optimizer = redo(optax.adam(1e-3), network, layers, every=1000)
updates, state = optimizer.update(gradients, state, variables, batch=(x,))
```

An nnx model is merged from its parameters:

```python
graph, _ = nnx.split(model)
network = lambda params, x: nnx.merge(graph, params)(x)
optimizer = nnx.Optimizer(model, redo(optax.adam(1e-3), network, layers), wrt=nnx.Param)
optimizer.update(model, gradients, batch=(x,))
```
"""


def main() -> None:
    """Train, draw and write the page."""
    IMAGES.mkdir(exist_ok=True)
    data = load_dataset(DataConfig(name="fashion_mnist"))
    images = jnp.asarray(data.train.x, jnp.float32).reshape(len(data.train.x), -1)
    images = (images - images.mean()) / images.std()
    labels = jnp.asarray(data.train.y)
    x, y = images[:1024], labels[:1024]

    def train(model: MLP, variables: Any) -> Any:
        return train_sgd(model, variables, images, labels)

    start, trained = see(NAMES, x, y, train)
    stored = load("diagnosis")
    code = inspect.getsource(MLP) + "\n\n" + inspect.getsource(see)
    page = HEAD.format(
        steps=STEPS, batch=BATCH, code=re.sub("  # noqa.*", "", code).strip()
    )
    page += "\n".join(summary(start, trained))
    page += FAULT.format(
        fault=planted_fault(x, y),
        interval=stored["interval"],
        rounds=stored["rounds"],
        machine=f"{stored['cores']} shared cores, {stored['machine']}",
        costs="\n".join(costs([DiagnosisRow(*row) for row in stored["rows"]])),
    )
    PAGE.write_text(page, encoding="utf-8")


def train_sgd(model: MLP, variables: Any, images: Any, labels: Any) -> Any:
    """Train with SGD and momentum on the first batches."""
    optimizer = optax.sgd(0.01, momentum=0.9)
    state = optimizer.init(variables)

    @jax.jit
    def step(variables: Any, state: Any, x: Any, y: Any) -> Any:
        loss = lambda v: cross_entropy(jnp.asarray(model.apply(v, x)), y).mean()
        updates, state = optimizer.update(jax.grad(loss)(variables), state)
        return optax.apply_updates(variables, updates), state

    for i in range(STEPS):
        batch = slice(i * BATCH, (i + 1) * BATCH)
        variables, state = step(variables, state, images[batch], labels[batch])
    return variables


def summary(
    start: dict[str, Diagnosis], trained: dict[str, Diagnosis]
) -> Iterator[str]:
    """Yield a table of losses, gradient ratios, dead units and saturation."""
    yield (
        "| activation | loss: start, trained | gradient norm, first/last layer, start "
        "| dead units by layer (%), trained | saturated inputs by layer (%), trained |"
    )
    yield "|---|---|---|---|---|"
    for name, result in trained.items():
        percent = lambda key, result=result: ", ".join(
            f"{100 * row.values[key]:.0f}" for row in result.rows
        )
        yield (
            f"| {name} | {start[name].loss:.2f}, {result.loss:.2f} "
            f"| {start[name].gradient_ratio:.2g} | {percent('dead')} "
            f"| {percent('saturated')} |"
        )
    yield ""


def planted_fault(x: Any, y: Any) -> str:
    """Return the diagnosis of a model with two faults."""
    model = nn.Sequential([MLP("relu"), jax.nn.sigmoid])
    variables = dict(model.init(jax.random.key(0), x))
    parameters = jax.tree.map(lambda a: a, variables["params"])
    parameters["layers_0"]["Dense_1"]["bias"] -= 3.0
    result = jax_acts.diagnose(model, {"params": parameters}, x, y, loss=cross_entropy)
    return str(result)


def costs(rows: list[DiagnosisRow]) -> Iterator[str]:
    """Yield a row per model of the cost of `watch`."""
    for row in rows:
        ratio = row.measurement / row.step
        sizes = [b / 2**20 for b in (row.gradient_bytes, row.bytes)]
        yield (
            f"| {row.model} | {1e3 * row.step:.1f} | {ratio:.2f} | {ratio:.1f} "
            f"| {sizes[0]:.1f} | {sizes[1]:.1f} |"
        )


if __name__ == "__main__":
    main()
