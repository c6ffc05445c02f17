"""The networks that are compared: Flax's layers, and `jax_acts` between them."""

from experiments.models.cnn import CNN as CNN, average_pool as average_pool
from experiments.models.mlp import MLP as MLP
from experiments.models.rnn import RNN as RNN
from experiments.models.seen import (
    BEFORE as BEFORE,
    PREACTIVATIONS as PREACTIVATIONS,
    watched as watched,
)
from experiments.models.transformer import Transformer as Transformer
