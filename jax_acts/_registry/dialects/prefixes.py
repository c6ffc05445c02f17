"""Prefixes of dotted names: `torch.nn.GELU` belongs to PyTorch, `nn.GELU` to several.

A prefix is a module of a library, or the name that users import it by. A prefix of
several libraries is ambiguous where they give a name different meanings.
"""

from collections.abc import Mapping

_TABLE = {
    "jax_acts": "jax_acts jax_acts.functional functional F",
    "jax": "jax jax.nn nn",
    "numpy": (
        "numpy np jnp jax.numpy lax jax.lax jax.scipy.special scipy.special special"
    ),
    "flax": "flax flax.linen flax.nnx flax.linen.activation linen nnx nn",
    "equinox": "equinox equinox.nn eqx eqx.nn nn",
    "torch": (
        "torch torch.nn torch.nn.functional torch.nn.modules.activation "
        "torch.functional torch.special nn nn.functional nn.modules.activation "
        "functional F"
    ),
    "keras": (
        "keras keras.activations keras.layers keras.ops keras.ops.nn tf.keras.layers "
        "tf.keras.activations tensorflow.keras.layers tensorflow.keras.activations "
        "activations layers ops"
    ),
    "keras2": (
        "keras2 tf_keras tf_keras.activations tf_keras.layers tf.keras.layers "
        "tf.keras.activations tensorflow.keras.layers tensorflow.keras.activations "
        "activations layers"
    ),
    "tf": "tf tf.nn tf.math tensorflow tensorflow.nn tensorflow.math nn",
    "paddle": "paddle paddle.nn paddle.nn.functional nn nn.functional functional F",
    "mindspore": "mindspore mindspore.nn mindspore.ops nn ops",
    "mxnet": "mxnet mxnet.gluon.nn mxnet.gluon mx mx.gluon.nn gluon gluon.nn nn",
    "hf": "hf transformers transformers.activations",
    "diffusers": "diffusers diffusers.models.activations diffusers.models",
    "vllm": "vllm vllm.model_executor.layers.activation",
    "deepmd": "deepmd",
    "timm": "timm timm.layers timm.layers.activations timm.models.layers",
    "onnx": "onnx",
    "mlx": "mlx mlx.nn nn",
    "snntorch": "snntorch snntorch.surrogate surrogate",
    "spikingjelly": "spikingjelly spikingjelly.activation_based.surrogate surrogate",
    "norse": "norse norse.torch norse.torch.functional.threshold",
}
PREFIXES: Mapping[str, frozenset[str]] = {
    dialect: frozenset(text.split()) for dialect, text in _TABLE.items()
}
"""The prefixes of each library."""


def libraries(prefix: str) -> tuple[str, ...]:
    """Return the libraries that a prefix may stand for.

    >>> libraries("torch.nn"), libraries("surrogate")
    (('torch',), ('snntorch', 'spikingjelly'))
    """
    return tuple(dialect for dialect in PREFIXES if prefix in PREFIXES[dialect])


def has_prefix(dialect: str, prefix: str) -> bool:
    """Return whether a prefix is one of a library: "nn.functional", of torch."""
    return not {prefix, f"{dialect}.{prefix}"}.isdisjoint(PREFIXES[dialect])
