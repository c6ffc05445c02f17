"""A small language model, whose MLP blocks have one branch or a gate."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jax_acts.experiments.models.sow import watched
from jax_acts.linen import Activation


class Transformer(nn.Module):
    """Predicts the next character, of characters before it: a decoder, norms first.

    A plain block is f(x W) V; a gated one is (f(x W) ⊙ x U) V, and 2 / 3 as wide, so
    that both have as many weights, as in N. Shazeer, "GLU Variants Improve
    Transformer" (arXiv 2002.05202, 2020). As there, the blocks have no biases.

    Attributes:
        activation: Anything that `jax_acts.get` takes: f above.
        gated: Whether the MLP blocks have a gate.
        characters: How many kinds of characters there are.
        length: The longest sequence.
        layers: The number of blocks.
        features: The width of the stream between the blocks.
        heads: The heads of the attention; they divide `features`.
        expansion: By how much a plain block is wider than the stream; `features` times
            it is divisible by 3.
    """

    activation: Any
    gated: bool
    characters: int
    length: int
    layers: int = 2
    features: int = 96
    heads: int = 4
    expansion: int = 4

    @property
    def inner(self) -> int:
        """The width of an MLP block inside."""
        plain = self.features * self.expansion
        return plain * 2 // 3 if self.gated else plain

    @nn.compact
    def __call__(self, characters: Array) -> Array:
        """Returns the logits `(n, length, characters)` of characters `(n, length)`."""
        embed = nn.Embed(self.characters, self.features, name="characters_in")
        places = nn.Embed(self.length, self.features, name="places")
        x = embed(characters) + places(jnp.arange(characters.shape[1]))
        mask = nn.make_causal_mask(characters)
        for n in range(self.layers):
            attention = nn.MultiHeadDotProductAttention(
                self.heads, use_bias=False, name=f"attention_{n}"
            )
            x = x + attention(self._norm(f"norm_{n}", x), mask=mask)
            x = x + self._mlp(n, self._norm(f"mlp_norm_{n}", x))
        return nn.Dense(self.characters, name="head")(self._norm("norm", x))

    def _norm(self, name: str, x: Array) -> Array:
        return nn.RMSNorm(name=name)(x)

    def _mlp(self, n: int, x: Array) -> Array:
        dense = lambda features, name: nn.Dense(
            features, use_bias=False, name=f"{name}_{n}"
        )
        z = watched(self, f"activation_{n}", dense(self.inner, "up")(x))
        y = Activation(self.activation, name=f"activation_{n}")(z)
        if self.gated:
            y = y * dense(self.inner, "gate")(x)
        return dense(self.features, "down")(y)
