"""Kernel initializers of layers that follow an activation."""

import dataclasses
from typing import Any, Literal, get_args

import jax
from jax import Array

from jax_acts._core.bound import Bound
from jax_acts._core.errors import check_choice
from jax_acts._registry.lookup import get
from jax_acts.initializers.gaussian import Mode, gain
from jax_acts.initializers.quadrature import elementwise

Distribution = Literal["truncated_normal", "normal", "uniform"]
_FANS = {"forward": "fan_in", "backward": "fan_out", "compromise": "fan_avg"}


@dataclasses.dataclass(frozen=True)
class Initializer:
    """Kernel initializer; compared by value, so that equal layers are traced once."""

    activation: Bound
    distribution: Distribution
    mode: Mode

    def __call__(self, *args: Any, **options: Any) -> Array:
        """Return a kernel; the arguments are those of `jax.nn.initializers`."""
        scale = gain(self.activation, self.mode) ** 2
        fan: Any = _FANS[self.mode]
        init = jax.nn.initializers.variance_scaling(scale, fan, self.distribution)
        return init(*args, **options)


def initializer(
    activation: Any,
    *,
    mode: Mode = "forward",
    distribution: Distribution = "truncated_normal",
) -> Initializer:
    """Return a kernel initializer for layers that follow this activation.

    It is `jax.nn.initializers.variance_scaling` with scale gain², which is computed
    when a kernel is made, over the fan of the mode: fan_in ("forward"), fan_out
    ("backward") or their mean ("compromise"). Kernels of convolutions have the fans of
    their receptive field.

    >>> import jax.numpy as jnp
    >>> kernel = initializer("relu")(jax.random.key(0), (512, 512))
    >>> round(float(jnp.var(kernel) * 512), 1)
    2.0

    Args:
        activation: Anything that `jax_acts.get` accepts.
        mode: Which of signals and gradients keep their second moment; see `gain`.
        distribution: "truncated_normal", "normal" or "uniform".

    Raises:
        ValueError: The name, the mode or the distribution is unknown.
        TypeError: The activation is not elementwise.
    """
    check_choice("initializer", "distribution", distribution, get_args(Distribution))
    check_choice("initializer", "mode", mode, get_args(Mode))
    return Initializer(elementwise("initializer", get(activation)), distribution, mode)
