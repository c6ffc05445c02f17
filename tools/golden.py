"""Writes what other libraries compute, to which `tests/registry/test_golden.py` compares.

Each library is asked for the activations in its table of `jax_acts._registry.dialects`, at the
same 26 inputs in float64, and for their derivatives where it has autodiff. Run it where
the library is installed; what is stored of the others stays:

    python tools/golden.py torch hf timm onnx keras mlx
    python tools/golden.py keras2
    python tools/golden.py snntorch spikingjelly norse
    python tools/golden.py onnxruntime
"""

import ast
import importlib
import importlib.metadata
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent.parent / "tests" / "data" / "golden.json"

INPUTS = [
    *(-40.0, -12.5, -7.25, -5.5, -4.125, -3.0, -2.0, -1.6, -1.0, -0.75, -0.3, -0.01),
    *(-1e-4, 0.0, 1e-4, 0.02, 0.4, 0.8, 1.0, 1.7, 2.0, 3.0, 4.4, 6.0, 7.5, 40.0),
]
"""Among them are the usual kinks; their number is even, for glu."""

RUNTIME_OPSET = 24
"""The greatest that ONNX Runtime knows; all operators that are asked for have it."""

SPECS = {
    "torch": """
        Identity relu ReLU ReLU(inplace=True) relu6 ReLU6 leaky_relu
        LeakyReLU leaky_relu(negative_slope=0.3) PReLU PReLU(init=0.1) rrelu RReLU
        RReLU(lower=0.1,upper=0.2) threshold(threshold=0.1,value=20.0)
        Threshold(threshold=-1.5,value=-3.0) elu ELU ELU(alpha=0.7) celu CELU
        celu(alpha=0.7) selu SELU gelu GELU gelu(approximate='none')
        gelu(approximate='tanh') GELU(approximate='tanh') silu SiLU mish Mish sigmoid
        Sigmoid tanh Tanh softplus Softplus softplus(beta=2.0) logsigmoid LogSigmoid
        softsign Softsign hardtanh Hardtanh hardtanh(min_val=-1.5,max_val=2.5)
        hardsigmoid Hardsigmoid hardswish Hardswish hardshrink Hardshrink
        hardshrink(lambd=0.35) softshrink Softshrink softshrink(lambd=0.35) tanhshrink
        Tanhshrink clamp(min=-1.5,max=2.5) clip(max=2.5) exp erf sin atan arctan asinh
        arcsinh square softmax(dim=-1) Softmax(dim=0) softmin(dim=-1) Softmin(dim=0)
        log_softmax(dim=-1) LogSoftmax(dim=0) logsumexp(dim=0)
        logsumexp(dim=0,keepdim=True) glu GLU
        """,
    "hf": """
        gelu gelu_10 gelu_fast gelu_new gelu_python gelu_pytorch_tanh gelu_python_tanh
        gelu_accurate hardswish laplace leaky_relu linear mish quick_gelu relu relu2
        relu6 sigmoid silu sqrtsoftplus swish tanh prelu xielu GELUActivation
        NewGELUActivation FastGELUActivation AccurateGELUActivation GELUTanh
        QuickGELUActivation ClippedGELUActivation(min=-0.1,max=3.5) SiLUActivation
        MishActivation LinearActivation LaplaceActivation ReLUSquaredActivation
        SqrtSoftplusActivation
        XIELUActivation(alpha_p_init=0.6,alpha_n_init=0.9,beta=0.4)
        """,
    "timm": """
        silu swish mish relu relu6 leaky_relu leaky_relu(negative_slope=0.2) elu
        elu(alpha=0.7) prelu celu selu gelu gelu_tanh quick_gelu sigmoid tanh
        hard_sigmoid hard_swish hard_mish identity hardsigmoid hardswish PReLU Swish
        GELU GELUTanh QuickGELU Mish Sigmoid Tanh HardSigmoid HardSwish HardMish
        """,
    "keras": """
        linear relu relu(negative_slope=0.3) relu(max_value=6) relu(max_value=2.5)
        relu(threshold=0.5) relu6 leaky_relu leaky_relu(negative_slope=0.1) elu
        elu(alpha=0.7) celu celu(alpha=0.7) selu silu swish mish sigmoid tanh softplus
        softsign exponential gelu gelu(approximate=True) gelu(approximate=False)
        ops.gelu squareplus squareplus(b=2.0) sparse_plus sparse_sigmoid log_sigmoid
        hard_tanh hard_sigmoid hard_silu hard_swish hard_shrink
        hard_shrink(threshold=0.35) soft_shrink soft_shrink(threshold=0.35)
        tanh_shrink threshold(threshold=0.1,default_value=20.0) softmax log_softmax
        sparsemax glu ReLU ReLU(max_value=6) ReLU(negative_slope=0.3) LeakyReLU
        LeakyReLU(negative_slope=0.1) PReLU ELU ELU(alpha=0.7) Softmax
        """,
    "keras2": """
        linear relu relu(alpha=0.3) relu(max_value=6) relu(threshold=0.5) relu6
        leaky_relu elu elu(alpha=0.7) selu silu swish mish sigmoid tanh softplus
        softsign exponential gelu gelu(approximate=True) hard_sigmoid softmax
        log_softmax ReLU ReLU(max_value=6) ReLU(negative_slope=0.3) LeakyReLU
        LeakyReLU(alpha=0.1) PReLU ELU ELU(alpha=0.7) ThresholdedReLU
        ThresholdedReLU(theta=0.5) Softmax
        """,
    "onnx": """
        Identity Relu LeakyRelu LeakyRelu(alpha=0.25) PRelu(slope=0.3) ThresholdedRelu
        ThresholdedRelu(alpha=0.5) Elu Elu(alpha=0.75) Celu Celu(alpha=0.75) Selu Gelu
        Gelu(approximate='none') Gelu(approximate='tanh') Swish Swish(alpha=1.5) Mish
        Sigmoid Tanh Softplus Softsign HardSigmoid HardSigmoid(alpha=0.25,beta=0.375)
        HardSwish Shrink Shrink(lambd=0.25,bias=0.125) Clip Clip(min=-1.5,max=2.5) Exp
        Erf Sin Atan Asinh Softmax LogSoftmax Hardmax ReduceLogSumExp
        """,
    "mlx": """
        relu ReLU relu2 ReLU2 relu6 ReLU6 leaky_relu LeakyReLU
        leaky_relu(negative_slope=0.3) PReLU PReLU(init=0.1) elu ELU elu(alpha=0.7)
        celu CELU celu(alpha=0.7) selu SELU gelu GELU GELU(approx='precise')
        GELU(approx='tanh') GELU(approx='fast') gelu_approx gelu_fast_approx silu SiLU
        mish Mish sigmoid Sigmoid tanh Tanh softplus Softplus log_sigmoid LogSigmoid
        softsign Softsign hard_tanh HardTanh hard_tanh(min_val=-1.5,max_val=2.5)
        hardswish Hardswish hard_shrink HardShrink hard_shrink(lambd=0.35) softshrink
        Softshrink softshrink(lambd=0.35) step Step step(threshold=0.5) softmax
        Softmax log_softmax LogSoftmax softmin Softmin glu GLU
        """,
    "snntorch": """
        straight_through_estimator fast_sigmoid fast_sigmoid(slope=2.0) atan
        atan(alpha=0.7) sigmoid sigmoid(slope=1.5)
        """,
    "spikingjelly": """
        PiecewiseQuadratic PiecewiseQuadratic(alpha=0.3) Sigmoid Sigmoid(alpha=0.7)
        SoftSign SoftSign(alpha=0.7) SuperSpike SuperSpike(alpha=3.0) ATan
        ATan(alpha=0.7) Erf Erf(alpha=0.5) Rect Rect(alpha=0.3)
        """,
    "norse": """
        heaviside superspike_fn superspike_fn(alpha=3.0) triangle_fn
        triangle_fn(alpha=0.7) threshold(method='super',alpha=100.0)
        threshold(method='heaviside',alpha=1.0) threshold(method='triangle',alpha=0.7)
        threshold(method='tanh',alpha=0.7) threshold(method='heavi_erfc',alpha=0.7)
        """,
}
SPECS["onnxruntime"] = SPECS["onnx"]
"""What each library is asked for; of classes, an instance is made."""

Arguments = dict[str, Any]
Answer = Mapping[str, Sequence[float | None]]


def main(libraries: Iterable[str]) -> None:
    """Asks the libraries and stores what they answer."""
    stored = json.loads(PATH.read_text()) if PATH.exists() else {}
    versions, answers = stored.get("versions", {}), stored.get("answers", {})
    for library in libraries:
        version, ask = LIBRARIES[library]()
        kept = {k: v for k, v in answers.items() if not k.startswith(f"{library}:")}
        new = {f"{library}:{s}": ask(*parsed(s)) for s in SPECS[library].split()}
        versions[library], answers = version, {**kept, **new}
    write(dict(sorted(versions.items())), answers)


def write(versions: dict[str, str], answers: dict[str, Answer]) -> None:
    """Writes one line for each answer, so that a change shows as one."""
    lines = ",\n".join(
        f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in answers.items()
    )
    head = f'"versions": {json.dumps(versions)},\n"inputs": {json.dumps(INPUTS)}'
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(f'{{\n{head},\n"answers": {{\n{lines}\n}}\n}}\n')


def parsed(spec: str) -> tuple[str, Arguments]:
    """Returns the name and the arguments that a spec gives by name."""
    name, bracket, inside = spec.partition("(")
    call = ast.parse(f"f({inside}" if bracket else "f()", mode="eval").body
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return name, {str(k.arg): ast.literal_eval(k.value) for k in keywords}


def of_torch() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of PyTorch, and who asks it."""
    torch, nn = module("torch"), module("torch.nn")
    functional = module("torch.nn.functional")

    def ask(name: str, arguments: Arguments) -> Answer:
        if name[0].isupper():
            return with_torch(getattr(nn, name)(**arguments).eval())
        function = getattr(functional, name, None) or getattr(torch, name)
        return with_torch(lambda x: function(x, **arguments))

    return torch.__version__, ask


def of_hf() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of transformers, and who asks it."""
    torch, activations = module("torch"), module("transformers.activations")

    def ask(name: str, arguments: Arguments) -> Answer:
        if "xielu" in name.lower():  # whose parameters are bfloat16 otherwise
            arguments = {**arguments, "dtype": torch.float64}
            return with_torch(activations.XIELUActivation(**arguments))
        if name in activations.ACT2CLS:
            return with_torch(activations.ACT2FN[name])
        return with_torch(getattr(activations, name)(**arguments))

    return module("transformers").__version__, ask


def of_timm() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of timm, and who asks it."""
    layers = module("timm.layers")
    classes = module("timm.layers.activations")

    def ask(name: str, arguments: Arguments) -> Answer:
        if name[0].isupper():
            return with_torch(getattr(classes, name)(**arguments))
        return with_torch(layers.create_act_layer(name, **arguments))

    return module("timm").__version__, ask


def with_torch(f: Any) -> Answer:
    """Returns the values and derivatives of a PyTorch function or module."""
    torch = module("torch")
    x = torch.tensor(INPUTS, dtype=torch.float64, requires_grad=True)
    y = (f.double() if isinstance(f, torch.nn.Module) else f)(x.clone())
    answer = {"value": y.reshape(-1).tolist()}
    if y.shape == x.shape and y.requires_grad:
        (slopes,) = torch.autograd.grad(y.sum(), x)
        finite = [v if math.isfinite(v) else None for v in slopes.tolist()]
        answer["derivative"] = finite
    return answer


def of_snntorch() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of snnTorch, and who asks it."""
    surrogate = module("snntorch.surrogate")

    def ask(name: str, arguments: Arguments) -> Answer:
        return with_torch(getattr(surrogate, name)(**arguments))

    return version("snntorch"), ask


def of_spikingjelly() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of SpikingJelly, and who asks it."""
    surrogate = module("spikingjelly.activation_based.surrogate")

    def ask(name: str, arguments: Arguments) -> Answer:
        return with_torch(getattr(surrogate, name)(**arguments))

    return version("spikingjelly"), ask


def of_norse() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of Norse, and who asks it."""
    functions = module("norse.torch.functional.threshold")

    def ask(name: str, arguments: Arguments) -> Answer:
        return with_torch(lambda x: getattr(functions, name)(x, **arguments))

    return version("norse"), ask


def of_keras() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of Keras 3, over JAX, and who asks it."""
    os.environ["KERAS_BACKEND"] = "jax"
    jax = module("jax")
    jax.config.update("jax_enable_x64", True)
    keras = module("keras")
    keras.config.set_floatx("float64")

    def ask(name: str, arguments: Arguments) -> Answer:
        x = jax.numpy.asarray(INPUTS)
        if name[0].isupper():
            layer = getattr(keras.layers, name)(**arguments)
            f = lambda x: layer(x[None])[0]
        else:
            place = keras.ops if name.startswith("ops.") else keras.activations
            function = getattr(place, name.removeprefix("ops."))
            f = lambda x: function(x, **arguments)
        y = f(x)
        answer = {"value": y.reshape(-1).tolist()}
        if y.shape == x.shape:
            answer["derivative"] = jax.grad(lambda x: f(x).sum())(x).tolist()
        return answer

    return keras.__version__, ask


def of_keras2() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of Keras 2, over TensorFlow, and who asks it."""
    tf, keras = module("tensorflow"), module("tf_keras")

    def ask(name: str, arguments: Arguments) -> Answer:
        x = tf.constant(INPUTS, tf.float64)
        if name[0].isupper():
            layer = getattr(keras.layers, name)(**arguments, dtype="float64")
            f = lambda x: layer(x[None])[0]
        elif name.endswith("softmax"):  # which wants a batch
            f = lambda x: keras.activations.get(name)(x[None])[0]
        else:
            f = lambda x: keras.activations.get(name)(x, **arguments)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        slopes = tape.gradient(y, x)
        return {"value": y.numpy().tolist(), "derivative": slopes.numpy().tolist()}

    return keras.__version__, ask


def of_onnx() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of ONNX, and who asks its reference evaluator."""
    onnx = module("onnx")
    evaluator = module("onnx.reference").ReferenceEvaluator

    def ask(name: str, arguments: Arguments) -> Answer:
        (y,) = evaluator(onnx_model(name, arguments)).run(
            None, {"x": inputs("float64")}
        )
        return {"value": y.astype("float64").reshape(-1).tolist()}

    return onnx.__version__, ask


def of_onnxruntime() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of ONNX Runtime, and who asks it, in float32.

    Most of its kernels have no float64; an opset that it does not know yet is lowered.
    """
    runtime = module("onnxruntime")

    def ask(name: str, arguments: Arguments) -> Answer:
        model = onnx_model(name, arguments, "FLOAT", opset=RUNTIME_OPSET)
        session = runtime.InferenceSession(model.SerializeToString())
        (y,) = session.run(None, {"x": inputs("float32")})
        return {"value": [float(f"{v:.9g}") for v in y.reshape(-1).tolist()]}

    return runtime.__version__, ask


def inputs(dtype: str) -> Any:
    """Returns the inputs as an array of NumPy."""
    return module("numpy").asarray(INPUTS, dtype)


def onnx_model(
    name: str, arguments: Arguments, kind: str = "DOUBLE", opset: int | None = None
) -> Any:
    """Returns a model of one node, with its further inputs as constants."""
    onnx = module("onnx")
    helper, dtype = onnx.helper, getattr(onnx.TensorProto, kind)
    schema = onnx.defs.get_schema(name)
    attributes = {k: v for k, v in arguments.items() if k in schema.attributes}
    given = {i.name: arguments.get(i.name) for i in schema.inputs[1:]}
    known = {k: v for k, v in given.items() if v is not None}
    constants = [helper.make_tensor(k, dtype, [], [v]) for k, v in known.items()]
    names = ["x", *(k if k in known else "" for k in given)]
    node = helper.make_node(name, names, ["y"], **attributes)
    x = helper.make_tensor_value_info("x", dtype, [len(INPUTS)])
    y = helper.make_tensor_value_info("y", dtype, None)
    graph = helper.make_graph([node], name, [x], [y], initializer=constants)
    version = opset or onnx.defs.onnx_opset_version()
    imports = [helper.make_opsetid("", version)]
    ir = helper.find_min_ir_version_for(imports)
    return helper.make_model(graph, opset_imports=imports, ir_version=ir)


def of_mlx() -> tuple[str, Callable[[str, Arguments], Answer]]:
    """Returns the version of MLX, on the CPU, and who asks it."""
    os.environ["MLX_DISABLE_COMPILE"] = "1"  # which needs a C++ compiler
    mx, nn = module("mlx.core"), module("mlx.nn")
    mx.set_default_device(mx.cpu)  # which has float64

    def ask(name: str, arguments: Arguments) -> Answer:
        x = mx.array(INPUTS, mx.float64)
        if name[0].isupper():
            layer = getattr(nn, name)(**arguments)
            layer.set_dtype(mx.float64)
            f = layer
        else:
            f = lambda x: getattr(nn, name)(x, **arguments)
        y = f(x)
        answer = {"value": [float(v) for v in y.tolist()]}
        if y.shape == x.shape:
            slopes = mx.grad(lambda x: f(x).astype(mx.float64).sum())(x)
            answer["derivative"] = slopes.tolist()
        return answer

    return version("mlx"), ask


def version(library: str) -> str:
    """Returns the version of a library that does not say it itself."""
    return importlib.metadata.version(library)


def module(name: str) -> Any:
    """Returns a module that this project does not depend on."""
    return importlib.import_module(name)


LIBRARIES = {
    "torch": of_torch,
    "hf": of_hf,
    "timm": of_timm,
    "keras": of_keras,
    "keras2": of_keras2,
    "onnx": of_onnx,
    "onnxruntime": of_onnxruntime,
    "mlx": of_mlx,
    "snntorch": of_snntorch,
    "spikingjelly": of_spikingjelly,
    "norse": of_norse,
}

if __name__ == "__main__":
    main(sys.argv[1:])
