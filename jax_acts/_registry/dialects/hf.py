"""`ACT2FN` and its classes, transformers 5.23.0."""

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import Table, prelu_by_count, same_names, to

HF: Table = {
    **same_names("relu relu6 leaky_relu sigmoid tanh"),
    "mish MishActivation": "mish",
    "linear LinearActivation": "identity",
    "prelu": prelu_by_count,
    "relu2 ReLUSquaredActivation": "relu_squared",
    "gelu gelu_python GELUActivation": "gelu_exact",
    "gelu_new gelu_fast gelu_accurate gelu_pytorch_tanh gelu_python_tanh GELUTanh "
    "NewGELUActivation FastGELUActivation AccurateGELUActivation": "gelu_tanh",
    "quick_gelu QuickGELUActivation": "gelu_quick",
    "gelu_10 ClippedGELUActivation": lambda min=-10.0, max=10.0: to(
        "gelu_clipped", min_val=min, max_val=max
    ),
    "silu swish SiLUActivation": "silu",
    "hardswish": "hard_silu",
    "laplace LaplaceActivation": "laplace",
    "sqrtsoftplus SqrtSoftplusActivation": "sqrt_softplus",
    "xielu XIELUActivation": lambda alpha_p_init=0.8, alpha_n_init=0.8, beta=0.5: to(
        "xielu", alpha_p=Learn(alpha_p_init), alpha_n=Learn(alpha_n_init), beta=beta
    ),
}
