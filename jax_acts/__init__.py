"""Activation functions for JAX and Flax, with values and derivatives you can trust."""

__version__ = "0.1.0"

from jax_acts._core.activation import (
    ActivationFunction as ActivationFunction,
    activation as activation,
)
from jax_acts._core.arguments import Learn as Learn
from jax_acts._core.bound import Bound as Bound
from jax_acts._core.function import Function as Function
from jax_acts._core.kinks import with_kinks as with_kinks
from jax_acts._core.spec import ActivationSpec as ActivationSpec
from jax_acts._registry.lookup import aliases as aliases, get as get, names as names
from jax_acts.fitting import fit as fit
from jax_acts.functional.algebraic import (
    arctan as arctan,
    bent_identity as bent_identity,
    isrlu as isrlu,
    isru as isru,
    nelu as nelu,
    soft_sign as soft_sign,
    square as square,
    squareplus as squareplus,
)
from jax_acts.functional.attention import (
    softmax1 as softmax1,
    softmax_sink as softmax_sink,
    ssmax as ssmax,
)
from jax_acts.functional.combinators import (
    affine as affine,
    blend as blend,
    capped as capped,
    piecewise as piecewise,
    residual as residual,
    self_gated as self_gated,
    sugar as sugar,
)
from jax_acts.functional.entmax import (
    entmax as entmax,
    entmax15 as entmax15,
)
from jax_acts.functional.exp_log import (
    exponential as exponential,
    log1mexp as log1mexp,
    nlrelu as nlrelu,
    symexp as symexp,
    symlog as symlog,
)
from jax_acts.functional.exponential_gated import (
    gish as gish,
    golu as golu,
    mish as mish,
    serf as serf,
    tanhexp as tanhexp,
    telu as telu,
)
from jax_acts.functional.exponential_linear import (
    celu as celu,
    elu as elu,
    elu_plus_one as elu_plus_one,
    hexpo as hexpo,
    selu as selu,
    xielu as xielu,
)
from jax_acts.functional.gated_bounded import (
    situ_glu as situ_glu,
    swiglu_clamped as swiglu_clamped,
    swiglu_oai as swiglu_oai,
)
from jax_acts.functional.glu import (
    bilinear as bilinear,
    drelu as drelu,
    geglu as geglu,
    glu as glu,
    gtu as gtu,
    qgeglu as qgeglu,
    reglu as reglu,
    seglu as seglu,
    sreglu as sreglu,
    swiglu as swiglu,
)
from jax_acts.functional.hard import (
    clip as clip,
    hard_mish as hard_mish,
    hard_shrink as hard_shrink,
    hard_sigmoid as hard_sigmoid,
    hard_silu as hard_silu,
    hard_swish as hard_swish,
    hard_tanh as hard_tanh,
    shrink as shrink,
    soft_shrink as soft_shrink,
    sparse_plus as sparse_plus,
    sparse_sigmoid as sparse_sigmoid,
    sqnl as sqnl,
)
from jax_acts.functional.hyperbolic import (
    asinh as asinh,
    lecun_tanh as lecun_tanh,
    lisht as lisht,
    logcosh as logcosh,
    softcap as softcap,
    tanh as tanh,
    tanh_shrink as tanh_shrink,
)
from jax_acts.functional.learnable import (
    aconc as aconc,
    derf as derf,
    dyt as dyt,
    pelu as pelu,
    srelu as srelu,
)
from jax_acts.functional.logistic import (
    gelu_quick as gelu_quick,
    log_sigmoid as log_sigmoid,
    shifted_softplus as shifted_softplus,
    sigmoid as sigmoid,
    silu as silu,
    soft_clipping as soft_clipping,
    softplus as softplus,
    sqrt_softplus as sqrt_softplus,
    swish as swish,
)
from jax_acts.functional.normal import (
    erf as erf,
    gaussian as gaussian,
    gelu as gelu,
    gelu_clipped as gelu_clipped,
    gelu_exact as gelu_exact,
    gelu_tanh as gelu_tanh,
    laplace as laplace,
    smu as smu,
)
from jax_acts.functional.normalization import (
    crelu as crelu,
    l1_normalize as l1_normalize,
    l2_normalize as l2_normalize,
    polynorm as polynorm,
)
from jax_acts.functional.oscillating import (
    finer as finer,
    gabor as gabor,
    gcu as gcu,
)
from jax_acts.functional.periodic import (
    cosine as cosine,
    sine as sine,
    sine_relu as sine_relu,
    snake as snake,
    snake_beta as snake_beta,
)
from jax_acts.functional.polynomial import (
    chebyshev as chebyshev,
    polyrelu as polyrelu,
    rational as rational,
)
from jax_acts.functional.rectified import (
    absolute as absolute,
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
    threshold as threshold,
    thresholded_relu as thresholded_relu,
)
from jax_acts.functional.shares import (
    softpick as softpick,
    taylor_softmax as taylor_softmax,
)
from jax_acts.functional.sigmoid_gated import (
    aptx as aptx,
    bsilu as bsilu,
    elish as elish,
    hard_elish as hard_elish,
    logish as logish,
    smish as smish,
)
from jax_acts.functional.softmax import (
    gumbel_softmax as gumbel_softmax,
    log_softmax as log_softmax,
    logmeanexp as logmeanexp,
    logsumexp as logsumexp,
    softmax as softmax,
    softmin as softmin,
    solu as solu,
    standardize as standardize,
)
from jax_acts.functional.sparse import (
    hardmax as hardmax,
    maxout as maxout,
    sparsemax as sparsemax,
)
from jax_acts.functional.splines import (
    apl as apl,
    b_spline as b_spline,
)
from jax_acts.functional.surrogate import (
    heaviside as heaviside,
    round as round,
    sign as sign,
    step as step,
)
from jax_acts.initializers import gain as gain
