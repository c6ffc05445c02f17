"""`activation_fn` of the blocks and `get_activation` of diffusers 0.35.

The activation follows a linear map; `geglu-approximate` is not gated.
"""

from jax_acts._registry.dialects.table import Table, gelu_by_name, names, to

DIFFUSERS: Table = {
    **names(
        "relu silu,swish,linear-silu,FP32SiLU=silu mish gelu-approximate=gelu_tanh "
        "geglu-approximate,ApproximateGELU=gelu_quick swiglu,SwiGLU=swiglu"
    ),
    "gelu": "gelu_exact",
    "GELU": gelu_by_name,
    "geglu GEGLU": lambda: to("geglu", approximate=False),
}
