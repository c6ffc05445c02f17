"""A convolutional network without max-pooling, which is a nonlinearity."""

from typing import Any, Literal

import flax.linen as nn
from jax import Array

from jax_acts.experiments.models.convolution import backend_convolution
from jax_acts.experiments.models.sow import sow_preactivation
from jax_acts.linen import Activation, Dense


class CNN(nn.Module):
    """Blocks of a 3 × 3 convolution, an activation and a pooling, and a linear head.

    Pooling is by average or by a stride of the convolution. Both are linear, so the
    network with the identity as activation is a linear control; with max-pooling it
    would not be.

    Attributes:
        activation: Anything that `jax_acts.get` takes.
        channels: The channels of each block.
        num_classes: The number of logits.
        pool: The operation that halves height and width in each block.
    """

    activation: Any
    channels: tuple[int, ...]
    num_classes: int
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
        """Return logits `(n, num_classes)` of images `(n, height, width, channels)`."""
        x = images
        for n, features in enumerate(self.channels):
            x = nn.Conv(
                features,
                kernel_size=(3, 3),
                strides=2 if self.pool == "stride" else 1,
                conv_general_dilated_cls=backend_convolution,
                name=f"conv_{n}",
            )(x)
            x = sow_preactivation(self, f"activation_{n}", x)
            x = Activation(self.activation, name=f"activation_{n}")(x)
            if self.pool == "average":
                x = average_pool(x)
        return Dense(self.num_classes, activation="identity", name=self.last)(
            x.reshape(x.shape[0], -1)
        )


def average_pool(x: Array) -> Array:
    """Return the means of 2 × 2 windows, of shape `(n, height // 2, width // 2, c)`.

    Equal to `nn.avg_pool(x, (2, 2), (2, 2))`, which XLA compiles to slower code.
    """
    n, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    squares = x[:, : 2 * rows, : 2 * columns].reshape(n, rows, 2, columns, 2, channels)
    return squares.mean((2, 4))
