"""The names of other libraries give the numbers of other libraries.

`tools/golden.py` wrote down what they compute, in float64, at 26 inputs.
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
from tests.conftest import quickly

GOLDEN = json.loads((Path(__file__).parent / "data" / "golden.json").read_text())
INPUTS = np.array(GOLDEN["inputs"])

TOLERANCE = {
    # Relative to the greater of 1 and the value. The others round in float64, and lose
    # what cancels; these round to float32 somewhere in between:
    "": 4e-14,
    "mlx": 3e-7,  # its exp, tanh and erf
    "onnx": 1e-7,  # its attributes, erf and the constants of Gelu
    "onnxruntime": 3e-7,  # all, the input too
    "norse:threshold(method='heavi_erfc',alpha=0.7)": 4e-8,  # sqrt(pi)
    "keras2": 1e-7,  # its arguments, as TensorFlow's kernels take them
    "keras:tanh": 3e-7,  # its result, on JAX
    "torch:PReLU(init=0.1)": 2e-8,  # its weight
    "torch:celu(alpha=0.7)": 2e-8,  # alpha, in its derivative
    "torch:hardsigmoid": 1e-8,  # 1/6, in its derivative
    "torch:Hardsigmoid": 1e-8,
    "timm:hard_sigmoid": 1e-8,
    "timm:hardsigmoid": 1e-8,
    # and these have constants of a few digits:
    "hf:gelu_fast": 2e-12,  # 0.7978845608 for sqrt(2/pi)
    "hf:FastGELUActivation": 2e-12,
    "mlx:selu": 5e-6,  # 1.67326 and 1.0507
    "mlx:SELU": 5e-6,
    "hf:xielu": 1e-6,  # min(x, -1e-6), so that it is no function of x in between
    "hf:XIELUActivation": 1e-6,
}

OPEN = {
    # Where a derivative is a convention, and jax_acts follows jax.nn or says otherwise.
    "leaky_relu": {0.0},  # 1 as in jax.nn; the slope in PyTorch, both in MLX
    "rrelu": {0.0},
    "hard_tanh": {-1.0, 1.0},  # 1 as in jax.nn, 0 in PyTorch
    "clip": {0.0},  # 1 as in jax.nn.hard_tanh; 0 in Keras, whose relu comes first
    "selu": {0.0},  # from the left as in jax.nn, from the right in TensorFlow
    "celu": {0.0},  # 1; 0 in MLX, which adds a maximum and a minimum, each of slope 0
    "hard_mish": {-2.0},  # 0; -1 in timm
    "xielu": {0.0},  # beta; beta - alpha_n in transformers, by min(x, -1e-6)
}


def meant(spec):
    """Returns what a spec means here; ONNX Runtime computes what ONNX says."""
    return get(spec.replace("onnxruntime:", "onnx:"))


def tolerance(spec):
    """Returns the tolerance of a spec: its own, or that of its name or its library."""
    name = spec.split("(")[0]
    keys = (spec, name, name.split(":")[0], "")
    return next(TOLERANCE[key] for key in keys if key in TOLERANCE)


@functools.cache
def computed(f):
    """Returns the value and the derivative at the inputs."""

    def both(x):
        y, pullback = jax.vjp(f, x)
        return y, *pullback(jnp.ones_like(y))

    with enable_x64(True):
        return jax.device_get(quickly(both)(jnp.asarray(INPUTS)))


def each(specs):
    """Gives a test every spec; in parallel, those of a function to one process."""
    group = lambda spec: pytest.mark.xdist_group(meant(spec).name)
    return pytest.mark.parametrize(
        "spec", [pytest.param(spec, marks=group(spec)) for spec in specs]
    )


@each(GOLDEN["answers"])
def test_a_name_gives_the_numbers_of_its_library(spec):
    got = computed(meant(spec))[0].reshape(-1)
    agree(spec, got, np.array(GOLDEN["answers"][spec]["value"]))


@each(s for s, a in GOLDEN["answers"].items() if "derivative" in a)
def test_a_name_gives_the_derivatives_of_its_library(spec):
    f = meant(spec)
    got = computed(f)[1]
    want = np.array(GOLDEN["answers"][spec]["derivative"], float)
    # None stands where theirs is not finite, as that of snnTorch's sigmoid far out.
    settled = ~np.isin(INPUTS, list(OPEN.get(f.name, ()))) & np.isfinite(want)
    assert settled.sum() > 20
    agree(f"the derivative of {spec}", got[settled], want[settled], INPUTS[settled])


def agree(spec, got, want, inputs=INPUTS):
    """Fails if two arrays differ, and says where they do most."""
    assert got.shape == want.shape
    error = np.abs(got - want) / np.maximum(1, np.abs(want))
    i = int(np.argmax(error))
    where = f"at x = {inputs[i]}" if len(error) == len(inputs) else f"at place {i}"
    assert error[i] <= tolerance(spec.removeprefix("the derivative of ")), (
        f"{spec} is {want[i]!r} {where}, and {meant(spec.split(' ')[-1])} is {got[i]!r}"
    )
