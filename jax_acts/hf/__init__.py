"""Hugging Face models: activations from `config.json`, parameters from state dicts.

config.json --from_config--> ModelConfig: layers with the options of `MLP`
state dict (NumPy arrays) --mlp_parameters--> {"gate_proj": {"kernel": …}, …}

config = from_config("config.json")
block = config.layers[0].mlp

mlp = linen.MLP(hidden=11008, **block.options())
mlp.apply({"params": mlp_parameters(state_dict, "model.layers.0.mlp")}, x)

mlp = nnx.MLP(4096, 11008, rngs=rngs, **block.options())
nnx.update(mlp, mlp_parameters(state_dict, "model.layers.0.mlp"))
"""

from jax_acts.hf.config import (
    Block as Block,
    Layer as Layer,
    ModelConfig as ModelConfig,
    from_config as from_config,
)
from jax_acts.hf.state_dict import mlp_parameters as mlp_parameters
