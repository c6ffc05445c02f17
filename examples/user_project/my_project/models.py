"""A classifier in Flax linen and a regression model in Flax nnx."""

import flax.linen as nn
from flax import nnx

from jax_acts import linen as act_linen, nnx as act_nnx


def make_classifier(activation, num_classes):
    """Return an MLP; `activation` is a callable, and an argument of jax_acts layers."""
    return nn.Sequential(
        [
            act_linen.Dense(32, activation=activation),
            nn.Dense(32),
            activation,
            nn.Dense(num_classes),
        ]
    )


class Regressor(nnx.Module):
    """An MLP with one hidden layer; `rngs` makes the initial weights of each seed."""

    def __init__(self, activation, num_targets, *, rngs):
        self.hidden = nnx.Linear(2, 32, rngs=rngs)
        self.activation = act_nnx.Activation(activation)
        self.head = nnx.Linear(32, num_targets, rngs=rngs)

    def __call__(self, x):
        """Return the targets of inputs `(n, 2)`."""
        return self.head(self.activation(self.hidden(x)))
