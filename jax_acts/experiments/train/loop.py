"""Training as one function of a key: steps and measures together are one program."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

Params = Any
Batch = Any


class Problem(NamedTuple):
    """What is learned: how it starts, what it sees, what it gets wrong."""

    start: Callable[[Array], Params]
    """Returns the first parameters, from a key."""
    draw: Callable[[Array], Batch]
    """Returns what a step is trained on, from a key."""
    loss: Callable[[Params, Batch], Array]
    score: Callable[[Params], Any]
    """Returns what is measured on the way: arrays, or a tree of them."""


class Fit(NamedTuple):
    """What a training leaves behind."""

    params: Params
    losses: Array
    """The mean loss of each part of the steps, before their updates: `(parts,)`."""
    scores: Any
    """The scores before training and after each part; the first axis is `1 + parts`."""

    @property
    def finite(self) -> Array:
        """Whether no loss and no parameter overflowed."""
        leaves = [self.losses, *jax.tree.leaves(self.params)]
        return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()


def fit(
    problem: Problem,
    optimizer: optax.GradientTransformation,
    key: Array,
    *,
    steps: int,
    parts: int,
) -> Fit:
    """Returns a training of `steps` steps, measured `parts` times on the way.

    It may be jitted, and vmapped over the key and over whatever numbers `problem` and
    `optimizer` hold. Equal keys give equal weights and equal batches, whatever the
    activation is.

    Raises:
        ValueError: The parts are not equally long.
    """
    if steps % parts:
        raise ValueError(f"{steps} steps do not divide into {parts} equal parts")
    begin, order = jax.random.split(key)
    params = problem.start(begin)

    def step(state: tuple[Params, Any], n: Array) -> tuple[Any, Array]:
        params, memory = state
        batch = problem.draw(jax.random.fold_in(order, n))
        value, gradient = jax.value_and_grad(problem.loss)(params, batch)
        updates, memory = optimizer.update(gradient, memory, params)
        return (optax.apply_updates(params, updates), memory), value

    def part(state: tuple[Params, Any], ends: Array) -> tuple[Any, Any]:
        def one(n: Array, carry: Any) -> Any:
            state, total = carry
            state, value = step(state, n)
            return state, total + value

        state, total = jax.lax.fori_loop(ends[0], ends[1], one, (state, 0.0))
        return state, (total / (steps // parts), problem.score(state[0]))

    # The first part has no step, so that there is one program that measures.
    ends = jnp.arange(-1, parts + 1).clip(0) * (steps // parts)
    state = params, optimizer.init(params)
    (last, _), (losses, scores) = jax.lax.scan(
        part, state, jnp.stack([ends[:-1], ends[1:]], 1)
    )
    return Fit(last, losses[1:], scores)
