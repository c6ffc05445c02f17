"""Gated linear units whose gates and values are held within limits.

Where a number is cut off at a limit, the derivative is that from inside at the limit,
as of `torch.clamp`, and 0 beyond it; the limit takes the rest of the derivative.
"""

import jax.numpy as jnp
from jax import Array

from jax_acts._core.function import function
from jax_acts._core.glu import Layout, Order, apply_gate
from jax_acts._numerics.types import Real
from jax_acts.functional.hyperbolic import softcap
from jax_acts.functional.logistic import sigmoid, silu


@function(cite="openai2025")
def swiglu_oai(
    x: Array,
    value: Array | None = None,
    alpha: Real = 1.702,
    limit: Real = 7.0,
    *,
    axis: int = -1,
    order: Order = "gate_first",
    layout: Layout = "interleaved",
) -> Array:
    r"""Clipped SwiGLU, $(a + 1)\, b\, \sigma(\alpha b)$ with $b \le l$ and $|a| \le l$.

    Gates $b$ and values $a$ alternate, as in gpt-oss, if nothing else is said.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        alpha: $\alpha$.
        limit: $l$.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> swiglu_oai(jnp.array([3.0, 1.0, 9.0, -8.0]))
    Array([  5.9638577, -41.999718 ], dtype=float32)
    """

    def rule(gate: Array, value: Array, alpha: Array, limit: Array) -> Array:
        return (_within(value, limit) + 1) * silu(_at_most(gate, limit), alpha)

    return apply_gate(
        "swiglu_oai", rule, x, value, axis, order, layout, alpha=alpha, limit=limit
    )


@function()
def swiglu_clamped(
    x: Array,
    value: Array | None = None,
    limit: Real = 10.0,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
    after: bool = False,
) -> Array:
    r"""SwiGLU within limits, $\mathrm{silu}(\min(b, l))\, \min(\max(a, -l), l)$.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        limit: $l$; 10 in DeepSeek-V4.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.
        after: Whether it is $\min(\mathrm{silu}(b), l)$, as in Step-3.7, in place of
            $\mathrm{silu}(\min(b, l))$, as in DeepSeek-V4.

    >>> swiglu_clamped(jnp.array([3.0]), jnp.ones(1), limit=2.0)
    Array([1.761594], dtype=float32)
    >>> swiglu_clamped(jnp.array([3.0]), jnp.ones(1), limit=2.0, after=True)
    Array([2.], dtype=float32)
    """

    def rule(gate: Array, value: Array, limit: Array) -> Array:
        if after:
            return _at_most(silu(gate), limit) * _within(value, limit)
        return silu(_at_most(gate, limit)) * _within(value, limit)

    return apply_gate(
        "swiglu_clamped", rule, x, value, axis, order, layout, limit=limit
    )


@function()
def situ_glu(
    x: Array,
    value: Array | None = None,
    gate_cap: Real = 4.0,
    value_cap: Real = 25.0,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Softly capped SwiGLU, $c \tanh(b/c)\, \sigma(b)\, d \tanh(a/d)$.

    The sigmoid sees the gates $b$ as they are; $|y| < c\,d$.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        gate_cap: $c$.
        value_cap: $d$.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> situ_glu(jnp.array([2.0, 1000.0]), jnp.array([1.0, 1000.0]))
    Array([  1.627258, 100.      ], dtype=float32)
    """

    def rule(gate: Array, value: Array, gate_cap: Array, value_cap: Array) -> Array:
        return softcap(gate, gate_cap) * sigmoid(gate) * softcap(value, value_cap)

    return apply_gate(
        "situ_glu",
        rule,
        x,
        value,
        axis,
        order,
        layout,
        gate_cap=gate_cap,
        value_cap=value_cap,
    )


def _at_most(x: Array, limit: Array) -> Array:
    return jnp.where(x > limit, limit, x)


def _within(x: Array, limit: Array) -> Array:
    return jnp.where(x < -limit, -limit, _at_most(x, limit))
