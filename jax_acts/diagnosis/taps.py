"""Statistics of an activation site, forward and backward.

The gradient statistics are the cotangent of an array of zeros: a tap is the identity,
and its backward pass reduces the cotangent of x to one value per feature, which it
returns as the cotangent of the zeros. The memory is O(features), also in scans and
under `jax.checkpoint`, where the zeros are inputs like others.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

Stats = dict[str, Array]

DORMANT = 0.025
"""A unit is dormant if its mean |f(x)| is at most this share of the mean over the units
(Sokar et al. 2023, arXiv:2302.12902)."""


def zeros(shape: tuple[int, ...], lead: tuple[int, ...], bins: int) -> Stats:
    """Return the zeros of a tap on an array of a shape in scans of lengths `lead`."""
    features, f32 = (*lead, *(shape[-1:] or (1,))), jnp.float32
    scalars = {
        name: jnp.zeros(lead, f32) for name in ("sum_squares", "max", "nonfinite")
    }
    return scalars | {
        "unused": jnp.zeros(features, f32),
        "hist": jnp.zeros((*lead, bins), f32),
    }


@jax.custom_vjp
def tap(x: Array, zeros: Stats) -> Array:
    """Return x; the cotangent of `zeros` is the statistics of the cotangent of x."""
    return x


def _tap_fwd(x: Array, zeros: Stats) -> tuple[Array, tuple[None, Stats]]:
    return x, (None, zeros)


def _tap_bwd(residuals: tuple[None, Stats], g: Array) -> tuple[Array, Stats]:
    wide = g.astype(jnp.float32)
    largest = jnp.abs(wide).max()
    scale = jnp.where(largest > 0, largest, 1.0)
    unused, bins = residuals[1]["unused"], residuals[1]["hist"].shape[-1]
    statistics = {
        # Squares of the scaled gradients do not underflow.
        "sum_squares": jnp.square(wide / scale).sum(),
        "max": largest,
        "nonfinite": (~jnp.isfinite(wide)).sum().astype(jnp.float32),
        "unused": (wide == 0).all(batch_axes(wide)).reshape(unused.shape) * 1.0,
        "hist": histogram(wide, -scale, scale, bins),
    }
    return g, statistics


tap.defvjp(_tap_fwd, _tap_bwd)


def forward(
    f: Callable[[Array], Array], x: Array, y: Array, eps: float, bins: int
) -> Stats:
    """Return the statistics of x, y = f(x) and f'(x)."""
    x, y = jax.lax.stop_gradient((x, y))
    # For an elementwise f the product with ones is f'(x), also with a custom VJP.
    derivative = jax.vjp(f, x)[1](jnp.ones_like(y))[0]
    is_flat = jnp.abs(derivative) < eps
    statistics = {
        "saturated": is_flat.mean(),
        "dead": is_flat.all(batch_axes(x)).mean(),
    }
    activity = jnp.abs(y.astype(jnp.float32)).mean(batch_axes(y))
    statistics["activity"] = activity
    statistics["dormant"] = (activity <= DORMANT * activity.mean()).mean()
    for name, value in (("pre", x), ("post", y)):
        statistics |= {f"{name}_{n}": v for n, v in _moments(value, bins).items()}
    return statistics


def _moments(x: Array, bins: int) -> Stats:
    """Return mean, standard deviation, extremes, histogram, number of non-finites."""
    x = x.astype(jnp.float32)
    # One reduction of several operands: one kernel, compiled once. The shift keeps the
    # variance accurate if the mean is large.
    shift = x.ravel()[0]
    operands = (
        x - shift,
        jnp.square(x - shift),
        x,
        x,
        (~jnp.isfinite(x)).astype(jnp.float32),
    )
    add, least, most = jnp.add, jnp.minimum, jnp.maximum
    total, squares, low, high, nonfinite = jax.lax.reduce(
        operands,
        tuple(map(jnp.float32, (0, 0, jnp.inf, -jnp.inf, 0))),
        lambda a, b: tuple(
            f(p, q) for f, p, q in zip((add, add, least, most, add), a, b, strict=True)
        ),
        range(x.ndim),
    )
    mean = total / x.size
    return {
        "mean": mean + shift,
        "std": jnp.sqrt(jnp.maximum(squares / x.size - mean**2, 0)),
        "min": low,
        "max": high,
        "hist": histogram(x, low, high, bins),
        "nonfinite": nonfinite,
    }


def batch_axes(x: Array) -> tuple[int, ...]:
    """Return all axes but the last, the features."""
    return tuple(range(x.ndim - 1))


def histogram(x: Array, low: Any, high: Any, bins: int) -> Array:
    """Count the finite values in `bins` intervals of equal width from low to high."""
    if not bins:
        return jnp.zeros(0, jnp.float32)
    width = jnp.where(high > low, high - low, 1.0) / bins
    index = jnp.clip(jnp.floor((x - low) / width), 0, bins - 1)
    index = jnp.where(jnp.isfinite(x), index, bins).astype(jnp.int32)
    return jnp.zeros(bins + 1, jnp.float32).at[index.ravel()].add(1.0)[:bins]
