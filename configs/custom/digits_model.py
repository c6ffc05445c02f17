"""The model of `digits.toml`: two hidden layers with layer normalization."""

import flax.linen as nn

from jax_acts.linen import Dense


def make_model(activation, num_classes):
    """Return the network: inputs `(n, …)` to logits `(n, num_classes)`."""
    return nn.Sequential(
        [
            lambda x: x.reshape(len(x), -1),
            Dense(64, activation=activation),
            nn.LayerNorm(),
            Dense(64, activation=activation),
            nn.Dense(num_classes),
        ]
    )
