"""On CPU a value, and a derivative, is one loop: no intermediate result is stored."""

import re

import jax
import jax.numpy as jnp
import pytest

from jax_acts.testing.evaluation import OPTIMIZED

VALUES = {"arctan": 2}
"""Values with more loops: 20 % faster in cache than one, 40 % slower in memory."""
DERIVATIVES = {"capped": 2}
"""A factor that is a quotient is compared with 0."""


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_value_and_derivative_are_one_loop_each(f, dtype):
    x = jnp.ones(16_384, dtype)
    for g, limits in ((f, VALUES), (f.derivative, DERIVATIVES)):
        program = jax.jit(g).lower(x).compile(OPTIMIZED).as_text()
        if " conditional(" in program:
            pytest.skip("the argument reduction depends on the largest angle")
        loops = re.findall(r" fusion\(", program[program.index("\nENTRY") :])
        assert len(loops) <= limits.get(f.__name__, 1), g.__name__
