"""Formulas that the documentation of libraries states, for names without golden values.

MindSpore 2.7, MXNet 1.9.1 (gluon), vLLM 0.10 and diffusers 0.35. The functions take a
float64 NumPy array.
"""

import math

import numpy as np

erf = np.vectorize(math.erf)
sigmoid = lambda x: 1 / (1 + np.exp(-x))
softplus = lambda x: np.logaddexp(0, x)
softmax = lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum()
expm1 = lambda x: np.expm1(np.minimum(x, 0))
silu = lambda x: x * sigmoid(x)
gelu = lambda x: x * (1 + erf(x / math.sqrt(2))) / 2
gelu_tanh = lambda x: (
    x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
)
gelu_quick = lambda x: x * sigmoid(1.702 * x)
leaky = lambda slope: lambda x: np.where(x >= 0, x, slope * x)
relu = lambda x: np.maximum(x, 0)
relu6 = lambda x: np.clip(x, 0, 6)
elu = lambda x: np.where(x > 0, x, expm1(x))
scale, alpha = 1.0507009873554805, 1.6732632423543772
selu = lambda x: scale * np.where(x > 0, x, alpha * expm1(x))
softsign = lambda x: x / (1 + np.abs(x))
mish = lambda x: x * np.tanh(softplus(x))
hsigmoid = lambda x: np.clip((x + 3) / 6, 0, 1)
soft_shrink = lambda t: lambda x: np.sign(x) * np.maximum(np.abs(x) - t, 0)
hard_shrink = lambda t: lambda x: np.where(np.abs(x) > t, x, 0)
first, second = (lambda x: x[: len(x) // 2]), (lambda x: x[len(x) // 2 :])

MINDSPORE = {
    "relu ReLU": relu,
    "relu6 ReLU6": relu6,
    "elu ELU celu CELU": elu,
    "selu SeLU": selu,
    "silu SiLU": silu,
    "mish Mish": mish,
    "sigmoid Sigmoid": sigmoid,
    "tanh Tanh": np.tanh,
    "softsign Softsign": softsign,
    "LogSigmoid logsigmoid": lambda x: -softplus(-x),
    "HSigmoid hardsigmoid": hsigmoid,
    "HSwish hardswish": lambda x: x * hsigmoid(x),
    "Hardtanh hardtanh": lambda x: np.clip(x, -1, 1),
    "Tanhshrink tanhshrink": lambda x: x - np.tanh(x),
    "softmax Softmax": softmax,
    "log_softmax LogSoftmax": lambda x: x - x.max() - np.log(np.exp(x - x.max()).sum()),
    "softmin Softmin": lambda x: softmax(-x),
    # x / (1 + exp(-1.702 |x|)) exp(0.851 (x - |x|))
    "FastGelu fast_gelu": lambda x: (
        x / (1 + np.exp(-1.702 * np.abs(x))) * np.exp(0.851 * (x - np.abs(x)))
    ),
    "LeakyReLU leaky_relu": leaky(0.2),
    "LeakyReLU(alpha=0.1)": leaky(0.1),
    "GELU GELU(approximate=True)": gelu_tanh,
    "GELU(approximate=False) gelu": gelu,
    "gelu(approximate='tanh')": gelu_tanh,
    "PReLU": leaky(0.25),
    "PReLU(w=0.1)": leaky(0.1),
    "SoftShrink softshrink": soft_shrink(0.5),
    "SoftShrink(lambd=0.3)": soft_shrink(0.3),
    "HShrink hardshrink": hard_shrink(0.5),
    "Threshold(0.1,20.0) threshold(0.1,20.0)": lambda x: np.where(x > 0.1, x, 20),
}
MXNET = {
    "relu": relu,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softrelu": softplus,
    "softsign": softsign,
    "ELU": elu,
    "ELU(alpha=0.5)": lambda x: np.where(x > 0, x, 0.5 * expm1(x)),
    "SELU": selu,
    "LeakyReLU(0.3)": leaky(0.3),
    "PReLU": leaky(0.25),
    "GELU": gelu,
    "Swish": silu,
    "Swish(beta=2.0)": lambda x: x * sigmoid(2 * x),
}
VLLM = {
    "gelu": gelu,
    "gelu_fast FastGELU gelu_new NewGELU gelu_pytorch_tanh": gelu_tanh,
    "relu": relu,
    "silu": silu,
    "quick_gelu QuickGELU gelu_quick": gelu_quick,
    "relu2 ReLUSquaredActivation": lambda x: relu(x) ** 2,
    "silu_and_mul SiluAndMul": lambda x: silu(first(x)) * second(x),
    "mul_and_silu MulAndSilu": lambda x: first(x) * silu(second(x)),
    "GeluAndMul gelu_and_mul": lambda x: gelu(first(x)) * second(x),
    "gelu_tanh_and_mul GeluAndMul('tanh')": (lambda x: gelu_tanh(first(x)) * second(x)),
}
DIFFUSERS = {
    "relu": relu,
    "silu swish linear-silu FP32SiLU": silu,
    "mish": mish,
    "gelu GELU": gelu,
    "gelu-approximate GELU('tanh')": gelu_tanh,
    "geglu-approximate ApproximateGELU": gelu_quick,
    "swiglu SwiGLU": lambda x: first(x) * silu(second(x)),
    "geglu GEGLU": lambda x: first(x) * gelu(second(x)),
}
DOCUMENTED = {
    f"{dialect}:{name}": formula
    for dialect, table in {
        "mindspore": MINDSPORE,
        "mxnet": MXNET,
        "vllm": VLLM,
        "diffusers": DIFFUSERS,
    }.items()
    for names, formula in table.items()
    for name in names.split()
}
"""The formula of every name."""
