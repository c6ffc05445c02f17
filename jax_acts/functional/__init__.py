"""The catalogue: every function, one file a family."""

from jax_acts.functional.hard import (
    hard_mish as hard_mish,
    hard_shrink as hard_shrink,
    hard_sigmoid as hard_sigmoid,
    hard_silu as hard_silu,
    hard_swish as hard_swish,
    hard_tanh as hard_tanh,
    soft_shrink as soft_shrink,
    sparse_plus as sparse_plus,
    sparse_sigmoid as sparse_sigmoid,
)
from jax_acts.functional.hyperbolic import tanh as tanh
from jax_acts.functional.logistic import (
    log_sigmoid as log_sigmoid,
    sigmoid as sigmoid,
    silu as silu,
    softplus as softplus,
    swish as swish,
)
from jax_acts.functional.rectified import (
    identity as identity,
    leaky_relu as leaky_relu,
    linear as linear,
    prelu as prelu,
    relu as relu,
    relu6 as relu6,
    relu_cubed as relu_cubed,
    relu_squared as relu_squared,
    rrelu as rrelu,
    star_relu as star_relu,
    step as step,
    threshold as threshold,
    thresholded_relu as thresholded_relu,
)
