"""The three forms of an activation, compared: results, compiled programs and times."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

import jax_acts
from jax_acts import linen as acts_linen, nnx as acts_nnx

APIS = ("linen", "nnx")
FORMS = ("function", "layer", "Dense")


class Weights(NamedTuple):
    """A kernel `(features, features)` and a bias `(features,)`."""

    kernel: Array
    bias: Array


Program = Callable[[Weights, Array], tuple[Array, tuple[Weights, Array]]]
"""Returns the output and the gradients of its sum, in the weights and in x."""


def programs(activation: str) -> dict[tuple[str, str], Program]:
    """Returns for both APIs the three ways to write f(x W + b), with its gradients.

    - "function": Flax's dense layer, and the function after it;
    - "layer": Flax's dense layer, and the activation as a layer after it;
    - "Dense": the dense layer that takes the activation as an argument.
    """
    f = jax_acts.get(activation)
    layer = acts_linen.Activation(activation)
    forms = {
        ("linen", "function"): lambda w, x: f(_linen(nn.Dense, w, x)),
        ("linen", "layer"): lambda w, x: layer.apply({}, _linen(nn.Dense, w, x)),
        ("linen", "Dense"): lambda w, x: _linen(
            acts_linen.Dense, w, x, activation=activation
        ),
        ("nnx", "function"): lambda w, x: f(_nnx(nnx.Linear, w)(x)),
        ("nnx", "layer"): lambda w, x: acts_nnx.Activation(activation)(
            _nnx(nnx.Linear, w)(x)
        ),
        ("nnx", "Dense"): lambda w, x: _nnx(acts_nnx.Dense, w, activation=activation)(
            x
        ),
    }
    return {key: _with_gradients(form) for key, form in forms.items()}


def _linen(kind: Any, weights: Weights, x: Array, **options: Any) -> Array:
    dense = kind(len(weights.bias), **options)
    return dense.apply({"params": weights._asdict()}, x)


def _nnx(kind: Any, weights: Weights, **options: Any) -> Any:
    features = len(weights.bias)
    build = lambda: kind(features, features, rngs=nnx.Rngs(0), **options)
    dense = nnx.eval_shape(build)  # without drawing weights, that are not used
    dense.kernel, dense.bias = map(nnx.Param, weights)
    return dense


def _with_gradients(form: Callable[[Weights, Array], Array]) -> Program:
    def program(weights: Weights, x: Array) -> Any:
        y, backward = jax.vjp(form, weights, x)
        return y, backward(jnp.ones_like(y))

    return program


class Compiled(NamedTuple):
    """A program, ready to run."""

    run: Program
    instructions: str
    """See `instructions`."""
    seconds: float
    """The time to trace, lower and compile it."""


def compiled(program: Program, weights: Weights, x: Array) -> Compiled:
    """Returns the program compiled, without any help of what was compiled before."""
    jax.clear_caches()
    begin = time.perf_counter()
    done = jax.jit(program).lower(weights, x).compile()
    seconds = time.perf_counter() - begin
    return Compiled(done, instructions(done.as_text() or ""), seconds)


def instructions(hlo: str) -> str:
    """Returns what a compiled program does, without where in the sources it is from.

    Names are numbered in the order of their first use, as they too come from there.

    >>> first = "HloModule a\\n\\n%f (p: f32[]) {\\n  %p.1 = f32[] metadata={x=1}\\n}"
    >>> print(instructions(first))
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


def same(first: Any, second: Any) -> bool:
    """Returns whether two trees of arrays are equal bit for bit."""
    bits = lambda tree: [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]
    return bits(first) == bits(second)


def timed(
    runs: Mapping[Any, Program], weights: Weights, x: Array, rounds: int, each: int
) -> dict[Any, float]:
    """Returns the seconds that a call of each program takes: the median of the rounds.

    The programs take turns, each for `each` calls, so that what else the machine does
    slows all of them alike.
    """
    jax.block_until_ready([run(weights, x) for run in runs.values()])  # to warm up
    seconds: dict[Any, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        names = list(runs)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            begin = time.perf_counter()
            jax.block_until_ready([runs[name](weights, x) for _ in range(each)])
            seconds[name].append((time.perf_counter() - begin) / each)
    return {name: float(np.median(values)) for name, values in seconds.items()}
