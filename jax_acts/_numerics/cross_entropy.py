"""Cross-entropy of logits and class indices, over the last axis.

    m = max z,  e ~ e^(z - m),  rest = Σ e without the label,  total = rest + e_label

    -log p_label = (m - z_label) + log total        d/dz = p, but -rest / total there

No term is subtracted from another, so the loss keeps its relative accuracy at every
margin: where the label has the largest logit it is log1p(rest).
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_derivatives import SymbolicZero

from jax_acts._numerics.bitwise import propagate_nan
from jax_acts._numerics.exp_log import log_of_reduced, log_reduce
from jax_acts._numerics.reduction import max_keepdims
from jax_acts._numerics.softmax import exponentials


class _Sums(NamedTuple):
    """Reductions of z; `z`, `e` and `is_label` have the shape of z, the rest (…, 1).

    `rest` and `total` are in units of e^m, `e` in units of `e_max`.
    """

    z: Array
    e: Array
    is_label: Array
    m: Array
    e_max: Array
    z_label: Array
    rest: Array
    total: Array


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def label_cross_entropy(
    axis_name: str | None,
    dtype: Any,
    z: Array,
    labels: Array,
    smoothing: Array | None,
    z_weight: Array | None,
) -> Array:
    """Return (1 - smoothing) nll + smoothing mean nll + z_weight (log Σ e^z)².

    Args:
        axis_name: The mesh axis that shards the last axis, or None.
        dtype: The dtype of the residual, the gradient in z.
        z: Logits in float32 or wider; -inf are excluded from the mean.
        labels: Indices in all classes, of the shape of z without its last axis; an
            index out of range gives NaN.
        smoothing: A scalar, or None for 0.
        z_weight: A scalar, or None for 0.
    """
    s = _sums(axis_name, z, labels)
    return _loss(axis_name, s, smoothing, z_weight)[..., 0]


def label_cross_entropy_jvp(
    axis_name: str | None, dtype: Any, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    """Return the loss and Σ g t with the gradient g as the only residual."""
    z, labels, smoothing, z_weight = primals
    t, _, dsmoothing, dz_weight = tangents
    tangent = jnp.zeros(labels.shape, z.dtype)
    if type(t) is not SymbolicZero:
        gradient = label_gradient(axis_name, *primals).astype(dtype)
        tangent = _weighted_sum(axis_name, gradient, t)
    s = _sums(axis_name, z, labels)
    if _varies(dsmoothing):
        tangent = tangent + dsmoothing * (_mean_nll(axis_name, s) - _nll(s))[..., 0]
    if _varies(dz_weight):
        tangent = tangent + dz_weight * jnp.square(_log_sum(s))[..., 0]
    return _loss(axis_name, s, smoothing, z_weight)[..., 0], tangent


label_cross_entropy.defjvp(label_cross_entropy_jvp, symbolic_zeros=True)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _weighted_sum(axis_name: str | None, gradient: Array, t: Array) -> Array:
    """Return Σ g t in the dtype of t."""
    return _sum(axis_name, gradient.astype(t.dtype) * t)[..., 0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def label_gradient(
    axis_name: str | None,
    z: Array,
    labels: Array,
    smoothing: Array | None,
    z_weight: Array | None,
) -> Array:
    """Return the gradient of `label_cross_entropy` in z."""
    s = _sums(axis_name, z, labels)
    p = _probabilities(s)
    hard = jnp.where(s.is_label, -s.rest / _nonzero(s.total), p)
    hard = jnp.where(s.m == -jnp.inf, 0, hard)
    gradient = hard
    if smoothing is not None:
        valid = z > -jnp.inf
        mean = p - valid / _nonzero(_count(axis_name, z))
        gradient = (1 - smoothing) * hard + smoothing * mean
    if z_weight is not None:
        gradient = gradient + 2 * z_weight * _log_sum(s) * p
    return gradient


def label_gradient_jvp(
    axis_name: str | None, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    """Return the gradient and its tangent, p (t - Σ p t) without options."""
    z, labels, _, z_weight = primals
    t, _, dsmoothing, dz_weight = tangents
    gradient = label_gradient(axis_name, *primals)
    s = _sums(axis_name, z, labels)
    p = _probabilities(s)
    t = jnp.zeros_like(z) if type(t) is SymbolicZero else t
    mean_tangent = _sum(axis_name, p * t)
    dp = p * (t - mean_tangent)
    tangent = dp
    if z_weight is not None:
        tangent = tangent + 2 * z_weight * (_log_sum(s) * dp + mean_tangent * p)
    if _varies(dsmoothing):
        hard = label_gradient(axis_name, z, labels, None, None)
        mean = p - (z > -jnp.inf) / _nonzero(_count(axis_name, z))
        tangent = tangent + dsmoothing * (mean - hard)
    if _varies(dz_weight):
        tangent = tangent + 2 * dz_weight * _log_sum(s) * p
    return gradient, tangent


label_gradient.defjvp(label_gradient_jvp, symbolic_zeros=True)


def _loss(
    axis_name: str | None, s: _Sums, smoothing: Array | None, z_weight: Array | None
) -> Array:
    loss = _nll(s)
    if smoothing is not None:
        loss = (1 - smoothing) * loss + smoothing * _mean_nll(axis_name, s)
    if z_weight is not None:
        loss = loss + z_weight * jnp.square(_log_sum(s))
    return loss


def _varies(tangent: Any) -> bool:
    """Return whether an optional operand is given and differentiated."""
    return tangent is not None and type(tangent) is not SymbolicZero


def _sums(axis_name: str | None, z: Array, labels: Array) -> _Sums:
    """Return the sums of a row; those of an index out of range are NaN."""
    first, count = 0, z.shape[-1]
    if axis_name is not None:
        first, count = (
            lax.axis_index(axis_name) * count,
            count * lax.axis_size(axis_name),
        )
    labels = labels[..., None]
    index = first + lax.broadcasted_iota(labels.dtype, z.shape, z.ndim - 1)
    is_label = index == labels
    m = max_keepdims(lax.stop_gradient(z), (z.ndim - 1,))
    if axis_name is not None:
        m = lax.pmax(m, axis_name)
    e, e_max = exponentials(z, m, None), _nonzero(exponentials(m, m, None))
    rest = _sum(axis_name, jnp.where(is_label, 0, e)) / e_max
    z_label = _sum(axis_name, jnp.where(is_label, z, 0))
    z_label = jnp.where((labels >= 0) & (labels < count), z_label, jnp.nan)
    total = rest + exponentials(z_label, m, None) / e_max
    return _Sums(z, e, is_label, m, e_max, z_label, rest, total)


def _log_total(s: _Sums) -> Array:
    """Return log Σ e^(z - m); as log1p of the rest where the label is the maximum."""
    is_top = (s.z_label == s.m) & (s.rest < 1)
    f, k = log_reduce(s.total)
    log_total = log_of_reduced(jnp.where(is_top, s.rest, f), jnp.where(is_top, 0, k))
    return jnp.where(s.m == -jnp.inf, 0, propagate_nan(s.total, log_total))


def _nll(s: _Sums) -> Array:
    """Return -log p of the label; 0 in a row without classes."""
    return jnp.where(s.z_label == s.m, 0, s.m - s.z_label) + _log_total(s)


def _mean_nll(axis_name: str | None, s: _Sums) -> Array:
    """Return the mean of -log p over the classes that are not -inf."""
    excess = jnp.where(s.z > -jnp.inf, jnp.where(s.z == s.m, 0, s.m - s.z), 0)
    mean = _sum(axis_name, excess) / _nonzero(_count(axis_name, s.z))
    return mean + _log_total(s)


def _log_sum(s: _Sums) -> Array:
    """Return log Σ e^z; 0 in a row without classes."""
    return jnp.where(s.m == -jnp.inf, 0, s.m + _log_total(s))


def _probabilities(s: _Sums) -> Array:
    return s.e * (1 / (_nonzero(s.total) * s.e_max))


def _count(axis_name: str | None, z: Array) -> Array:
    return _sum(axis_name, (z > -jnp.inf).astype(z.dtype))


def _sum(axis_name: str | None, v: Array) -> Array:
    total = jnp.sum(v, -1, keepdims=True)
    return total if axis_name is None else lax.psum(total, axis_name)


def _nonzero(v: Array) -> Array:
    return jnp.where(v == 0, 1, v)
