"""Piecewise linear and quadratic functions with saturation or a dead zone."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import (
    clip_to,
    max_nan_free,
    min_nan_free,
    mul_sign,
    propagate_nan,
    where,
)
from jax_acts._numerics.types import Real

__all__ = [
    "clip",
    "hard_mish",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "shrink",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "sqnl",
]

INF = math.inf


def _clip_reference(x, min_val, max_val):
    return min(max(x, min_val), max_val)


@activation(
    cite="collobert2004",
    range=(-1, 1),
    kinks={-1: 1, 1: 1},
    exact=True,
    reference=lambda m, x, min_val=-1, max_val=1: _clip_reference(x, min_val, max_val),
)
def hard_tanh(x: Real, min_val: Real = -1.0, max_val: Real = 1.0) -> Array:
    r"""Hard tanh, $\min(\max(x, a), b)$.

    The derivatives at $a$ and $b$ are 1.

    Args:
        x: The input.
        min_val: $a$.
        max_val: $b$.

    >>> hard_tanh(jnp.array([-2.0, 0.5, 3.0]))
    Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return clip_to(x, min_val, max_val)


@hard_tanh.defderivative
def hard_tanh_dx(x: Real, min_val: Real = -1.0, max_val: Real = 1.0) -> Array:
    return propagate_nan(x, where((x >= min_val) & (x <= max_val), 1.0, 0.0))


@hard_tanh.defpartial("min_val")
def hard_tanh_dmin_val(x: Real, min_val: Real = -1.0, max_val: Real = 1.0) -> Array:
    below = (x < min_val) & (min_val <= max_val)
    return propagate_nan(x, where(below, 1.0, 0.0))


@hard_tanh.defpartial("max_val")
def hard_tanh_dmax_val(x: Real, min_val: Real = -1.0, max_val: Real = 1.0) -> Array:
    above = (x > max_val) | (min_val > max_val)
    return propagate_nan(x, where(above, 1.0, 0.0))


@activation(
    kinks={},
    exact=True,
    reference=lambda m, x, min_val=-INF, max_val=INF: _clip_reference(
        x, min_val, max_val
    ),
)
def clip(x: Real, min_val: Real = -INF, max_val: Real = INF) -> Array:
    r"""Clip to an interval, $\min(\max(x, a), b)$.

    It is `hard_tanh` with infinite default bounds.

    Args:
        x: The input.
        min_val: $a$.
        max_val: $b$.

    >>> clip(jnp.array([-2.0, 0.5, 30.0]), 0.0, 20.0)
    Array([ 0. ,  0.5, 20. ], dtype=float32)
    """
    return hard_tanh.without_custom_jvp(x, min_val, max_val)


@clip.defderivative
def clip_dx(x: Real, min_val: Real = -INF, max_val: Real = INF) -> Array:
    return hard_tanh.derivative(x, min_val, max_val)


@clip.defpartial("min_val")
def clip_dmin_val(x: Real, min_val: Real = -INF, max_val: Real = INF) -> Array:
    return hard_tanh.partial("min_val")(x, min_val, max_val)


@clip.defpartial("max_val")
def clip_dmax_val(x: Real, min_val: Real = -INF, max_val: Real = INF) -> Array:
    return hard_tanh.partial("max_val")(x, min_val, max_val)


@activation(
    cite="howard2019 courbariaux2015",
    range=(0, 1),
    kinks={-3: 0, 3: 0},
    reference=lambda m, x, slope=1 / 6, offset=0.5: _clip_reference(
        (x + 3) / 6
        if (slope, offset) == (1 / 6, 0.5)
        else m.mpf(slope) * x + m.mpf(offset),
        0,
        1,
    ),
    bounds={"slope": (1e-6, INF)},
    limits={"slope": (INF,)},
)
def hard_sigmoid(x: Real, slope: Real = 1 / 6, offset: Real = 0.5) -> Array:
    r"""Hard sigmoid, $\min(\max(k x + c, 0), 1)$.

    The derivatives at both kinks are 0.

    Args:
        x: The input.
        slope: $k$: 1/6 in JAX, PyTorch and Keras 3, 0.2 in Keras 2 and ONNX.
        offset: $c$.

    >>> hard_sigmoid(jnp.array([-4.0, 1.5, 3.0]))
    Array([0.  , 0.75, 1.  ], dtype=float32)
    """
    zero = -offset / slope
    y = (jnp.asarray(x) - zero) * slope  # k x + c cancels near its zero
    if not isinstance(slope, float):
        y = where(slope == 0, lax.full_like(y, 0) + offset, y)
    return min_nan_free(1.0, max_nan_free(0.0, y))


@hard_sigmoid.defderivative
def hard_sigmoid_dx(x: Real, slope: Real = 1 / 6, offset: Real = 0.5) -> Array:
    return _where_linear(x, slope, offset, slope)


@hard_sigmoid.defpartial("slope")
def hard_sigmoid_dslope(x: Real, slope: Real = 1 / 6, offset: Real = 0.5) -> Array:
    return _where_linear(x, slope, offset, x)


@hard_sigmoid.defpartial("offset")
def hard_sigmoid_doffset(x: Real, slope: Real = 1 / 6, offset: Real = 0.5) -> Array:
    return _where_linear(x, slope, offset, 1.0)


def _where_linear(x: Real, slope: Real, offset: Real, value: Real) -> Array:
    """Return `value` where `hard_sigmoid` is between 0 and 1, else 0."""
    linear = (x > -offset / slope) & (x < (1 - offset) / slope)
    return propagate_nan(x, where(linear, value, 0.0))


@activation(
    cite="howard2019",
    range=(-0.375, INF),
    kinks={-3: 0, 3: 1},
    reference=lambda m, x: x * _clip_reference((x + 3) / 6, 0, 1),
)
def hard_silu(x: Real) -> Array:
    r"""Hard SiLU or hard swish, $x \min(\max(x/6 + 1/2, 0), 1)$.

    The derivative is 0 at -3 and 1 at 3.

    >>> hard_silu(jnp.array([-4.0, -1.5, 3.0]))
    Array([-0.   , -0.375,  3.   ], dtype=float32)
    """
    clipped = max_nan_free(-3.0, jnp.asarray(x))  # -inf * 0 is NaN
    return clipped * (min_nan_free(6.0, clipped + 3) * (1 / 6))


@hard_silu.defderivative
def hard_silu_dx(x: Real) -> Array:
    middle = (2 * jnp.asarray(x) + 3) * (1 / 6)
    return where(x <= -3, 0.0, where(x >= 3, 1.0, middle))


hard_swish = hard_silu


@activation(
    range=(-0.5, INF),
    kinks={-2: 0},
    reference=lambda m, x: x * _clip_reference(x + 2, 0, 2) / 2,
)
def hard_mish(x: Real) -> Array:
    r"""Hard mish, $\frac{x}{2} \min(\max(x + 2, 0), 2)$.

    The derivative at -2 is 0.

    >>> hard_mish(jnp.array([-4.0, -1.0, 3.0]))
    Array([-0. , -0.5,  3. ], dtype=float32)
    """
    clipped = max_nan_free(-2.0, jnp.asarray(x))  # -inf * 0 is NaN
    return clipped * (min_nan_free(2.0, clipped + 2) * 0.5)


@hard_mish.defderivative
def hard_mish_dx(x: Real) -> Array:
    return where(x <= -2, 0.0, where(x >= 0, 1.0, jnp.asarray(x) + 1))


@activation(
    cite="blondel2019",
    range=(0, INF),
    reference=lambda m, x: m.mpf(0) if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
)
def sparse_plus(x: Real) -> Array:
    r"""Sparse plus: 0 if $x \le -1$, $(x + 1)^2 / 4$ if $|x| < 1$, $x$ if $x \ge 1$.

    It is the integral of `sparse_sigmoid`, as `softplus` is the integral of `sigmoid`.

    >>> sparse_plus(jnp.array([-2.0, 0.0, 3.0]))
    Array([0.  , 0.25, 3.  ], dtype=float32)
    """
    middle = lax.square(jnp.asarray(x) + 1) * 0.25
    return where(x <= -1, 0.0, where(x >= 1, x, middle))


@sparse_plus.defderivative
def sparse_plus_dx(x: Real) -> Array:
    return sparse_sigmoid(x)


@activation(
    cite="blondel2019 courbariaux2015",
    range=(0, 1),
    kinks={-1: 0.25, 1: 0.25},
    reference=lambda m, x: _clip_reference((x + 1) / 2, 0, 1),
)
def sparse_sigmoid(x: Real) -> Array:
    r"""Sparse sigmoid, $\min(\max((x + 1) / 2, 0), 1)$.

    The derivative at $\pm 1$ is 1/4, as in JAX. BinaryConnect calls the same function
    hard sigmoid.

    >>> sparse_sigmoid(jnp.array([-2.0, 0.0, 3.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    return 0.5 * (min_nan_free(1.0, max_nan_free(-1.0, jnp.asarray(x))) + 1)


@sparse_sigmoid.defderivative
def sparse_sigmoid_dx(x: Real) -> Array:
    a = lax.abs(x)
    return propagate_nan(x, where(a < 1, 0.5, where(a == 1, 0.25, 0.0)))


@activation(
    cite="donoho1995",
    kinks={-0.5: 0, 0.5: 0},
    reference=lambda m, x, threshold=0.5: x if abs(x) > threshold else 0 * x,
)
def hard_shrink(x: Real, threshold: Real = 0.5) -> Array:
    r"""Hard shrinkage, $x$ if $|x| > \lambda$, else 0.

    The derivatives with respect to $x$ at $\pm\lambda$, and with respect to $\lambda$
    everywhere, are 0.

    Args:
        x: The input.
        threshold: $\lambda$.

    >>> hard_shrink(jnp.array([-2.0, 0.25, 3.0]))
    Array([-2.,  0.,  3.], dtype=float32)
    """
    return where(lax.abs(x) <= threshold, 0, x)


@hard_shrink.defderivative
def hard_shrink_dx(x: Real, threshold: Real = 0.5) -> Array:
    return propagate_nan(x, where(lax.abs(x) > threshold, 1.0, 0.0))


@hard_shrink.defpartial("threshold")
def hard_shrink_dthreshold(x: Real, threshold: Real = 0.5) -> Array:
    return propagate_nan(x, 0.0)


@activation(
    cite="donoho1995",
    kinks={-0.5: 0, 0.5: 0},
    reference=lambda m, x, threshold=0.5: m.sign(x) * max(abs(x) - m.mpf(threshold), 0),
)
def soft_shrink(x: Real, threshold: Real = 0.5) -> Array:
    r"""Soft shrinkage, $\operatorname{sign}(x) \max(|x| - \lambda, 0)$.

    The derivative at $\pm\lambda$ is 0.

    Args:
        x: The input.
        threshold: $\lambda$.

    >>> soft_shrink(jnp.array([-2.0, 0.25, 3.0]))
    Array([-1.5,  0. ,  2.5], dtype=float32)
    """
    is_outside = (lax.abs(x) > threshold) & (x != 0)
    outside = x - threshold * mul_sign(jnp.ones_like(x), x)
    return propagate_nan(x, where(is_outside, outside, 0.0))


@soft_shrink.defderivative
def soft_shrink_dx(x: Real, threshold: Real = 0.5) -> Array:
    return hard_shrink_dx(x, threshold)


@soft_shrink.defpartial("threshold")
def soft_shrink_dthreshold(x: Real, threshold: Real = 0.5) -> Array:
    minus_sign = -mul_sign(jnp.ones_like(x), x)
    return propagate_nan(x, where(lax.abs(x) > threshold, minus_sign, 0.0))


@activation(
    kinks={-0.5: 0, 0.5: 0},
    reference=lambda m, x, threshold=0.5, bias=0: (
        x - m.mpf(bias)
        if x > threshold
        else x + m.mpf(bias)
        if x < -threshold
        else 0 * x
    ),
)
def shrink(x: Real, threshold: Real = 0.5, bias: Real = 0.0) -> Array:
    r"""Shrinkage of ONNX: $x - b$ if $x > \lambda$, $x + b$ if $x < -\lambda$, else 0.

    It is `hard_shrink` at $b = 0$ and `soft_shrink` at $b = \lambda$. The derivatives
    with respect to $x$ at $\pm\lambda$, and with respect to $\lambda$ everywhere,
    are 0.

    Args:
        x: The input.
        threshold: $\lambda$.
        bias: $b$.

    >>> shrink(jnp.array([-2.0, 0.25, 3.0]), bias=0.5)
    Array([-1.5,  0. ,  2.5], dtype=float32)
    """
    outside = where(x > 0, x - bias, x + bias)
    return where(lax.abs(x) <= threshold, 0, outside)


@shrink.defderivative
def shrink_dx(x: Real, threshold: Real = 0.5, bias: Real = 0.0) -> Array:
    return hard_shrink_dx(x, threshold)


@shrink.defpartial("threshold")
def shrink_dthreshold(x: Real, threshold: Real = 0.5, bias: Real = 0.0) -> Array:
    return propagate_nan(x, 0.0)


@shrink.defpartial("bias")
def shrink_dbias(x: Real, threshold: Real = 0.5, bias: Real = 0.0) -> Array:
    return soft_shrink_dthreshold(x, threshold)


@activation(
    cite="wuraola2018",
    range=(-1, 1),
    reference=lambda m, x: x * (1 - abs(x) / 4) if abs(x) < 2 else m.sign(x),
)
def sqnl(x: Real) -> Array:
    r"""Square nonlinearity, $x - x|x|/4$ if $|x| < 2$, else $\operatorname{sign}(x)$.

    >>> sqnl(jnp.array([-3.0, 0.0, 1.0]))
    Array([-1.  ,  0.  ,  0.75], dtype=float32)
    """
    clipped = clip_to(x, -2, 2)
    return clipped * (1 - 0.25 * lax.abs(clipped))


@sqnl.defderivative
def sqnl_dx(x: Real) -> Array:
    return jnp.maximum(1 - 0.5 * lax.abs(x), 0)


@sqnl.derivative.defderivative
def sqnl_dx2(x: Real) -> Array:
    return propagate_nan(x, where(lax.abs(x) < 2, -0.5 * jnp.sign(x), 0.0))
