"""Fenchel–Young losses of sparsemax and entmax; the gradient is p - y.

With p = entmax(z), h(t) = t^α / (α (α - 1)), its Bregman divergence D and the threshold
τ of p, z_i <= τ outside the support of p:

    L(z, y) = Σ D(y_i, p_i) + y_i max(τ - z_i, 0)

No term is negative, and the loss is exactly 0 where p = y.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real, canonical_axis
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts.functional.sparse import entmax, entmax15, sparsemax
from jax_acts.losses.labels import as_labels


def sparsemax_loss(logits: Array, labels: Array, *, axis: int = -1) -> Array:
    r"""Sparsemax loss, $\tfrac12 \|y - p\|^2 + \sum_i y_i \max(\tau - z_i, 0)$.

    $p$ is `sparsemax` of the logits $z$ and $\tau$ its threshold. The loss is 0 where
    the logit of the label exceeds the others by 1. The gradient is $p - y$.

    Args:
        logits: An array with the classes along `axis`. 16-bit logits are promoted to
            float32, and so is the loss.
        labels: Class indices, of the shape of the logits without `axis`; or
            probabilities, of the shape of the logits.
        axis: The axis of the classes.

    Returns:
        The loss of each example, of the shape of the logits without `axis`.

    Raises:
        TypeError: The logits are complex.
        ValueError: The labels have neither of the two shapes.

    References:
        Martins & Astudillo, "From softmax to sparsemax", ICML 2016; Blondel et al.,
        "Learning with Fenchel–Young losses", JMLR 2020.

    >>> print(sparsemax_loss(jnp.array([[0.0, 0.5], [0.0, 2.0]]), jnp.array([1, 1])))
    [0.0625 0.    ]
    """
    return _loss("sparsemax_loss", 2.0, logits, labels, axis)


def entmax15_loss(logits: Array, labels: Array, *, axis: int = -1) -> Array:
    r"""1.5-entmax loss, the Fenchel–Young loss of `entmax15`; the gradient is $p - y$.

    It is 0 where the logit of the label exceeds the others by 2. The arguments are
    those of `sparsemax_loss`.

    References:
        Peters et al., "Sparse sequence-to-sequence models", ACL 2019.

    >>> print(entmax15_loss(jnp.array([[0.0, 0.0], [0.0, 2.0]]), jnp.array([1, 1])))
    [0.39052 0.     ]
    """
    return _loss("entmax15_loss", 1.5, logits, labels, axis)


def entmax_loss(
    logits: Array, labels: Array, alpha: float = 1.5, *, axis: int = -1
) -> Array:
    r"""Entmax loss, the Fenchel–Young loss of `entmax`; the gradient is $p - y$.

    The Bregman divergence of the entry of the label cancels near $p = y$ for
    $\alpha$ other than 1.5 and 2: its absolute error is $10^{-7} / (\alpha - 1)$.

    Args:
        logits: See `sparsemax_loss`.
        labels: See `sparsemax_loss`.
        alpha: $\alpha > 1$; `cross_entropy` is the limit $\alpha \to 1$.
        axis: See `sparsemax_loss`.

    Raises:
        TypeError: See `sparsemax_loss`.
        ValueError: See `sparsemax_loss`; or alpha is at most 1.

    References:
        Peters et al., "Sparse sequence-to-sequence models", ACL 2019.

    >>> print(entmax_loss(jnp.array([[0.0, 0.5]]), jnp.array([1]), alpha=2.0))
    [0.0625]
    """
    if not alpha > 1:
        raise ValueError(f"entmax_loss: alpha: expected a value above 1, got {alpha}")
    return _loss("entmax_loss", float(alpha), logits, labels, axis)


def _loss(name: str, alpha: float, logits: Any, labels: Any, axis: int) -> Array:
    x = as_real(name, "logits", logits)
    i = canonical_axis(name, x, axis)
    z = jnp.moveaxis(promote_16bit(x), i, -1)
    labels = as_labels(name, x, labels, i)
    if jnp.issubdtype(labels.dtype, jnp.integer):
        return _fenchel_young(
            alpha, z, jax.nn.one_hot(labels, z.shape[-1], dtype=z.dtype)
        )
    return _fenchel_young(alpha, z, jnp.moveaxis(labels, i, -1))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _fenchel_young(alpha: float, z: Array, y: Array) -> Array:
    p = _entmax(alpha, z)
    gap = jnp.where(p > 0, 0, jnp.maximum(_threshold(alpha, z, p) - z, 0))
    miss = jnp.where(y == 0, 0, y * gap)
    return jnp.sum(_divergence(alpha, y, p) + miss, -1)


@_fenchel_young.defjvp
def _fenchel_young_jvp(
    alpha: float, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    """Return the loss and Σ (p - y) dz + (h'(y) - z + τ / (α - 1)) dy."""
    (z, y), (dz, dy) = primals, tangents
    p = _entmax(alpha, z)
    label_term = y ** (alpha - 1) / (alpha - 1) - z + _threshold(alpha, z, p)
    tangent = jnp.sum((p - y) * dz + label_term * dy, -1)
    return _fenchel_young(alpha, z, y), tangent


def _threshold(alpha: float, z: Array, p: Array) -> Array:
    """Return the value of z below which p is 0."""
    top = jnp.argmax(z, -1, keepdims=True)
    at_top = functools.partial(jnp.take_along_axis, indices=top, axis=-1)
    return at_top(z) - at_top(p) ** (alpha - 1) / (alpha - 1)


def _entmax(alpha: float, z: Array) -> Array:
    special: dict[float, Callable[[Array], Array]] = {1.5: entmax15, 2.0: sparsemax}
    return special[alpha](z) if alpha in special else entmax(z, alpha)


def _divergence(alpha: float, y: Array, p: Array) -> Array:
    """Return h(y) - h(p) - h'(p) (y - p); factored for α = 1.5 and 2."""
    if alpha == 2:
        return 0.5 * jnp.square(y - p)
    if alpha == 1.5:
        a, s = jnp.sqrt(y), jnp.sqrt(p)
        return jnp.square(a - s) * (2 * a + s) * (2 / 3)
    power = p ** (alpha - 1)
    difference = y**alpha - p * power - alpha * power * (y - p)
    return jnp.maximum(difference, 0) / (alpha * (alpha - 1))
