"""Kernel initializers of layers that follow an activation."""

import dataclasses
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

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


_POLAR_STEPS = 40  # growth by 1.5 per step: enough for singular values from 1e-6


@dataclasses.dataclass(frozen=True)
class ScaledOrthogonal:
    r"""Initializer of random orthogonal matrices that keep the mean square of inputs.

    The scale is multiplied by $\sqrt{\max(n / m, 1)}$ for m inputs and n outputs, with
    which each output has the variance of weights of variance scale² / fan_in (Martens
    et al. 2021, arXiv:2110.01765). The matrix is the polar factor of a normal one, by
    Newton–Schulz iteration: only matrix products, which run under `vmap` and `scan` on
    every platform.

    >>> kernel = ScaledOrthogonal()(jax.random.key(0), (2, 8))
    >>> jnp.round(kernel @ kernel.T, 4) + 0.0  # 8 / 2
    Array([[4., 0.],
           [0., 4.]], dtype=float32)

    Args:
        scale: The factor, usually a gain.
    """

    scale: float = 1.0

    def __call__(
        self, key: Array, shape: tuple[int, int], dtype: DTypeLike = jnp.float32
    ) -> Array:
        """Return a matrix of shape (m, n)."""
        rows, columns = shape
        x = jax.random.normal(key, (max(shape), min(shape)), jnp.float32)
        x = x / jnp.linalg.norm(x)  # all singular values are at most 1

        def step(_: int, x: Array) -> Array:
            square = jnp.matmul(x.T, x, precision="highest")
            return 1.5 * x - 0.5 * jnp.matmul(x, square, precision="highest")

        x = jax.lax.fori_loop(0, _POLAR_STEPS, step, x)
        x = x if rows >= columns else x.T
        return (self.scale * max(columns / rows, 1.0) ** 0.5 * x).astype(dtype)
