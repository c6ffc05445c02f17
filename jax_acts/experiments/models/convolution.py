"""A convolution whose backward pass is fast on a CPU inside a loop."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax


def convolve_patches(
    x: Array,
    kernel: Array,
    strides: Any,
    padding: Any,
    *,
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
) -> Array:
    """Compute `lax.conv_general_dilated` of images as one matrix product.

    On CPU, XLA runs the backward pass of a convolution in a loop body on a slow path
    (jax issue 12868): a training step of the quickstart took 36 ms on two cores, and
    3 to 5 ms with patches. `vmap` over kernels gives batched products, where it would
    make a convolution a grouped one.

    Args:
        x: Images, of shape `(n, height, width, channels)`.
        kernel: Weights, of shape `(rows, columns, channels, features)`.
        strides: Vertical and horizontal stride.
        padding: "SAME", "VALID", or a pair of integers for each direction.
        lhs_dilation, rhs_dilation, feature_group_count: Only 1 is supported.
        dimension_numbers: Those of Flax: NHWC, HWIO, NHWC.
        precision: The precision of the product.
    """
    if feature_group_count != 1 or {*(lhs_dilation or ()), *(rhs_dilation or ())} - {1}:
        raise ValueError("convolve_patches: expected no groups and no dilation")
    if dimension_numbers not in (None, _FLAX):
        raise ValueError(
            f"convolve_patches: expected dimension_numbers {_FLAX}, "
            f"got {dimension_numbers}"
        )
    rows, columns, channels, features = kernel.shape
    pads = (
        lax.padtype_to_pads(x.shape[1:3], (rows, columns), strides, padding)
        if isinstance(padding, str)
        else padding
    )
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    # Columns first, then rows: 3 + 3 slices instead of 3 × 3.
    x = jnp.concatenate(_windows(x, 2, columns, strides[1]), axis=-1)
    x = jnp.concatenate(_windows(x, 1, rows, strides[0]), axis=-1)
    weights = kernel.reshape(rows * columns * channels, features)
    return jnp.matmul(x, weights, precision=precision)


_FLAX = lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))


def _windows(x: Array, axis: int, size: int, stride: int) -> list[Array]:
    """Return x shifted by 0, 1, … size - 1 along an axis, every `stride`-th element."""
    end = (x.shape[axis] - size) // stride * stride + 1
    return [
        lax.slice_in_dim(x, start, start + end, stride, axis) for start in range(size)
    ]


def backend_convolution() -> Any:
    """Return the convolution for `nn.Conv`: patches on CPU, elsewhere that of XLA."""
    on_cpu = jax.default_backend() == "cpu"
    return convolve_patches if on_cpu else lax.conv_general_dilated
