"""Losses of logits, accurate at every margin, and the heads that they belong to."""

from jax_acts.losses.bernoulli import binary_cross_entropy as binary_cross_entropy
from jax_acts.losses.categorical import (
    CrossEntropy as CrossEntropy,
    cross_entropy as cross_entropy,
)
from jax_acts.losses.fenchel_young import (
    entmax15_loss as entmax15_loss,
    entmax_loss as entmax_loss,
    sparsemax_loss as sparsemax_loss,
)
from jax_acts.losses.heads import (
    Head as Head,
    head as head,
    squared_error as squared_error,
)
from jax_acts.losses.linear import linear_cross_entropy as linear_cross_entropy
from jax_acts.losses.stable import (
    stablemax as stablemax,
    stablemax_loss as stablemax_loss,
)
