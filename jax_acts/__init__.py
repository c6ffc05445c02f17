"""Activation functions for JAX and Flax, with values and derivatives you can trust."""

__version__ = "0.1.0"

from jax_acts._activation import (
    ActivationFunction as ActivationFunction,
    activation as activation,
)
from jax_acts._bound import Bound as Bound, Learn as Learn
from jax_acts._function import Facts as Facts, Function as Function
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
from jax_acts.gain import gain as gain
from jax_acts.registry import get as get
