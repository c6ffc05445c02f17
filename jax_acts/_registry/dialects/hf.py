"""`ACT2FN` and its classes, transformers 5.23.0."""

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import Table, names, prelu_by_count, to

HF: Table = {
    **names(
        "relu relu6 leaky_relu sigmoid tanh mish,MishActivation hardswish=hard_silu "
        "silu,swish,SiLUActivation linear,LinearActivation=identity "
        "relu2,ReLUSquaredActivation=relu_squared laplace,LaplaceActivation "
        "gelu,gelu_python,GELUActivation=gelu_exact "
        "gelu_new,gelu_fast,gelu_accurate,gelu_pytorch_tanh,gelu_python_tanh=gelu_tanh "
        "GELUTanh,NewGELUActivation,FastGELUActivation=gelu_tanh "
        "AccurateGELUActivation=gelu_tanh quick_gelu,QuickGELUActivation=gelu_quick "
        "sqrtsoftplus,SqrtSoftplusActivation=sqrt_softplus"
    ),
    "prelu": prelu_by_count,
    "gelu_10 ClippedGELUActivation": lambda min=-10.0, max=10.0: to(
        "gelu_clipped", min_val=min, max_val=max
    ),
    "xielu XIELUActivation": lambda alpha_p_init=0.8, alpha_n_init=0.8, beta=0.5: to(
        "xielu", alpha_p=Learn(alpha_p_init), alpha_n=Learn(alpha_n_init), beta=beta
    ),
}
