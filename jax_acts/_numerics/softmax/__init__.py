"""Softmax, log_softmax and log-sum-exp with custom JVP rules, on checked arguments.

    m = max x    e = e^(x - m)    s = Σ e

    softmax = e / s        log_softmax = x - m - log s        log_sum = m + log s

The residual of the backward pass is the softmax p in the dtype of x, for log_softmax
with p - 1 in place of a p above 1/2.

XLA:GPU compiles the value and the derivative of each to one kernel if few operations
lie between a reduction and the next: `tests/benchmarks/test_platforms_compiled.py`
counts them.
"""

from jax_acts._numerics.softmax.exponential import exponentials as exponentials
from jax_acts._numerics.softmax.log_probabilities import log_softmax as log_softmax
from jax_acts._numerics.softmax.logsumexp import log_sum as log_sum
from jax_acts._numerics.softmax.probabilities import softmax as softmax
from jax_acts._numerics.softmax.temperature import center as center, divide as divide
