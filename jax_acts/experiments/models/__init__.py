"""The networks that are compared: Flax's layers, and `jax_acts` between them."""

from jax_acts.experiments.models.cnn import CNN as CNN, average_pool as average_pool
from jax_acts.experiments.models.mlp import MLP as MLP
from jax_acts.experiments.models.rnn import RNN as RNN
from jax_acts.experiments.models.sow import (
    BEFORE as BEFORE,
    PREACTIVATIONS as PREACTIVATIONS,
    watched as watched,
)
from jax_acts.experiments.models.transformer import Transformer as Transformer
