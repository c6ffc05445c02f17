"""The networks of the studies: Flax layers with activations of `jax_acts`."""

from jax_acts.experiments.models.cnn import CNN as CNN, average_pool as average_pool
from jax_acts.experiments.models.mlp import MLP as MLP
from jax_acts.experiments.models.rnn import RNN as RNN
from jax_acts.experiments.models.sow import (
    BEFORE as BEFORE,
    PREACTIVATIONS as PREACTIVATIONS,
    sow_preactivation as sow_preactivation,
)
from jax_acts.experiments.models.transformer import Transformer as Transformer
