"""The adding problem: two of many numbers are marked, and their sum is asked.

From S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory" (Neural Computation 9,
1997), in the form of Q. V. Le, N. Jaitly and G. E. Hinton, "A Simple Way to Initialize
Recurrent Networks of Rectified Linear Units" (arXiv 1504.00941, 2015).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

BLIND_ERROR = 1 / 6
"""The mean squared error of who always answers 1, the mean of the sum of two numbers
that are uniform on [0, 1]: its variance, 2 / 12."""


class Sums(NamedTuple):
    """Sequences of shape `(n, length, 2)`, and the sums asked, `(n,)`."""

    sequences: Array
    sums: Array


def draw(key: Array, count: int, length: int) -> Sums:
    """Returns so many problems; the first mark is in the first half, the other after.

    The numbers are in `sequences[..., 0]`, the marks in `sequences[..., 1]`.

    >>> sequences, sums = draw(jax.random.key(0), 3, 10)
    >>> bool((sequences[..., 1].sum(1) == 2).all())
    True
    >>> bool(jnp.allclose((sequences[..., 0] * sequences[..., 1]).sum(1), sums))
    True
    """
    numbers, early, late = jax.random.split(key, 3)
    half = length // 2
    values = jax.random.uniform(numbers, (count, length))
    first = jax.random.randint(early, (count,), 0, half)
    second = jax.random.randint(late, (count,), half, length)
    places = jnp.arange(length)
    marks = (places == first[:, None]) | (places == second[:, None])
    return Sums(jnp.stack([values, marks], -1), jnp.sum(values * marks, 1))
