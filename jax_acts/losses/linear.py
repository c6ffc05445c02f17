"""Cross-entropy of a linear head without its logits in memory."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real
from jax_acts.losses.blocks import Operands, Options, blockwise_loss

_LOGITS = {"gpu": 2**27, "cpu": 2**23, "tpu": 2**25}
"""Logits of a block by platform: 512 MiB, 32 MiB and 128 MiB in float32."""


def linear_cross_entropy(
    x: Array,
    w: Array,
    labels: Array,
    *,
    bias: Array | None = None,
    chunk: tuple[int | None, int | None] | None = None,
    label_smoothing: float = 0.0,
    soft_cap: float | None = None,
    z_loss: float = 0.0,
    temperature: float = 1.0,
    ignore_index: int | None = None,
    axis_name: str | None = None,
) -> Array:
    r"""`cross_entropy(x @ w + bias, labels)`, with a block of logits in memory at most.

    Logits are computed and reduced in blocks, and again in the backward pass; products
    accumulate in float32. The gradient in the logits is rounded to the dtype of x
    before the two products of the backward pass. Forward and reverse mode, `vmap` and
    `jit` are supported.

    Args:
        x: Inputs of the head, of shape (…, features).
        w: The kernel, of shape (features, vocabulary).
        labels: Class indices, of shape (…).
        bias: An array of shape (vocabulary,).
        chunk: Rows and columns of a block; None stands for all of them. By default the
            blocks have all rows and as many columns as fit on CPU and TPU, and all
            columns and as many rows as fit on GPU. Blocks of rows add a full gradient
            of w per block; blocks of columns read x once per block.
        label_smoothing: See `cross_entropy`.
        soft_cap: See `cross_entropy`.
        z_loss: See `cross_entropy`.
        temperature: See `cross_entropy`.
        ignore_index: See `cross_entropy`.
        axis_name: The mesh axis over which the vocabulary is sharded inside
            `shard_map`. The labels are global indices; every device returns the loss,
            and the logits are not gathered.

    Returns:
        The loss of each row in float32 or wider, of shape (…).

    Raises:
        TypeError: x, w or bias is complex.
        ValueError: Shapes do not match, or a chunk is smaller than 1.

    >>> x, w = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 20.0], [1.0, 1.0]])
    >>> print(linear_cross_entropy(x, w, jnp.array([1])))
    [2.0611537e-09]

    The head of a Flax model is not called in training. Linen has its parameters in
    `variables["params"]["head"]`:

    >>> import flax.linen as nn
    >>> head = nn.Dense(2).init(jax.random.key(0), x)["params"]
    >>> labels = jnp.array([1])
    >>> loss = linear_cross_entropy(x, head["kernel"], labels, bias=head["bias"])

    NNX has them in the layer, `model.head`:

    >>> from flax import nnx
    >>> head = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
    >>> loss = linear_cross_entropy(x, head.kernel[...], labels, bias=head.bias[...])

    The kernel of a tied head is the transposed embedding, `embed.embedding.T`.
    """
    name = "linear_cross_entropy"
    x, w = as_real(name, "x", x), as_real(name, "w", w)
    bias = None if bias is None else as_real(name, "bias", bias)
    labels = jnp.asarray(labels)
    _check_shapes(x, w, bias, labels)
    rows = x.reshape(-1, x.shape[-1])
    size = _chunk_size(chunk, rows.shape[0], w.shape[1])
    options = Options(size, label_smoothing, soft_cap, z_loss, temperature, axis_name)
    flat = labels.reshape(-1)
    index = flat if ignore_index is None else jnp.where(flat == ignore_index, 0, flat)
    loss = blockwise_loss(options, Operands(rows, w, bias), index)
    if ignore_index is not None:
        loss = jnp.where(flat == ignore_index, 0, loss)
    return loss.reshape(labels.shape)


def _chunk_size(chunk: Any, rows: int, vocabulary: int) -> tuple[int, int]:
    """Return rows and columns of a block, within the shape of the logits."""
    if chunk is None:
        platform = jax.default_backend()
        logits = _LOGITS.get(platform, _LOGITS["cpu"])
        if platform == "gpu":
            chunk = max(1, logits // max(vocabulary, 1)), None
        else:
            chunk = None, max(128, logits // max(rows, 1))
    if not isinstance(chunk, tuple) or len(chunk) != 2:
        raise ValueError(
            f"linear_cross_entropy: chunk: expected (rows, columns), got {chunk!r}"
        )
    sizes = [
        size if c is None else c
        for c, size in zip(chunk, (rows, vocabulary), strict=True)
    ]
    if min(sizes) < 1 and min(rows, vocabulary) > 0:
        raise ValueError(
            f"linear_cross_entropy: chunk: expected sizes of at least 1, got {chunk}"
        )
    return min(sizes[0], rows), min(sizes[1], vocabulary)


def _check_shapes(x: Array, w: Array, bias: Array | None, labels: Array) -> None:
    """Raise a ValueError unless the shapes of the operands match."""
    name = "linear_cross_entropy"
    if w.ndim != 2 or not x.ndim or x.shape[-1] != w.shape[0]:
        raise ValueError(
            f"{name}: expected x of shape (…, features) and w of shape (features, "
            f"vocabulary), got {x.shape} and {w.shape}"
        )
    if labels.shape != x.shape[:-1]:
        raise ValueError(
            f"{name}: labels: expected shape {x.shape[:-1]}, got {labels.shape}"
        )
    if bias is not None and bias.shape != w.shape[1:]:
        raise ValueError(
            f"{name}: bias: expected shape {w.shape[1:]}, got {bias.shape}"
        )
