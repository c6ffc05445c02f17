"""On CPU a value, and a derivative, is one loop: no intermediate result is stored."""

import re

import jax
import jax.numpy as jnp
import pytest

from jax_acts.testing.evaluation import OPTIMIZED

ANGLES = frozenset(
    [
        *("cosine", "finer", "gabor", "gcu", "gelu_sine", "sinc", "sine", "sine_relu"),
        *("snake", "snake_beta"),
    ]
)
"""Functions whose argument reduction depends on the largest angle."""
MORE_LOOPS = {"arctan": 2}
"""Values with more loops: 20 % faster in cache than one, 40 % slower in memory."""
FREE = {"parameter", "constant", "bitcast", "tuple"}
OPERATION = re.compile(r" = \S+ ([\w-]+)\(")


def operations(f, dtype):
    """Return the operations of the compiled program, a fusion being one."""
    lowered = jax.jit(f).lower(jnp.ones(16_384, dtype))
    program = lowered.compile(OPTIMIZED).as_text()
    names = OPERATION.findall(program[program.index("\nENTRY") :])
    return [name for name in names if name not in FREE]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_value_and_derivative_are_one_loop_each(f, dtype):
    name = f.__name__
    value, derivative = operations(f, dtype), operations(f.derivative, dtype)
    if name in ANGLES:
        assert "conditional" in value
        assert "conditional" in derivative
    else:
        assert len(value) == MORE_LOOPS.get(name, 1), value
        assert len(derivative) == 1, derivative
