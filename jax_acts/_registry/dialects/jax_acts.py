"""Additional names of the functions of jax_acts, from papers and checkpoints.

Names of the catalog need no entry. A name of `jax.nn` means what `jax.nn` means.
"""

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import Table, names, to

_QUARTER = Learn(0.25)  # initial value of He et al. 2015

OWN: Table = {
    **names(
        "none,None=identity lrelu=leaky_relu fatrelu=thresholded_relu "
        "relu2,ReLU2,squared_relu,SquaredReLU,sqrelu,srelu_te=relu_squared "
        "relu3,cubed_relu,CubedReLU=relu_cubed "
        "gelu_erf,exact_gelu,gelu_none=gelu_exact "
        "gelu_approx,gelu_approximate,bloom_gelu,openai_gelu=gelu_tanh "
        "approximate_gelu_tanh,gelu_precise=gelu_tanh "
        "quick_gelu,QuickGELU,qgelu,gelu_sigmoid=gelu_quick "
        "clipped_gelu,ClippedGELU=gelu_clipped logistic=sigmoid ssp=shifted_softplus "
        "swish_1,swish_beta,parametric_swish,onnx_swish,FP32SiLU=silu exp=exponential "
        "sin=sine wire,real_gabor=gabor growing_cosine_unit=gcu atan=arctan "
        "smooth_maximum_unit=smu bentid=bent_identity dynamic_tanh=dyt "
        "dynamic_erf=derf pau,pade=rational swigluoai,clamped_swiglu_oai=swiglu_oai "
        "softmax_one,quiet_softmax=softmax_sink scalable_softmax=ssmax"
    ),
    "prelu PReLU": lambda negative_slope=_QUARTER: to(
        "leaky_relu", negative_slope=negative_slope
    ),
    "eswish e_swish": lambda beta=1.25: to("aptx", beta=0.5, gamma=beta / 2),
    "entmax_bisect": lambda alpha=1.5, dim=-1: to("entmax", alpha=alpha, axis=dim),
    "normalize": "standardize",  # its former name in jax.nn
}
