"""Cross-entropy of a linear head in blocks of logits, with its tangent and gradient.

    block of x, block of w --dot, bias, temperature, soft cap--> block of logits
    forward:  running max m, rest = Σ e^(z - m) without the label, z of the label
    backward: block of logits again -> gradient g -> g w^T, x^T g

At most (rows, columns) logits are in memory at a time.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.compat import vary_as
from jax_acts._core.linear_map import linear_map
from jax_acts.functional.hyperbolic import tanh


class Options(NamedTuple):
    """Static options of the loss; see `linear_cross_entropy`."""

    chunk: tuple[int, int]
    label_smoothing: float
    soft_cap: float | None
    z_loss: float
    temperature: float
    axis_name: str | None


class Operands(NamedTuple):
    """Inputs, kernel and bias of the head."""

    x: Array
    """(rows, features)."""
    w: Array
    """(features, vocabulary)."""
    bias: Array | None
    """(vocabulary,)."""


class _Rows(NamedTuple):
    """Running sums over the columns of each row."""

    m: Array
    rest: Array
    z_label: Array
    z_sum: Array


class _Statistics(NamedTuple):
    """What the backward pass needs of each row besides its logits."""

    labels: Array
    log_sum: Array
    miss: Array
    """1 - p of the label."""


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def blockwise_loss(options: Options, operands: Operands, labels: Array) -> Array:
    """Return the loss of each row."""
    return _forward(options, operands, labels)[0]


@blockwise_loss.defjvp
def blockwise_loss_jvp(
    options: Options, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    """Return the loss and its tangent, a `linear_map` of the tangents."""
    operands, labels = primals
    loss, statistics = _forward(options, operands, labels)
    tangent = linear_map(
        functools.partial(_tangent, options),
        functools.partial(_cotangent, options),
        (operands, statistics),
        tangents[0],
    )
    return loss, tangent


def _forward(
    options: Options, operands: Operands, labels: Array
) -> tuple[Array, _Statistics]:
    """Return the loss and the statistics of every row."""

    def block(x: Array, labels: Array) -> tuple[Array, Array, Array]:
        return _forward_rows(options, operands._replace(x=x), labels)

    loss, log_sum, miss = _map_rows(options, block, operands.x, labels)
    return loss, _Statistics(labels, log_sum, miss)


def _forward_rows(
    options: Options, operands: Operands, labels: Array
) -> tuple[Array, Array, Array]:
    """Return loss, log Σ e^z and 1 - p of the label, over all blocks of columns."""

    def add(rows: _Rows, start: Array) -> tuple[_Rows, None]:
        z, _, columns, valid = _logits(options, operands, start)
        is_label = columns == labels[:, None]
        z = jnp.where(valid, z, -jnp.inf)
        m = jnp.maximum(rows.m, jnp.max(z, -1))
        e = jnp.where(is_label, 0, jnp.exp(z - _finite(m)[:, None]))
        rest = rows.rest * jnp.exp(rows.m - _finite(m)) + jnp.sum(e, -1)
        z_label = rows.z_label + jnp.sum(jnp.where(is_label & valid, z, 0), -1)
        z_sum = rows.z_sum + jnp.sum(jnp.where(valid, z, 0), -1)
        return _Rows(m, rest, z_label, z_sum), None

    wide = jnp.promote_types(operands.x.dtype, jnp.float32)
    zero = _zeros(labels.shape, wide, operands)
    start = _Rows(zero - jnp.inf, zero, zero, zero)
    rows, _ = lax.scan(add, start, _starts(options, operands.w.shape[1]))
    count = operands.w.shape[1]
    if options.axis_name is not None:
        rows, count = _reduce(options.axis_name, rows, count)
    z_label = jnp.where((labels >= 0) & (labels < count), rows.z_label, jnp.nan)
    total = rows.rest + jnp.exp(z_label - rows.m)
    is_top = (z_label == rows.m) & (rows.rest < 1)
    log_total = jnp.log1p(jnp.where(is_top, rows.rest, total - 1))
    loss = (rows.m - z_label) + log_total
    log_sum = rows.m + log_total
    if options.label_smoothing:
        mean = (log_sum - rows.z_sum / count) if count else loss
        loss = (1 - options.label_smoothing) * loss + options.label_smoothing * mean
    if options.z_loss:
        loss = loss + options.z_loss * jnp.square(log_sum)
    return loss, log_sum, rows.rest / total


def _reduce(axis_name: str, rows: _Rows, count: int) -> tuple[_Rows, Any]:
    """Combine the sums of all shards of the vocabulary."""
    m = lax.pmax(rows.m, axis_name)
    rest, z_label, z_sum = lax.psum(
        (rows.rest * jnp.exp(rows.m - _finite(m)), rows.z_label, rows.z_sum), axis_name
    )
    return _Rows(m, rest, z_label, z_sum), count * lax.axis_size(axis_name)


def _tangent(options: Options, residuals: Any, tangents: Operands) -> Array:
    """Return Σ g dz, where dz is the tangent of x w + bias."""
    operands, statistics = residuals

    def block(x: Array, dx: Array, *rows: Array) -> Array:
        statistics = _Statistics(*rows)
        inputs = operands._replace(x=x)

        def add(total: Array, start: Array) -> tuple[Array, None]:
            g, first = _gradient(options, inputs, statistics, start)
            w, dw = (_columns(options, v, first) for v in (operands.w, tangents.w))
            dz = _dot(dx, w) + _dot(x, dw)
            if tangents.bias is not None:
                dz = dz + _columns(options, tangents.bias, first)
            return total + jnp.sum(g * dz, -1), None

        zero = _zeros(x.shape[:1], statistics.log_sum.dtype, inputs)
        total, _ = lax.scan(add, zero, _starts(options, operands.w.shape[1]))
        if options.axis_name is not None:
            total = lax.psum(total, options.axis_name)
        return total

    return _map_rows(options, block, operands.x, tangents.x, *statistics)


def _cotangent(options: Options, residuals: Any, cotangent: Array) -> Operands:
    """Return the gradients in x, w and bias, the transpose of `_tangent`."""
    operands, statistics = residuals
    wide = jnp.promote_types(operands.w.dtype, jnp.float32)

    def block(sums: Any, rows: Any) -> tuple[Any, Array]:
        x, ct, *row_statistics = rows
        inputs = operands._replace(x=x)

        def add(carry: Any, start: Array) -> tuple[Any, None]:
            dx, dw, dbias = carry
            g, first = _gradient(options, inputs, _Statistics(*row_statistics), start)
            g = g * ct[:, None]
            compact = g.astype(x.dtype)
            dx = dx + _dot(compact, _columns(options, operands.w, first).T)
            dw = _add_columns(dw, _dot(x.T, compact), first)
            if dbias is not None:
                dbias = _add_columns(dbias, jnp.sum(g, 0), first)
            return (dx, dw, dbias), None

        dx = _zeros(x.shape, wide, inputs)
        starts = _starts(options, operands.w.shape[1])
        (dx, *sums), _ = lax.scan(add, (dx, *sums), starts)
        return tuple(sums), dx.astype(x.dtype)

    # Several blocks of rows add to the same entries of the gradient of w.
    single = operands.x.shape[0] == options.chunk[0]
    dtype = operands.w.dtype if single else wide
    dw, dbias = _zeros(operands.w.shape, dtype, operands), None
    if operands.bias is not None:
        dbias = _zeros(operands.bias.shape, wide, operands)
    (dw, dbias), dx = _scan_rows(
        options, block, (dw, dbias), (operands.x, cotangent, *statistics)
    )
    if operands.bias is not None:
        dbias = dbias.astype(operands.bias.dtype)
    return Operands(dx, dw.astype(operands.w.dtype), dbias)


def _logits(
    options: Options, operands: Operands, start: Array
) -> tuple[Array, Array, Array, Array]:
    """Return a block of logits, dz of the products, and the columns of the block.

    The last block ends at the last column and repeats columns of the one before, which
    the mask `valid` excludes.

    Returns:
        The logits; the derivative of the logits in the products; the global index of
        each column; the mask of the columns that are new.
    """
    size = options.chunk[1]
    first = jnp.minimum(start, operands.w.shape[1] - size)
    z = _dot(operands.x, _columns(options, operands.w, first))
    if operands.bias is not None:
        z = z + _columns(options, operands.bias, first).astype(z.dtype)
    z = z / options.temperature
    derivative = jnp.asarray(1 / options.temperature, z.dtype)
    if options.soft_cap is not None:
        cap = options.soft_cap
        derivative = derivative * tanh.derivative(z / cap)
        z = cap * tanh(z / cap)
    columns = first + jnp.arange(size)
    valid = columns >= start
    if options.axis_name is not None:
        columns = columns + lax.axis_index(options.axis_name) * operands.w.shape[1]
    return z, derivative, columns, valid


def _gradient(
    options: Options, operands: Operands, statistics: _Statistics, start: Array
) -> tuple[Array, Array]:
    """Return the gradient of the loss in the products, and the first column."""
    z, derivative, columns, valid = _logits(options, operands, start)
    p = jnp.exp(z - _finite(statistics.log_sum)[:, None])
    is_label = columns == statistics.labels[:, None]
    g = jnp.where(is_label, -statistics.miss[:, None], p)
    if options.label_smoothing:
        count = operands.w.shape[1]
        if options.axis_name is not None:
            count = count * lax.axis_size(options.axis_name)
        e = options.label_smoothing
        g = (1 - e) * g + e * (p - 1 / count)
    if options.z_loss:
        g = g + 2 * options.z_loss * statistics.log_sum[:, None] * p
    g = jnp.where(valid, g * derivative, 0)
    return g, jnp.minimum(start, operands.w.shape[1] - options.chunk[1])


def _starts(options: Options, vocabulary: int) -> Array:
    return jnp.arange(0, vocabulary, options.chunk[1])


def _columns(options: Options, v: Array, first: Array) -> Array:
    return lax.dynamic_slice_in_dim(v, first, options.chunk[1], -1)


def _add_columns(total: Array, v: Array, first: Array) -> Array:
    old = lax.dynamic_slice_in_dim(total, first, v.shape[-1], -1)
    return lax.dynamic_update_slice_in_dim(
        total, old + v.astype(total.dtype), first, -1
    )


def _dot(a: Array, b: Array) -> Array:
    """Return a @ b, accumulated in float32 or wider."""
    wide = jnp.promote_types(jnp.result_type(a, b), jnp.float32)
    return jnp.matmul(a, b, preferred_element_type=wide)


def _map_rows(options: Options, f: Any, *arrays: Array) -> Any:
    """Return f of the arrays, in blocks of rows."""
    return _scan_rows(options, lambda _, rows: ((), f(*rows)), (), arrays)[1]


def _scan_rows(options: Options, f: Any, carry: Any, arrays: Any) -> tuple[Any, Any]:
    """Scan f over blocks of rows; the last block is smaller and comes separately."""
    rows, size = arrays[0].shape[0], options.chunk[0]
    if rows == size:
        return f(carry, arrays)
    count = rows // size
    blocks = [a[: count * size].reshape(count, size, *a.shape[1:]) for a in arrays]
    carry, results = lax.scan(f, carry, tuple(blocks))
    results = jax.tree.map(lambda r: r.reshape(-1, *r.shape[2:]), results)
    if rows == count * size:
        return carry, results
    carry, last = f(carry, tuple(a[count * size :] for a in arrays))
    join = lambda a, b: jnp.concatenate([a, b])
    return carry, jax.tree.map(join, results, last)


def _zeros(shape: Any, dtype: Any, operands: Operands) -> Array:
    """Return zeros that vary over the mesh axes of the operands."""
    return vary_as(jnp.zeros(shape, dtype), *jax.tree.leaves(operands))


def _finite(m: Array) -> Array:
    return jnp.where(jnp.isinf(m), 0, m)
