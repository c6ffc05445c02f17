"""A small language model with plain or gated MLP blocks."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jax_acts.linen import MLP, Residuals


class Transformer(nn.Module):
    """A pre-norm decoder that predicts the next character.

    A plain MLP block is f(x W) V; a gated one is (f(x W) ⊙ x U) V with 2 / 3 of the
    width, so that both have the same number of weights, as in N. Shazeer, "GLU
    Variants Improve Transformer" (arXiv 2002.05202, 2020). The blocks have no biases.

    Attributes:
        activation: Anything that `jax_acts.get` takes: f above.
        gated: Whether the MLP blocks have a gate.
        num_characters: The size of the vocabulary.
        length: The maximum sequence length.
        layers: The number of blocks.
        features: The width of the residual stream.
        heads: The number of attention heads, a divisor of `features`.
        expansion: Width of a plain block / width of the residual stream; `features`
            times it is divisible by 3.
        residuals: What the backward pass of an MLP block saves; see `linen.MLP`.
    """

    activation: Any
    gated: bool
    num_characters: int
    length: int
    layers: int = 2
    features: int = 96
    heads: int = 4
    expansion: int = 4
    residuals: Residuals = "named"

    @nn.compact
    def __call__(self, characters: Array) -> Array:
        """Return logits `(n, length, num_characters)` of characters `(n, length)`."""
        embed = nn.Embed(self.num_characters, self.features, name="characters_in")
        places = nn.Embed(self.length, self.features, name="places")
        x = embed(characters) + places(jnp.arange(characters.shape[1]))
        mask = nn.make_causal_mask(characters)
        for n in range(self.layers):
            attention = nn.MultiHeadDotProductAttention(
                self.heads, use_bias=False, name=f"attention_{n}"
            )
            x = x + attention(self._norm(f"norm_{n}", x), mask=mask)
            x = x + self._mlp(n)(x)
        return nn.Dense(self.num_characters, name="head")(self._norm("norm", x))

    def _norm(self, name: str, x: Array) -> Array:
        return nn.RMSNorm(name=name)(x)

    def _mlp(self, n: int) -> MLP:
        width = self.features * self.expansion
        return MLP(
            width * 2 // 3 if self.gated else width,
            self.activation,
            gated=self.gated,
            use_bias=False,
            residuals=self.residuals,
            norm=nn.RMSNorm(name=f"mlp_norm_{n}"),
            name=f"mlp_{n}",
        )
