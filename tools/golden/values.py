"""Write golden values of other libraries for `tests/registry/test_golden.py`.

Evaluates the activations of each library's dialect at the same 26 inputs in float64,
and their derivatives where the library has autodiff. Requires the library; the stored
values of all other libraries stay:

    python -m tools.golden.values torch hf timm onnx keras mlx
    python -m tools.golden.values keras2
    python -m tools.golden.values snntorch spikingjelly norse
    python -m tools.golden.values onnxruntime
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

PATH = Path(__file__).parents[2] / "tests" / "data" / "golden.json"

INPUTS = [
    *(-40.0, -12.5, -7.25, -5.5, -4.125, -3.0, -2.0, -1.6, -1.0, -0.75, -0.3, -0.01),
    *(-1e-4, 0.0, 1e-4, 0.02, 0.4, 0.8, 1.0, 1.7, 2.0, 3.0, 4.4, 6.0, 7.5, 40.0),
]
"""They include the usual kinks; their number is even, for glu."""

RUNTIME_OPSET = 24
"""The newest opset of ONNX Runtime; it has all operators below."""

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
"""Calls by library; a class is instantiated first."""

Arguments = dict[str, Any]
Golden = Mapping[str, Sequence[float | None]]


def main(libraries: Iterable[str]) -> None:
    """Evaluate the libraries and store their values."""
    stored = json.loads(PATH.read_text()) if PATH.exists() else {}
    versions, golden = stored.get("versions", {}), stored.get("answers", {})
    for library in libraries:
        version, evaluate = LIBRARIES[library]()
        others = {k: v for k, v in golden.items() if not k.startswith(f"{library}:")}
        new = {
            f"{library}:{s}": evaluate(*parse_call(s)) for s in SPECS[library].split()
        }
        versions[library], golden = version, {**others, **new}
    write(dict(sorted(versions.items())), golden)


def write(versions: dict[str, str], golden: dict[str, Golden]) -> None:
    """Write one line per call, so that a diff shows what changed."""
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items())
    head = f'"versions": {json.dumps(versions)},\n"inputs": {json.dumps(INPUTS)}'
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(f'{{\n{head},\n"answers": {{\n{lines}\n}}\n}}\n')


def parse_call(spec: str) -> tuple[str, Arguments]:
    """Return the name and the keyword arguments of a call written as text."""
    name, bracket, inside = spec.partition("(")
    call = ast.parse(f"f({inside}" if bracket else "f()", mode="eval").body
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return name, {str(k.arg): ast.literal_eval(k.value) for k in keywords}


def of_torch() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of PyTorch, and its evaluation function."""
    torch, nn = module("torch"), module("torch.nn")
    functional = module("torch.nn.functional")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        if name[0].isupper():
            return with_torch(getattr(nn, name)(**arguments).eval())
        function = getattr(functional, name, None) or getattr(torch, name)
        return with_torch(lambda x: function(x, **arguments))

    return torch.__version__, evaluate


def of_hf() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of transformers, and its evaluation function."""
    torch, activations = module("torch"), module("transformers.activations")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        if "xielu" in name.lower():  # its parameters default to bfloat16
            arguments = {**arguments, "dtype": torch.float64}
            return with_torch(activations.XIELUActivation(**arguments))
        if name in activations.ACT2CLS:
            return with_torch(activations.ACT2FN[name])
        return with_torch(getattr(activations, name)(**arguments))

    return module("transformers").__version__, evaluate


def of_timm() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of timm, and its evaluation function."""
    layers = module("timm.layers")
    classes = module("timm.layers.activations")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        if name[0].isupper():
            return with_torch(getattr(classes, name)(**arguments))
        return with_torch(layers.create_act_layer(name, **arguments))

    return module("timm").__version__, evaluate


def with_torch(f: Any) -> Golden:
    """Return the values and derivatives of a PyTorch function or module."""
    torch = module("torch")
    x = torch.tensor(INPUTS, dtype=torch.float64, requires_grad=True)
    y = (f.double() if isinstance(f, torch.nn.Module) else f)(x.clone())
    result = {"value": y.reshape(-1).tolist()}
    if y.shape == x.shape and y.requires_grad:
        (derivatives,) = torch.autograd.grad(y.sum(), x)
        finite = [v if math.isfinite(v) else None for v in derivatives.tolist()]
        result["derivative"] = finite
    return result


def of_snntorch() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of snnTorch, and its evaluation function."""
    surrogate = module("snntorch.surrogate")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        return with_torch(getattr(surrogate, name)(**arguments))

    return version("snntorch"), evaluate


def of_spikingjelly() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of SpikingJelly, and its evaluation function."""
    surrogate = module("spikingjelly.activation_based.surrogate")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        return with_torch(getattr(surrogate, name)(**arguments))

    return version("spikingjelly"), evaluate


def of_norse() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of Norse, and its evaluation function."""
    functions = module("norse.torch.functional.threshold")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        return with_torch(lambda x: getattr(functions, name)(x, **arguments))

    return version("norse"), evaluate


def of_keras() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of Keras 3, over JAX, and its evaluation function."""
    os.environ["KERAS_BACKEND"] = "jax"
    jax = module("jax")
    jax.config.update("jax_enable_x64", True)
    keras = module("keras")
    keras.config.set_floatx("float64")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        x = jax.numpy.asarray(INPUTS)
        if name[0].isupper():
            layer = getattr(keras.layers, name)(**arguments)
            f = lambda x: layer(x[None])[0]
        else:
            namespace = keras.ops if name.startswith("ops.") else keras.activations
            function = getattr(namespace, name.removeprefix("ops."))
            f = lambda x: function(x, **arguments)
        y = f(x)
        result = {"value": y.reshape(-1).tolist()}
        if y.shape == x.shape:
            result["derivative"] = jax.grad(lambda x: f(x).sum())(x).tolist()
        return result

    return keras.__version__, evaluate


def of_keras2() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of Keras 2, over TensorFlow, and its evaluation function."""
    tf, keras = module("tensorflow"), module("tf_keras")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        x = tf.constant(INPUTS, tf.float64)
        if name[0].isupper():
            layer = getattr(keras.layers, name)(**arguments, dtype="float64")
            f = lambda x: layer(x[None])[0]
        elif name.endswith("softmax"):  # it requires a batch axis
            f = lambda x: keras.activations.get(name)(x[None])[0]
        else:
            f = lambda x: keras.activations.get(name)(x, **arguments)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        derivatives = tape.gradient(y, x)
        return {"value": y.numpy().tolist(), "derivative": derivatives.numpy().tolist()}

    return keras.__version__, evaluate


def of_onnx() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of ONNX, and its evaluation functions reference evaluator."""
    onnx = module("onnx")
    evaluator = module("onnx.reference").ReferenceEvaluator

    def evaluate(name: str, arguments: Arguments) -> Golden:
        (y,) = evaluator(onnx_model(name, arguments)).run(
            None, {"x": inputs("float64")}
        )
        return {"value": y.astype("float64").reshape(-1).tolist()}

    return onnx.__version__, evaluate


def of_onnxruntime() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of ONNX Runtime, and its evaluation function, in float32.

    Most of its kernels have no float64.
    """
    runtime = module("onnxruntime")

    def evaluate(name: str, arguments: Arguments) -> Golden:
        model = onnx_model(name, arguments, "FLOAT", opset=RUNTIME_OPSET)
        session = runtime.InferenceSession(model.SerializeToString())
        (y,) = session.run(None, {"x": inputs("float32")})
        return {"value": [float(f"{v:.9g}") for v in y.reshape(-1).tolist()]}

    return runtime.__version__, evaluate


def inputs(dtype: str) -> Any:
    """Return the inputs as an array of NumPy."""
    return module("numpy").asarray(INPUTS, dtype)


def onnx_model(
    name: str, arguments: Arguments, kind: str = "DOUBLE", opset: int | None = None
) -> Any:
    """Return a model of one node, with its other inputs as constants."""
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


def of_mlx() -> tuple[str, Callable[[str, Arguments], Golden]]:
    """Return the version of MLX, on the CPU, and its evaluation function."""
    os.environ["MLX_DISABLE_COMPILE"] = "1"  # compilation needs a C++ compiler
    mx, nn = module("mlx.core"), module("mlx.nn")
    mx.set_default_device(mx.cpu)  # the GPU has no float64

    def evaluate(name: str, arguments: Arguments) -> Golden:
        x = mx.array(INPUTS, mx.float64)
        if name[0].isupper():
            layer = getattr(nn, name)(**arguments)
            layer.set_dtype(mx.float64)
            f = layer
        else:
            f = lambda x: getattr(nn, name)(x, **arguments)
        y = f(x)
        result = {"value": [float(v) for v in y.tolist()]}
        if y.shape == x.shape:
            derivatives = mx.grad(lambda x: f(x).astype(mx.float64).sum())(x)
            result["derivative"] = derivatives.tolist()
        return result

    return version("mlx"), evaluate


def version(library: str) -> str:
    """Return the version of an installed distribution."""
    return importlib.metadata.version(library)


def module(name: str) -> Any:
    """Import an optional module."""
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
