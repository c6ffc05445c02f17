"""Gated linear units: values multiplied by a function of gates, which are as many.

Each takes gates and values in two arrays or in one:

    swiglu(gate, value)                                 two arrays of one shape
    swiglu(x)                                           values, then gates
    swiglu(x, order="gate_first")                       gates, then values
    swiglu(x, order="gate_first", layout="interleaved") gate, value, gate, value, …

The backward pass keeps what the unit is given, and computes the activation of the gates
again. Units with limits are in `gated_bounded`.
"""

from jax import Array

from jax_acts._core.function import function
from jax_acts._core.glu import Layout, Order, apply_gate
from jax_acts._core.spec import Axis
from jax_acts._numerics.types import Real
from jax_acts.functional.exponential_linear import selu
from jax_acts.functional.hyperbolic import tanh
from jax_acts.functional.logistic import gelu_quick, sigmoid, silu
from jax_acts.functional.normal import gelu
from jax_acts.functional.rectified import relu, relu_squared


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

    The second argument is the axis, as in `jax.nn.glu`; of all other units it is the
    value.

    Args:
        x: Gates and values along an axis, or gates alone, where there is a `value`.
        axis: The axis along which both lie in x; with a `value` it says nothing, as do
            the order and the layout.
        value: The values, of the shape of the gates.
        order: Which of the two comes first: the values in `jax.nn`, PyTorch and Keras;
            the gates in most language models that keep both in one matrix.
        layout: "split", where each is one half of the axis, or "interleaved", where
            they alternate.

    Returns:
        An array of the shape of the gates, in the dtype of x, or in the one to which
        x and value promote. 16-bit inputs are computed in float32 and rounded once.

    Raises:
        TypeError: x or value is complex.
        ValueError: The axis is out of range, or of an odd size; gates and values differ
            in shape; or order or layout is no such word.

    >>> glu(jnp.array([2.0, 4.0, 0.0, -1.0]))
    Array([1.       , 1.0757657], dtype=float32)
    >>> glu(jnp.array([0.0, -1.0]), value=jnp.array([2.0, 4.0]))
    Array([1.       , 1.0757657], dtype=float32)
    """
    rule = lambda gate, value: value * sigmoid(gate)
    return apply_gate("glu", rule, x, value, axis, order, layout)


@function(cite="shazeer2020")
def bilinear(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Bilinear unit, $a\,b$ for values $a$ and gates $b$.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> bilinear(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 6., -1.], dtype=float32)
    """
    rule = lambda gate, value: value * gate
    return apply_gate("bilinear", rule, x, value, axis, order, layout)


@function(cite="vandenoord2016")
def gtu(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Gated tanh unit, $\tanh(a)\,\sigma(b)$ for values $a$ and gates $b$.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> gtu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([0.91830784, 0.20482424], dtype=float32)
    """
    rule = lambda gate, value: tanh(value) * sigmoid(gate)
    return apply_gate("gtu", rule, x, value, axis, order, layout)


@function(cite="shazeer2020")
def reglu(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Gated linear unit with `relu`, $a \max(b, 0)$ for values $a$ and gates $b$.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> reglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([6., 0.], dtype=float32)
    """
    rule = lambda gate, value: value * relu(gate)
    return apply_gate("reglu", rule, x, value, axis, order, layout)


@function()
def sreglu(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Gated linear unit with `relu_squared`, $a \max(b, 0)^2$, $b$ being the gates.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> sreglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([18.,  0.], dtype=float32)
    """
    rule = lambda gate, value: value * relu_squared(gate)
    return apply_gate("sreglu", rule, x, value, axis, order, layout)


@function(cite="song2024")
def drelu(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Rectified values times rectified gates, $\max(a, 0) \max(b, 0)$.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> drelu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([6., 0.], dtype=float32)
    """
    rule = lambda gate, value: relu(value) * relu(gate)
    return apply_gate("drelu", rule, x, value, axis, order, layout)


@function()
def seglu(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Gated linear unit with `selu`, $a\,\mathrm{selu}(b)$, $b$ being the gates.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> seglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 6.304206 , -1.1113307], dtype=float32)
    """
    rule = lambda gate, value: value * selu(gate)
    return apply_gate("seglu", rule, x, value, axis, order, layout)


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
    r"""Gated linear unit with `gelu`, $a\,\mathrm{gelu}(b)$, $b$ being the gates.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.
        approximate: As of `gelu`; T5 and Gemma have its approximation by tanh.

    >>> geglu(jnp.array([2.0, 1.0, 3.0, -1.0]), approximate=False)
    Array([ 5.9919004 , -0.15865524], dtype=float32)
    """
    rule = lambda gate, value: value * gelu(gate, approximate)
    return apply_gate("geglu", rule, x, value, axis, order, layout)


@function()
def qgeglu(
    x: Array,
    value: Array | None = None,
    *,
    axis: int = -1,
    order: Order = "value_first",
    layout: Layout = "split",
) -> Array:
    r"""Gated linear unit with `gelu_quick`, $a\,b\,\sigma(1.702\,b)$.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> qgeglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 5.9638577 , -0.15420423], dtype=float32)
    """
    rule = lambda gate, value: value * gelu_quick(gate)
    return apply_gate("qgeglu", rule, x, value, axis, order, layout)


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
    r"""Gated linear unit with `silu`, $a\,b\,\sigma(\beta b)$, $b$ being the gates.

    Args:
        x: As of `glu`.
        value: As of `glu`.
        beta: $\beta$, as of `silu`.
        axis: As of `glu`.
        order: As of `glu`.
        layout: As of `glu`.

    >>> swiglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 5.715445  , -0.26894143], dtype=float32)
    """
    rule = lambda gate, value, beta: value * silu(gate, beta)
    return apply_gate("swiglu", rule, x, value, axis, order, layout, beta=beta)
