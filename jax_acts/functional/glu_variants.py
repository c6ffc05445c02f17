r"""Gated linear units: values $a$ multiplied by a function of gates $b$.

Gate and value are two arrays, or two halves of one array:

    swiglu(gate, value)                                 two arrays of equal shape
    swiglu(x)                                           values, then gates
    swiglu(x, order="gate_first")                       gates, then values
    swiglu(x, order="gate_first", layout="interleaved") gate, value, gate, value, …

All units take the arguments of `glu`; `axis` is keyword-only except in `glu`. The
backward pass stores only the inputs and recomputes the gate activation.
"""

import math
from collections.abc import Callable
from typing import Protocol

import jax.numpy as jnp
from jax import Array

from jax_acts._core.function import function
from jax_acts._core.glu import Layout, Order, apply_gate
from jax_acts._core.spec import Axis
from jax_acts._numerics.types import Real
from jax_acts.functional.exponential_linear import selu
from jax_acts.functional.hyperbolic import softcap, tanh
from jax_acts.functional.logistic import gelu_quick, sigmoid, silu
from jax_acts.functional.normal import gelu
from jax_acts.functional.rectified import relu, relu_squared

__all__ = [
    "bilinear",
    "drelu",
    "geglu",
    "glu",
    "gtu",
    "qgeglu",
    "reglu",
    "seglu",
    "situ_glu",
    "sreglu",
    "swiglu",
    "swiglu_clamped",
    "swiglu_oai",
]


@function(cite="dauphin2016")
def glu(
    x: Array,
    axis: Axis = -1,
    value: Array | None = None,
    *,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Gated linear unit, $a\,\sigma(b)$ for values $a$ and gates $b$.

    The second argument is the axis, as in `jax.nn.glu`; in all other units it is the
    value.

    Args:
        x: Gates and values along `axis`, or the gates if `value` is given.
        axis: The axis of x that holds gates and values. Ignored if `value` is given,
            like `order` and `layout`.
        value: The values, of the shape of the gates.
        order: "value_first", as in `jax.nn`, PyTorch and Keras, or "gate_first", as in
            most language models with a fused projection.
        layout: "split" (two halves of the axis) or "interleaved" (alternating).

    Returns:
        An array of the shape of the gates, in the dtype of x, or in the promoted dtype
        of x and value. 16-bit inputs are computed in float32 and rounded once.

    Raises:
        TypeError: x or value is complex.
        ValueError: The axis is out of range or has odd size; the shapes of gates and
            values differ; or `order` or `layout` is unknown.

    >>> glu(jnp.array([2.0, 4.0, 0.0, -1.0]))
    Array([1.       , 1.0757657], dtype=float32)
    >>> glu(jnp.array([0.0, -1.0]), value=jnp.array([2.0, 4.0]))
    Array([1.       , 1.0757657], dtype=float32)
    """
    rule = lambda gate, value: value * sigmoid(gate)
    return apply_gate("glu", rule, x, value, axis, order, layout)


class _GatedUnit(Protocol):
    def __call__(
        self,
        x: Array,
        value: Array | None = None,
        *,
        axis: int = -1,
        order: Order = "value_first",
        layout: Layout = "split",
    ) -> Array: ...


def _gated_unit(rule: Callable[[Array, Array], Array]) -> _GatedUnit:
    """Make `rule(gate, value)` a function of the arguments of `_GatedUnit`."""

    def unit(
        x: Array,
        value: Array | None = None,
        *,
        axis: int = -1,
        order: Order = "value_first",
        layout: Layout = "split",
    ) -> Array:
        return apply_gate(rule.__name__, rule, x, value, axis, order, layout)

    unit.__name__ = unit.__qualname__ = rule.__name__
    unit.__doc__ = rule.__doc__
    return unit


@function(cite="shazeer2020")
@_gated_unit
def bilinear(gate: Array, value: Array) -> Array:
    r"""Bilinear unit, $a\,b$ for values $a$ and gates $b$.

    >>> bilinear(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 6., -1.], dtype=float32)
    """
    return value * gate


@function(cite="vandenoord2016")
@_gated_unit
def gtu(gate: Array, value: Array) -> Array:
    r"""Gated tanh unit, $\tanh(a)\,\sigma(b)$ for values $a$ and gates $b$.

    >>> gtu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([0.91831 , 0.204824], dtype=float32)
    """
    return tanh(value) * sigmoid(gate)


@function(cite="shazeer2020")
@_gated_unit
def reglu(gate: Array, value: Array) -> Array:
    r"""GLU with `relu`, $a \max(b, 0)$ for values $a$ and gates $b$.

    >>> reglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([6., 0.], dtype=float32)
    """
    return value * relu(gate)


@function()
@_gated_unit
def sreglu(gate: Array, value: Array) -> Array:
    r"""GLU with `relu_squared`, $a \max(b, 0)^2$ for values $a$ and gates $b$.

    >>> sreglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([18.,  0.], dtype=float32)
    """
    return value * relu_squared(gate)


@function(cite="song2024")
@_gated_unit
def drelu(gate: Array, value: Array) -> Array:
    r"""Double ReLU, $\max(a, 0) \max(b, 0)$ for values $a$ and gates $b$.

    >>> drelu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([6., 0.], dtype=float32)
    """
    return relu(value) * relu(gate)


@function()
@_gated_unit
def seglu(gate: Array, value: Array) -> Array:
    r"""GLU with `selu`, $a\,\mathrm{selu}(b)$ for values $a$ and gates $b$.

    >>> seglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 6.304206 , -1.1113307], dtype=float32)
    """
    return value * selu(gate)


@function()
@_gated_unit
def qgeglu(gate: Array, value: Array) -> Array:
    r"""GLU with `gelu_quick`, $a\,b\,\sigma(1.702\,b)$ for values $a$ and gates $b$.

    >>> qgeglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 5.96386 , -0.15420], dtype=float32)
    """
    return value * gelu_quick(gate)


@function(cite="shazeer2020")
def geglu(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
    approximate: bool = True,
) -> Array:
    r"""GLU with `gelu`, $a\,\mathrm{gelu}(b)$ for values $a$ and gates $b$.

    Args:
        approximate: See `gelu`; T5 and Gemma use the tanh approximation.

    >>> geglu(jnp.array([2.0, 1.0, 3.0, -1.0]), approximate=False)
    Array([ 5.9919004 , -0.15865524], dtype=float32)
    """
    rule = lambda gate, value: value * gelu(gate, approximate)
    return apply_gate("geglu", rule, x, value, axis, order, layout)


@function(cite="shazeer2020")
def swiglu(
    x: Array,
    value: Array | None = None,
    beta: Real = 1.0,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""GLU with `silu`, $a\,b\,\sigma(\beta b)$ for values $a$ and gates $b$.

    Args:
        beta: $\beta$, see `silu`.

    >>> swiglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 5.715445  , -0.26894143], dtype=float32)
    """
    rule = lambda gate, value, beta: value * silu(gate, beta)
    return apply_gate("swiglu", rule, x, value, axis, order, layout, beta=beta)


# Bounded units. At a clipping limit the derivative is the one-sided derivative from
# inside, as in `torch.clamp`; beyond it the gradient goes to the limit.


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
    r"""Clipped SwiGLU, $(a + 1)\, b\, \sigma(\alpha b)$ with gates $b$ clipped to
    $b \le l$ and values $a$ to $|a| \le l$.

    Args:
        alpha: $\alpha$.
        limit: $l$.
        order: See `glu`; the default is that of gpt-oss.
        layout: See `glu`; the default is that of gpt-oss.

    >>> swiglu_oai(jnp.array([3.0, 1.0, 9.0, -8.0]))
    Array([  5.9638577, -41.999718 ], dtype=float32)
    """

    def rule(gate: Array, value: Array, alpha: Array, limit: Array) -> Array:
        return (_clip(value, limit) + 1) * silu(_clip_above(gate, limit), alpha)

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
    r"""Clipped SwiGLU, $\mathrm{silu}(\min(b, l))\, \min(\max(a, -l), l)$ for values
    $a$ and gates $b$.

    Args:
        limit: $l$; 10 in DeepSeek-V4.
        after: If true, clip after the activation, $\min(\mathrm{silu}(b), l)$, as in
            Step-3.7; if false before it, as in DeepSeek-V4.

    >>> swiglu_clamped(jnp.array([3.0]), jnp.ones(1), limit=2.0)
    Array([1.761594], dtype=float32)
    >>> swiglu_clamped(jnp.array([3.0]), jnp.ones(1), limit=2.0, after=True)
    Array([2.], dtype=float32)
    """

    def rule(gate: Array, value: Array, limit: Array) -> Array:
        if after:
            return _clip_above(silu(gate), limit) * _clip(value, limit)
        return silu(_clip_above(gate, limit)) * _clip(value, limit)

    return apply_gate(
        "swiglu_clamped", rule, x, value, axis, order, layout, limit=limit
    )


@function(bounds={"gate_cap": (1e-6, math.inf), "value_cap": (1e-6, math.inf)})
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
    r"""Soft-capped SwiGLU, $c \tanh(b/c)\, \sigma(b)\, d \tanh(a/d)$ for values
    $a$ and gates $b$.

    The sigmoid uses the uncapped gates; $|y| < c\,d$.

    Args:
        gate_cap: $c$.
        value_cap: $d$.

    >>> situ_glu(jnp.array([2.0, 1000.0]), jnp.array([1.0, 1000.0]))
    Array([  1.627258, 100.      ], dtype=float32)
    """

    def rule(gate: Array, value: Array, gate_cap: Array, value_cap: Array) -> Array:
        return softcap(gate, gate_cap) * sigmoid(gate) * softcap(value, value_cap)

    caps = {"gate_cap": gate_cap, "value_cap": value_cap}
    return apply_gate("situ_glu", rule, x, value, axis, order, layout, **caps)


def _clip_above(x: Array, limit: Array) -> Array:
    return jnp.where(x > limit, limit, x)


def _clip(x: Array, limit: Array) -> Array:
    return jnp.where(x < -limit, -limit, _clip_above(x, limit))
