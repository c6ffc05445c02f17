"""What names mean in other libraries: one table per library.

A table maps names to functions of the catalog: to a name, where arguments and defaults
are equal, or to a function with the signature of the library, without the input.
Several names of one entry are separated by spaces. Names are looked up as spelled, then
without case and punctuation.
"""

from collections.abc import Mapping

from jax_acts._registry.dialects.deepmd import DEEPMD
from jax_acts._registry.dialects.diffusers import DIFFUSERS
from jax_acts._registry.dialects.equinox import EQUINOX
from jax_acts._registry.dialects.flax import FLAX
from jax_acts._registry.dialects.hf import HF
from jax_acts._registry.dialects.jax import JAX
from jax_acts._registry.dialects.jax_acts import OWN as OWN
from jax_acts._registry.dialects.keras import KERAS, KERAS2
from jax_acts._registry.dialects.mindspore import MINDSPORE
from jax_acts._registry.dialects.mlx import MLX
from jax_acts._registry.dialects.mxnet import MXNET
from jax_acts._registry.dialects.numpy import NUMPY
from jax_acts._registry.dialects.onnx import ONNX
from jax_acts._registry.dialects.paddle import PADDLE
from jax_acts._registry.dialects.snn import NORSE, SNNTORCH, SPIKINGJELLY
from jax_acts._registry.dialects.table import Table
from jax_acts._registry.dialects.tensorflow import TF
from jax_acts._registry.dialects.timm import TIMM
from jax_acts._registry.dialects.torch import TORCH
from jax_acts._registry.dialects.vllm import VLLM

DIALECTS: Mapping[str, Table] = {
    "jax": JAX,
    "numpy": NUMPY,
    "flax": FLAX,
    "equinox": EQUINOX,
    "torch": TORCH,
    "keras": KERAS,
    "keras2": KERAS2,
    "tf": TF,
    "paddle": PADDLE,
    "mindspore": MINDSPORE,
    "mxnet": MXNET,
    "hf": HF,
    "diffusers": DIFFUSERS,
    "vllm": VLLM,
    "deepmd": DEEPMD,
    "timm": TIMM,
    "onnx": ONNX,
    "mlx": MLX,
    "snntorch": SNNTORCH,
    "spikingjelly": SPIKINGJELLY,
    "norse": NORSE,
}
"""The table of each library."""

IGNORED: Mapping[str, set[str]] = {
    "torch": {"inplace"},
    "timm": {"inplace"},
    "tf": {"name"},
    "paddle": {"name"},
    "mxnet": {"prefix", "params"},
}
"""Arguments without an effect on the function, by dialect."""
