"""Small linen and nnx models with the same parameters, to plant faults in."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import nnx

import jax_acts
import jax_acts.linen
import jax_acts.nnx
from jax_acts.diagnosis import Diagnosis

FEATURES, WIDTH, CLASSES = 8, 32, 4

cross_entropy = optax.softmax_cross_entropy_with_integer_labels
binary_cross_entropy = optax.sigmoid_binary_cross_entropy
squared_error = optax.squared_error


def negative_log_likelihood(p, labels):
    return -jnp.log(jnp.take_along_axis(p, labels[:, None], -1))


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, its loss, and an edit of its kernels and biases by layer."""

    activation: str = "relu"
    loss: Callable[..., Any] = cross_entropy
    depth: int = 3
    scanned: bool = False
    outputs: int = CLASSES
    head: str = "identity"
    first: str = "none"
    edit: Callable[[dict[str, Any]], None] = lambda layers: None
    targets: float = 1.0  # the scale of regression targets


def function(name: str) -> Callable[[jax.Array], jax.Array]:
    """Return the function of a name: of `jax.nn`, of this library or a formula."""
    ours = {"identity": lambda x: x, "none": lambda x: x, "log": jnp.log}
    return ours.get(name) or getattr(jax.nn, name)


class LinenMLP(nn.Module):
    case: Case

    @nn.compact
    def __call__(self, x):
        case = self.case
        x = function(case.first)(x)
        if case.scanned:
            x = nn.Dense(WIDTH, name="inputs")(x)
            scan = nn.scan(
                LinenBlock, {"params": 0}, split_rngs={"params": True}, length=10
            )
            x, _ = scan(case.activation, name="layers")(x, None)
        for i in range(0 if case.scanned else case.depth):
            x = nn.Dense(WIDTH, name=f"layer{i}")(x)
            x = function(case.activation)(x)
        return function(case.head)(nn.Dense(case.outputs, name="head")(x))


class LinenBlock(nn.Module):
    activation: str

    @nn.compact
    def __call__(self, x, _):
        return function(self.activation)(nn.Dense(WIDTH, name="dense")(x)), None


class NnxMLP(nnx.Module):
    def __init__(self, case: Case, rngs: nnx.Rngs) -> None:
        self.case = case
        if case.scanned:
            self.inputs = nnx.Linear(FEATURES, WIDTH, rngs=rngs)

            @nnx.vmap(in_axes=0, out_axes=0)
            def make(key):
                return NnxBlock(case.activation, nnx.Rngs(key))

            self.layers = make(jax.random.split(rngs.params(), 10))
        for i in range(0 if case.scanned else case.depth):
            size = WIDTH if i else FEATURES
            setattr(self, f"layer{i}", nnx.Linear(size, WIDTH, rngs=rngs))
        self.head = nnx.Linear(WIDTH, case.outputs, rngs=rngs)

    def __call__(self, x):
        case = self.case
        x = function(case.first)(x)
        if case.scanned:
            scan = nnx.scan(in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
            x = scan(lambda block, x: block(x))(self.layers, self.inputs(x))
        for i in range(0 if case.scanned else case.depth):
            x = function(case.activation)(getattr(self, f"layer{i}")(x))
        return function(case.head)(self.head(x))


class NnxBlock(nnx.Module):
    def __init__(self, activation: str, rngs: nnx.Rngs) -> None:
        self.activation = activation
        self.dense = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x):
        return function(self.activation)(self.dense(x))


def data(case: Case) -> tuple[jax.Array, jax.Array]:
    """Return inputs, and targets for the loss of a case."""
    keys = jax.random.split(jax.random.key(1))
    x = jax.random.normal(keys[0], (128, FEATURES))
    if case.loss is squared_error:
        return x, case.targets * jax.random.normal(keys[1], (128, case.outputs))
    if case.loss is binary_cross_entropy:
        return x, jax.random.bernoulli(keys[1], 0.5, (128, case.outputs)) * 1.0
    return x, jax.random.randint(keys[1], (128,), 0, CLASSES)


def diagnose_linen(case: Case, **options: Any) -> Diagnosis:
    x, y = data(case)
    model = LinenMLP(dataclasses.replace(case, edit=None))
    variables = dict(model.init(jax.random.key(0), x))
    layers = jax.tree.map(lambda a: a, variables["params"])
    case.edit(layers["layers"]["dense"] if case.scanned else layers)
    return jax_acts.diagnose(model, {"params": layers}, x, y, loss=case.loss, **options)


def diagnose_nnx(case: Case, **options: Any) -> Diagnosis:
    x, y = data(case)
    model = NnxMLP(dataclasses.replace(case, edit=None), nnx.Rngs(0))
    layers = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    case.edit(layers["layers"]["dense"] if case.scanned else layers)
    nnx.update(model, layers)
    return jax_acts.diagnose(model, x, y, loss=case.loss, **options)


FORMS = {"linen": diagnose_linen, "nnx": diagnose_nnx}
