"""A convolutional network without any max-pooling, which is a non-linearity."""

from typing import Any, Literal

import flax.linen as nn
from jax import Array

from jax_acts.experiments.models.convolution import for_backend
from jax_acts.experiments.models.sow import watched
from jax_acts.linen import Activation, Dense


class CNN(nn.Module):
    """Blocks of a 3 × 3 convolution, an activation and a pooling, and a linear head.

    The pooling is by average, or by a stride of the convolution: both are linear, so
    with the identity the whole network is. Max-pooling is not, and would give the
    linear control a non-linearity.

    Attributes:
        activation: Anything that `jax_acts.get` takes.
        channels: The channels of each block.
        classes: The number of logits.
        pool: How each block halves the height and the width.
    """

    activation: Any
    channels: tuple[int, ...]
    classes: int
    pool: Literal["average", "stride"] = "average"

    @property
    def first(self) -> str:
        """The name of the first layer with a kernel."""
        return "conv_0"

    @property
    def last(self) -> str:
        """The name of the last layer with a kernel."""
        return "head"

    @nn.compact
    def __call__(self, images: Array) -> Array:
        """Returns the logits, of shape `(n, classes)`."""
        x = images
        for n, features in enumerate(self.channels):
            x = nn.Conv(
                features,
                kernel_size=(3, 3),
                strides=2 if self.pool == "stride" else 1,
                conv_general_dilated_cls=for_backend,
                name=f"conv_{n}",
            )(x)
            x = watched(self, f"activation_{n}", x)
            x = Activation(self.activation, name=f"activation_{n}")(x)
            if self.pool == "average":
                x = average_pool(x)
        return Dense(self.classes, activation="identity", name=self.last)(
            x.reshape(x.shape[0], -1)
        )


def average_pool(x: Array) -> Array:
    """Returns the means of 2 × 2 squares, of shape `(n, height // 2, width // 2, c)`.

    It is `nn.avg_pool(x, (2, 2), (2, 2))`, whose windows XLA compiles to slower code.
    """
    n, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    squares = x[:, : 2 * rows, : 2 * columns].reshape(n, rows, 2, columns, 2, channels)
    return squares.mean((2, 4))
