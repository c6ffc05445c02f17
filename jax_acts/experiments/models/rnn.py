"""Recurrent networks with a choice of activation: plain, GRU and LSTM."""

from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

import jax_acts

Cell = Literal["plain", "gru", "lstm"]
Recurrent = Literal["orthogonal", "identity"]


class RNN(nn.Module):
    """One recurrent layer over a sequence, and a linear head on its last state.

    The cells are those of Flax. The activation is that of the state: in a plain cell
    h = f(W x + U h + b); in a GRU and an LSTM it replaces tanh.

    Attributes:
        activation: Anything that `jax_acts.get` takes, without learned arguments.
        hidden: The size of the state.
        outputs: The features of the head.
        cell: The kind of cell.
        recurrent: Initializer of the state-to-state kernels: a random rotation, or the
            identity, as Le et al. (2015) recommend for relu.
        gate: The activation of the gates of a GRU and an LSTM.
    """

    activation: Any
    hidden: int
    outputs: int
    cell: Cell = "plain"
    recurrent: Recurrent = "orthogonal"
    gate: Any = "sigmoid"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return outputs `(n, outputs)` of sequences `(n, length, features)`."""
        states: Any = nn.RNN(self._cell(), name="recurrence")(x)
        return nn.Dense(self.outputs, name="head")(states[:, -1])

    def _cell(self) -> nn.RNNCellBase:
        orthogonal = self.recurrent == "orthogonal"
        options: dict[str, Any] = {
            "activation_fn": jax_acts.get(self.activation),
            "recurrent_kernel_init": (
                nn.initializers.orthogonal() if orthogonal else _identity
            ),
            "name": "cell",
        }
        if self.cell == "plain":
            return nn.SimpleCell(self.hidden, **options)
        gated = nn.GRUCell if self.cell == "gru" else nn.OptimizedLSTMCell
        return gated(self.hidden, gate_fn=jax_acts.get(self.gate), **options)


def _identity(_: Array, shape: Any, dtype: Any = jnp.float32) -> Array:
    return jnp.eye(*shape, dtype=dtype)
