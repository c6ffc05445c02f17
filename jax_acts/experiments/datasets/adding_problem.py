"""The adding problem: predict the sum of the two marked values of a sequence.

From S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory" (Neural Computation 9,
1997), in the form of Q. V. Le, N. Jaitly and G. E. Hinton, "A Simple Way to Initialize
Recurrent Networks of Rectified Linear Units" (arXiv 1504.00941, 2015).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

BASELINE_MSE = 1 / 6
"""Mean squared error of the constant prediction 1: the variance, 2 / 12, of the sum of
two values that are uniform on [0, 1]."""


class Sums(NamedTuple):
    """Sequences of shape `(n, length, 2)` and their targets, `(n,)`."""

    sequences: Array
    sums: Array


def draw(key: Array, count: int, length: int) -> Sums:
    """Draw `count` sequences with one mark in each half.

    Values are `sequences[..., 0]`, marks `sequences[..., 1]`.

    >>> sequences, sums = draw(jax.random.key(0), 3, 10)
    >>> bool((sequences[..., 1].sum(1) == 2).all())
    True
    >>> bool(jnp.allclose((sequences[..., 0] * sequences[..., 1]).sum(1), sums))
    True
    """
    value_key, first_key, second_key = jax.random.split(key, 3)
    half = length // 2
    # Stated dtypes: those of `jax_enable_x64` would be other draws.
    values = jax.random.uniform(value_key, (count, length), jnp.float32)
    first = jax.random.randint(first_key, (count,), 0, half, jnp.int32)
    second = jax.random.randint(second_key, (count,), half, length, jnp.int32)
    positions = jnp.arange(length)
    marks = (positions == first[:, None]) | (positions == second[:, None])
    return Sums(jnp.stack([values, marks], -1), jnp.sum(values * marks, 1))
