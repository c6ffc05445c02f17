"""Weights, inputs and outputs of the small blocks that are compared with transformers.

Weights and inputs are multiples of 1/8, so that the first maps are exact in float32:
differences come from the activation and the rounding of the output map.
"""

import functools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from jax_acts import linen
from jax_acts.hf import Block

FEATURES, HIDDEN, ROWS = 4, 6, 3

Weights = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Kernel (in, out) and bias of each map, in the order of `Block.kernel_names`."""


def inputs() -> NDArray[np.float32]:
    """Return the inputs."""
    return _eighths(0, (ROWS, FEATURES), 2)


def draw(widths: Iterable[tuple[int, int]]) -> Weights:
    """Return weights for maps of these widths."""
    return [
        (_eighths(2 * i + 1, shape, 1), _eighths(2 * i + 2, shape[1:], 1))
        for i, shape in enumerate(widths)
    ]


def block_widths(block: Block, size: int) -> list[tuple[int, int]]:
    """Return the widths (in, out) of the maps of a block with a hidden size."""
    *hidden, _ = block.kernel_names if len(block.kernel_names) > 1 else ("", "")
    packed = block.gated and len(hidden) == 1
    shapes = [(FEATURES, 2 * size if packed else size) for _ in hidden]
    return shapes + [(size, FEATURES)] * (len(block.kernel_names) > 1)


@functools.cache
def forward(block: Block, size: int = HIDDEN) -> NDArray[np.float32]:
    """Return the output of a block, an `MLP` or `Dense`, with a hidden size."""
    parameters = {
        name: {"kernel": kernel} | ({"bias": bias} if block.use_bias else {})
        for name, (kernel, bias) in zip(
            block.kernel_names, draw(block_widths(block, size)), strict=True
        )
    }
    if len(block.kernel_names) == 1:
        layer = linen.Dense(size, use_bias=block.use_bias, activation=block.activation)
        (parameters,) = parameters.values()
    else:
        layer = linen.MLP(size, residuals="all", **block.options())
    learned = {n: learn.init for n, learn in block.activation.learned.items()}
    if learned:
        parameters |= {"activation": learned}
    return np.asarray(layer.apply({"params": parameters}, inputs()))


def error(result: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the largest difference in ulp of the largest output."""
    if result.shape != expected.shape or not np.isfinite(expected).all():
        return np.inf
    scale = np.float32(np.abs(expected).max() or 1)
    return float(np.abs(result - expected).max() / np.spacing(scale))


def _eighths(seed: int, shape: tuple[int, ...], limit: int) -> NDArray[np.float32]:
    integers = np.random.default_rng(seed).integers(-8 * limit, 8 * limit + 1, shape)
    return integers.astype(np.float32) / np.float32(8)
