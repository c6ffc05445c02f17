"""Gated linear units: one half of the features multiplied by a function of the other.

A backward pass keeps the input alone, and computes the gate again.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._axis import one_axis, real, widened
from jax_acts._function import Axis, Real, function
from jax_acts.functional.gaussian import gelu
from jax_acts.functional.logistic import sigmoid, silu
from jax_acts.functional.rectified import relu


@function(cite="dauphin2016")
def glu(x: Array, axis: Axis = -1, gate_first: bool = False) -> Array:
    r"""Gated linear unit, $a\,\sigma(b)$ for the halves $a$ and $b$ of x.

    Args:
        x: The input.
        axis: The axis that is halved.
        gate_first: Whether the gate $b$ is the first half of x; it is the second one in
            `jax.nn`, PyTorch and Keras.

    Returns:
        An array of the dtype of x, whose axis is half as long.

    Raises:
        TypeError: x is complex.
        ValueError: The axis is out of range, or of an odd size.

    >>> glu(jnp.array([2.0, 4.0, 0.0, -1.0]))
    Array([1.       , 1.0757657], dtype=float32)
    """
    return _gated("glu", sigmoid, x, axis, gate_first)


@function(cite="shazeer2020")
def reglu(x: Array, axis: Axis = -1, gate_first: bool = False) -> Array:
    r"""Gated linear unit with `relu`, $a \max(b, 0)$ for the halves of x.

    Args:
        x: The input.
        axis: As of `glu`.
        gate_first: As of `glu`.

    >>> reglu(jnp.array([2.0, 4.0, 3.0, -1.0]))
    Array([6., 0.], dtype=float32)
    """
    return _gated("reglu", relu, x, axis, gate_first)


@function(cite="shazeer2020")
def geglu(
    x: Array, axis: Axis = -1, approximate: bool = True, gate_first: bool = False
) -> Array:
    r"""Gated linear unit with `gelu`, $a\,\mathrm{gelu}(b)$ for the halves of x.

    Args:
        x: The input.
        axis: As of `glu`.
        approximate: As of `gelu`; T5 and Gemma have its approximation by tanh.
        gate_first: As of `glu`.

    >>> geglu(jnp.array([2.0, 1.0, 3.0, -1.0]), approximate=False)
    Array([ 5.9919004 , -0.15865523], dtype=float32)
    """
    gate = functools.partial(gelu, approximate=approximate)
    return _gated("geglu", gate, x, axis, gate_first)


@function(cite="shazeer2020")
def swiglu(x: Array, axis: Axis = -1, gate_first: bool = False) -> Array:
    r"""Gated linear unit with `silu`, $a\,b\,\sigma(b)$ for the halves of x.

    Args:
        x: The input.
        axis: As of `glu`.
        gate_first: As of `glu`; language models that keep both halves in one matrix,
            "gate_up_proj", mostly have the gate first.

    >>> swiglu(jnp.array([2.0, 1.0, 3.0, -1.0]))
    Array([ 5.715445  , -0.26894143], dtype=float32)
    """
    return _gated("swiglu", silu, x, axis, gate_first)


@function(cite="openai2025")
def swiglu_oai(
    x: Array,
    axis: Axis = -1,
    alpha: Real = 1.702,
    limit: Real = 7.0,
    interleaved: bool = True,
) -> Array:
    r"""Clipped SwiGLU, $(a + 1)\, b\, \sigma(\alpha b)$ with $b \le l$ and $|a| \le l$.

    At a limit the derivative is that from inside.

    Args:
        x: The input, gates $b$ and values $a$.
        axis: The axis that is halved.
        alpha: $\alpha$.
        limit: $l$.
        interleaved: Whether gates and values alternate, as in gpt-oss; otherwise the
            gates are the first half of x.

    >>> swiglu_oai(jnp.array([3.0, 1.0, 9.0, -8.0]))
    Array([  5.9638577, -41.999718 ], dtype=float32)
    """

    def gated(x: Array) -> Array:
        gate, value = _pairs(x, i) if interleaved else _halves(x, i)
        b = jnp.where(gate > limit, limit, gate)
        a = jnp.where(value > limit, limit, jnp.where(value < -limit, -limit, value))
        return (a + 1) * silu(b, alpha)

    x = real("swiglu_oai", "x", x)
    i = _even_axis("swiglu_oai", x, axis)
    return _lean(gated, x)


def _gated(
    name: str, gate: Callable[[Array], Array], x: Array, axis: Axis, gate_first: bool
) -> Array:
    x = real(name, "x", x)
    i = _even_axis(name, x, axis)

    def gated(x: Array) -> Array:
        first, second = _halves(x, i)
        return second * gate(first) if gate_first else first * gate(second)

    return _lean(gated, x)


def _lean(rule: Callable[[Array], Array], x: Array) -> Array:
    """Returns the rule computed in float32 or wider and rounded once."""
    rounded = lambda x: rule(widened(x)).astype(x.dtype)
    return jax.checkpoint(rounded, prevent_cse=False)(x)


def _even_axis(name: str, x: Array, axis: Axis) -> int:
    if not x.ndim:
        raise ValueError(f"{name} needs an axis to halve; x is a scalar")
    i = one_axis(name, x, axis)
    if x.shape[i] % 2:
        raise ValueError(
            f"{name} halves axis {axis}, but its size {x.shape[i]} is odd (x has the "
            f"shape {x.shape})"
        )
    return i


def _halves(x: Array, axis: int) -> tuple[Array, Array]:
    n = x.shape[axis] // 2
    return (
        lax.slice_in_dim(x, 0, n, axis=axis),
        lax.slice_in_dim(x, n, 2 * n, axis=axis),
    )


def _pairs(x: Array, axis: int) -> tuple[Array, Array]:
    """Returns the entries of even and of odd place."""
    n = x.shape[axis] // 2
    pairs = x.reshape(*x.shape[:axis], n, 2, *x.shape[axis + 1 :])
    return (
        lax.index_in_dim(pairs, 0, axis + 1, keepdims=False),
        lax.index_in_dim(pairs, 1, axis + 1, keepdims=False),
    )
