"""Names of other libraries give the values and derivatives of those libraries.

`tools/golden/values.py` stored their results at 26 inputs, in float64.
"""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import get
from jax_acts._core.compat import enable_x64
from tests.conftest import check_each

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden.json").read_text())
INPUTS = np.array(GOLDEN["inputs"])

TOLERANCE = {
    # Relative to max(1, |value|). The default covers float64 rounding and cancellation;
    # these libraries round intermediate results to float32:
    "": 4e-14,
    "mlx": 3e-7,  # its exp, tanh and erf
    "onnx": 1e-7,  # its attributes, erf and the constants of Gelu
    "onnxruntime": 3e-7,  # all, the input too
    "norse:threshold(method='heavi_erfc',alpha=0.7)": 4e-8,  # sqrt(pi)
    "keras2": 1e-7,  # its arguments, as TensorFlow's kernels take them
    "tf": 1e-7,  # its arguments and constants
    "paddle": 1e-7,  # its arguments
    "keras:tanh": 3e-7,  # its result, on JAX
    "torch:PReLU(init=0.1)": 2e-8,  # its weight
    "torch:celu(alpha=0.7)": 2e-8,  # alpha, in its derivative
    "torch:hardsigmoid": 1e-8,  # 1/6, in its derivative
    "torch:Hardsigmoid": 1e-8,
    "timm:hard_sigmoid": 1e-8,
    "timm:hardsigmoid": 1e-8,
    # These have constants of a few digits:
    "hf:gelu_fast": 2e-12,  # 0.7978845608 for sqrt(2/pi)
    "hf:FastGELUActivation": 2e-12,
    "mlx:selu": 5e-6,  # 1.67326 and 1.0507
    "mlx:SELU": 5e-6,
    "hf:xielu": 1e-6,  # min(x, -1e-6), constant between -1e-6 and 0
    "hf:XIELUActivation": 1e-6,
}

CONVENTIONS = {
    # Inputs without a derivative, where libraries choose different values.
    "leaky_relu": {0.0},  # 1 as in jax.nn; the slope in PyTorch, both in MLX
    "rrelu": {0.0},
    "hard_tanh": {-1.0, 1.0},  # 1 as in jax.nn, 0 in PyTorch
    "clip": {0.0},  # 1 as in jax.nn.hard_tanh; 0 in Keras, which applies relu first
    "selu": {0.0},  # from the left as in jax.nn, from the right in TensorFlow
    "celu": {0.0},  # 1; 0 in MLX, the sum of a maximum and a minimum of derivative 0
    "hard_mish": {-2.0},  # 0; -1 in timm
    "xielu": {0.0},  # beta; beta - alpha_n in transformers, by min(x, -1e-6)
}


def resolve(spec):
    """Return the activation; ONNX Runtime implements the operators of ONNX."""
    return get(spec.replace("onnxruntime:", "onnx:"))


def tolerance(spec):
    """Return the tolerance of a spec, of its name, or of its library."""
    name = spec.split("(")[0]
    keys = (spec, name, name.split(":")[0], "")
    return next(TOLERANCE[key] for key in keys if key in TOLERANCE)


@functools.cache
def evaluate(f):
    """Return value and derivative at the inputs."""

    def value_and_derivative(x):
        y, pullback = jax.vjp(f, x)
        return y, *pullback(jnp.ones_like(y))

    with enable_x64(True):
        return jax.device_get(jax.jit(value_and_derivative)(jnp.asarray(INPUTS)))


SPECS = {}
"""By function, the specs that resolve to it."""
for spec in GOLDEN["answers"]:
    SPECS.setdefault(resolve(spec).name, []).append(spec)

every_function = pytest.mark.parametrize(
    "specs", [pytest.param(s, id=n) for n, s in SPECS.items()]
)


@every_function
def test_a_name_gives_the_values_and_derivatives_of_its_library(specs):
    check_each(has_the_values_of_its_library, specs)
    with_derivative = [s for s in specs if "derivative" in GOLDEN["answers"][s]]
    check_each(has_the_derivatives_of_its_library, with_derivative)


def has_the_values_of_its_library(spec):
    got = evaluate(resolve(spec))[0].reshape(-1)
    assert_close(spec, got, np.array(GOLDEN["answers"][spec]["value"]))


def has_the_derivatives_of_its_library(spec):
    f = resolve(spec)
    got = evaluate(f)[1]
    want = np.array(GOLDEN["answers"][spec]["derivative"], float)
    # None: the library has no finite value, as snnTorch's sigmoid for large |x|.
    defined = ~np.isin(INPUTS, list(CONVENTIONS.get(f.name, ()))) & np.isfinite(want)
    assert defined.sum() > 20
    assert_close(
        f"the derivative of {spec}", got[defined], want[defined], INPUTS[defined]
    )


def assert_close(spec, got, want, inputs=INPUTS):
    """Fail if arrays differ by more than the tolerance; report the largest error."""
    assert got.shape == want.shape
    error = np.abs(got - want) / np.maximum(1, np.abs(want))
    i = int(np.argmax(error))
    where = f"at x = {inputs[i]}" if len(error) == len(inputs) else f"at index {i}"
    assert error[i] <= tolerance(spec.removeprefix("the derivative of ")), (
        f"{spec} {where}: expected {want[i]!r}, got {got[i]!r}"
    )
