"""Write golden values of other libraries for `tests/registry/test_golden.py`.

Evaluates the calls that `tests/data/golden.json` lists at its 26 inputs, in float64,
and their derivatives where the library has autodiff. Requires the library; the values
of all other libraries stay:

    python -m tools.golden.values torch hf timm onnx keras mlx
    python -m tools.golden.values keras2
    python -m tools.golden.values tf equinox deepmd
    python -m tools.golden.values paddle
    python -m tools.golden.values snntorch spikingjelly norse
    python -m tools.golden.values onnxruntime
    python -m tools.golden.values "torch:elu(alpha=0.7)"  # adds a call

The inputs include the usual kinks; their number is even, for glu.
"""

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jax_acts._registry.parser import parse_spec

PATH = Path(__file__).parents[2] / "tests" / "data" / "golden.json"
STORED = json.loads(PATH.read_text())
INPUTS = STORED["inputs"]

RUNTIME_OPSET = 24
"""The newest opset of ONNX Runtime; it has all operators of the calls."""

Golden = Mapping[str, Sequence[float | None]]


def main(arguments: Iterable[str]) -> None:
    """Evaluate the calls of libraries, and further calls, and store their values."""
    golden = STORED["answers"]
    for argument in arguments:
        library = argument.partition(":")[0]
        distribution, evaluate = LIBRARIES[library]
        STORED["versions"][library] = version(distribution)
        calls = [key for key in golden if key.startswith(f"{library}:")]
        for key in dict.fromkeys([*calls, argument] if ":" in argument else calls):
            spec = parse_spec(key)
            golden[key] = evaluate(spec.name, dict(spec.named))
    # One line per call, so that a diff shows what changed.
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items())
    versions = json.dumps(dict(sorted(STORED["versions"].items())))
    head = f'"versions": {versions},\n"inputs": {json.dumps(INPUTS)}'
    PATH.write_text(f'{{\n{head},\n"answers": {{\n{lines}\n}}\n}}\n')


def torch_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a module of `torch.nn`, or a function."""
    torch, nn = import_module("torch"), import_module("torch.nn")
    if name[0].isupper():
        return with_torch(getattr(nn, name)(**arguments).eval())
    function = getattr(nn.functional, name, None) or getattr(torch, name)
    return with_torch(lambda x: function(x, **arguments))


def hf_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate an entry of `ACT2FN`, or one of its classes."""
    activations = import_module("transformers.activations")
    if "xielu" in name.lower():  # its parameters default to bfloat16
        dtype = import_module("torch").float64
        return with_torch(activations.XIELUActivation(**arguments, dtype=dtype))
    if name in activations.ACT2CLS:
        return with_torch(activations.ACT2FN[name])
    return with_torch(getattr(activations, name)(**arguments))


def timm_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a layer of timm, by its class or by its name."""
    if name[0].isupper():
        classes = import_module("timm.layers.activations")
        return with_torch(getattr(classes, name)(**arguments))
    return with_torch(import_module("timm.layers").create_act_layer(name, **arguments))


def surrogates(module: str) -> Callable[[str, dict[str, Any]], Golden]:
    """Return the evaluation of the surrogate gradients in a module."""
    return lambda name, arguments: with_torch(
        getattr(import_module(module), name)(**arguments)
    )


def norse_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a threshold function of Norse."""
    function = getattr(import_module("norse.torch.functional.threshold"), name)
    return with_torch(lambda x: function(x, **arguments))


def with_torch(f: Any) -> Golden:
    """Return the values and derivatives of a PyTorch function or module."""
    torch = import_module("torch")
    x = torch.tensor(INPUTS, dtype=torch.float64, requires_grad=True)
    y = (f.double() if isinstance(f, torch.nn.Module) else f)(x.clone())
    result = {"value": y.reshape(-1).tolist()}
    if y.shape == x.shape and y.requires_grad:
        (derivatives,) = torch.autograd.grad(y.sum(), x)
        finite = [v if math.isfinite(v) else None for v in derivatives.tolist()]
        result["derivative"] = finite
    return result


def keras_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a layer, an activation or an operation of Keras 3, over JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    jax.config.update("jax_enable_x64", True)
    keras = import_module("keras")
    keras.config.set_floatx("float64")
    if name[0].isupper():
        layer = getattr(keras.layers, name)(**arguments)
        f = lambda x: layer(x[None])[0]
    else:
        namespace = keras.ops if name.startswith("ops.") else keras.activations
        function = getattr(namespace, name.removeprefix("ops."))
        f = lambda x: function(x, **arguments)
    x = jax.numpy.asarray(INPUTS)
    y = f(x)
    result = {"value": y.reshape(-1).tolist()}
    if y.shape == x.shape:
        result["derivative"] = jax.grad(lambda x: f(x).sum())(x).tolist()
    return result


def keras2_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a layer or an activation of Keras 2, over TensorFlow."""
    tf, keras = import_module("tensorflow"), import_module("tf_keras")
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


def tf_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a function of `tf.nn` or `tf.math`."""
    tf = import_module("tensorflow")
    f = getattr(tf.nn, name, None) or getattr(tf.math, name, None)
    f = f or getattr(tf, name)
    x = tf.constant(INPUTS, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x, **arguments)
    result = {"value": y.numpy().reshape(-1).tolist()}
    if y.shape == x.shape:
        result["derivative"] = tape.gradient(y, x).numpy().tolist()
    return result


def paddle_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a layer of `paddle.nn`, or a function of `paddle.nn.functional`."""
    paddle = import_module("paddle")
    paddle.set_default_dtype("float64")
    x = paddle.to_tensor(INPUTS, "float64", stop_gradient=False)
    if name[0].isupper():
        y = getattr(paddle.nn, name)(**arguments)(x)
    else:
        y = getattr(paddle.nn.functional, name)(x, **arguments)
    result = {"value": y.numpy().reshape(-1).tolist()}
    if y.shape == x.shape:
        (derivatives,) = paddle.grad(y.sum(), x)
        result["derivative"] = derivatives.numpy().tolist()
    return result


def equinox_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a layer of `equinox.nn`."""
    jax.config.update("jax_enable_x64", True)
    f = getattr(import_module("equinox").nn, name)(**arguments)
    x = jax.numpy.asarray(INPUTS)
    y, derivatives = jax.vjp(f, x)
    return {
        "value": y.tolist(),
        "derivative": derivatives(jax.numpy.ones_like(x))[0].tolist(),
    }


def deepmd_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate an activation of DeePMD-kit, whose arguments follow a colon."""
    module = import_module("deepmd.dpmodel.utils.network")
    f = module.get_activation_fn(":".join([name, *map(str, arguments.values())]))
    return {"value": f(np.asarray(INPUTS, np.float64)).tolist()}


def onnx_operator(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate an operator of ONNX by the reference evaluator."""
    evaluator = import_module("onnx.reference").ReferenceEvaluator
    (y,) = evaluator(onnx_model(name, arguments)).run(
        None, {"x": np.asarray(INPUTS, np.float64)}
    )
    return {"value": y.astype("float64").reshape(-1).tolist()}


def onnxruntime_operator(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate an operator in float32; most kernels of ONNX Runtime lack float64."""
    model = onnx_model(name, arguments, "FLOAT", RUNTIME_OPSET)
    runtime = import_module("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString())
    (y,) = session.run(None, {"x": np.asarray(INPUTS, np.float32)})
    return {"value": [float(f"{v:.9g}") for v in y.reshape(-1).tolist()]}


def onnx_model(
    name: str, arguments: dict[str, Any], kind: str = "DOUBLE", opset: int | None = None
) -> Any:
    """Return a model of one node, with its other inputs as constants."""
    onnx = import_module("onnx")
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
    imports = [helper.make_opsetid("", opset or onnx.defs.onnx_opset_version())]
    ir = helper.find_min_ir_version_for(imports)
    return helper.make_model(graph, opset_imports=imports, ir_version=ir)


def mlx_function(name: str, arguments: dict[str, Any]) -> Golden:
    """Evaluate a layer or a function of MLX, on the CPU."""
    os.environ["MLX_DISABLE_COMPILE"] = "1"  # compilation needs a C++ compiler
    mx, nn = import_module("mlx.core"), import_module("mlx.nn")
    mx.set_default_device(mx.cpu)  # the GPU has no float64
    f = getattr(nn, name)
    if name[0].isupper():
        f = f(**arguments)
        f.set_dtype(mx.float64)
        arguments = {}
    x = mx.array(INPUTS, mx.float64)
    y = f(x, **arguments)
    result = {"value": [float(v) for v in y.tolist()]}
    if y.shape == x.shape:
        total = lambda x: f(x, **arguments).astype(mx.float64).sum()
        result["derivative"] = mx.grad(total)(x).tolist()
    return result


LIBRARIES: dict[str, tuple[str, Callable[[str, dict[str, Any]], Golden]]] = {
    "torch": ("torch", torch_function),
    "hf": ("transformers", hf_function),
    "timm": ("timm", timm_function),
    "keras": ("keras", keras_function),
    "keras2": ("tf_keras", keras2_function),
    "tf": ("tensorflow-cpu", tf_function),
    "paddle": ("paddlepaddle", paddle_function),
    "equinox": ("equinox", equinox_function),
    "deepmd": ("deepmd-kit", deepmd_function),
    "onnx": ("onnx", onnx_operator),
    "onnxruntime": ("onnxruntime", onnxruntime_operator),
    "mlx": ("mlx", mlx_function),
    "snntorch": ("snntorch", surrogates("snntorch.surrogate")),
    "spikingjelly": (
        "spikingjelly",
        surrogates("spikingjelly.activation_based.surrogate"),
    ),
    "norse": ("norse", norse_function),
}
"""The distribution of each library, and the evaluation of a call."""

if __name__ == "__main__":
    main(sys.argv[1:])
