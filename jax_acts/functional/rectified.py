"""The identity, and rectifiers: piecewise functions with a threshold."""

import math

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._core.function import function
from jax_acts._numerics.bitwise import clip_to, minimum, propagate_nan, where
from jax_acts._numerics.coefficients import SQRT_HALF
from jax_acts._numerics.types import Real

__all__ = [
    "absolute",
    "identity",
    "leaky_relu",
    "linear",
    "prelu",
    "relu",
    "relu6",
    "relu_cubed",
    "relu_squared",
    "rrelu",
    "star_relu",
    "threshold",
    "thresholded_relu",
]

INF = math.inf


@activation(exact=True, reference=lambda m, x: x)
def identity(x: Real) -> Array:
    r"""Identity, $x$.

    The derivative is 1, also at NaN: XLA removes the product.

    >>> identity(jnp.array([-2.0, 3.0]))
    Array([-2.,  3.], dtype=float32)
    """
    return jnp.asarray(x)


@identity.defderivative
def identity_dx(x: Real) -> Array:
    return jnp.ones_like(x)


linear = identity


@activation(
    cite="nair2010 bertoin2021",
    range=(0, INF),
    kinks={0: 0},
    exact=True,
    reference=lambda m, x: max(x, 0),
)
def relu(x: Real) -> Array:
    r"""Rectified linear unit, $\max(x, 0)$.

    The derivative at 0 is 0.

    >>> relu(jnp.array([-2.0, 0.0, 3.0]))
    Array([0., 0., 3.], dtype=float32)
    """
    return jnp.maximum(x, 0)


@relu.defderivative
def relu_dx(x: Real) -> Array:
    return jnp.maximum(jnp.sign(x), 0)


@relu.defoutput(exact=True)
def relu_dx_from_y(y: Array) -> Array:
    # No select: XLA recomputes selects in every fusion that reads the gradient.
    return jnp.sign(y)


@activation(range=(0, INF), kinks={0: 0}, exact=True, reference=lambda m, x: abs(x))
def absolute(x: Real) -> Array:
    r"""Absolute value or full-wave rectifier, $|x|$.

    The derivative at 0 is 0.

    >>> absolute(jnp.array([-2.0, 0.0, 3.0]))
    Array([2., 0., 3.], dtype=float32)
    """
    return lax.abs(x)


@absolute.defderivative
def absolute_dx(x: Real) -> Array:
    return jnp.sign(x)


@absolute.derivative.defderivative
def absolute_dx2(x: Real) -> Array:
    return propagate_nan(x, 0.0)


@activation(
    cite="krizhevsky2010",
    range=(0, 6),
    kinks={0: 0, 6: 0},
    exact=True,
    reference=lambda m, x: min(max(x, 0), 6),
)
def relu6(x: Real) -> Array:
    r"""Rectified linear unit capped at 6, $\min(\max(x, 0), 6)$.

    The derivatives at 0 and 6 are 0.

    >>> relu6(jnp.array([-2.0, 3.0, 8.0]))
    Array([0., 3., 6.], dtype=float32)
    """
    return clip_to(x, 0, 6)


@relu6.defderivative
def relu6_dx(x: Real) -> Array:
    return propagate_nan(x, where((x > 0) & (x < 6), 1.0, 0.0))


@relu6.defoutput(exact=True)
def relu6_dx_from_y(y: Array) -> Array:
    return where(y == 6, 0.0, jnp.sign(y))


@activation(
    cite="maas2013 he2015",
    kinks={0: 1},
    reference=lambda m, x, negative_slope=0.01: (
        x if x > 0 else m.mpf(negative_slope) * x
    ),
)
def leaky_relu(x: Real, negative_slope: Real = 0.01) -> Array:
    r"""Leaky rectifier, $x$ if $x \ge 0$, else $\alpha x$.

    The derivative at 0 is 1. PReLU is `leaky_relu` with a learned $\alpha$:
    `negative_slope=Learn(0.25)`.

    Args:
        x: The input.
        negative_slope: $\alpha$.

    >>> leaky_relu(jnp.array([-2.0, 3.0]), 0.1)
    Array([-0.2,  3. ], dtype=float32)
    """
    return where(x >= 0, x, negative_slope * x)


@leaky_relu.defderivative
def leaky_relu_dx(x: Real, negative_slope: Real = 0.01) -> Array:
    return propagate_nan(x, where(x >= 0, 1.0, negative_slope))


@leaky_relu.defpartial("negative_slope")
def leaky_relu_dnegative_slope(x: Real, negative_slope: Real = 0.01) -> Array:
    return minimum(x, 0)


prelu = leaky_relu


@function(cite="xu2015")
def rrelu(
    x: Array,
    key: Array | None = None,
    lower: Real = 1 / 8,
    upper: Real = 1 / 3,
    *,
    training: bool = False,
) -> Array:
    r"""Randomized leaky rectifier, $x$ if $x \ge 0$, else $\alpha x$, $\alpha$ random.

    Args:
        x: The input.
        key: PRNG key; required if `training`.
        lower: Lower bound of $\alpha$.
        upper: Upper bound of $\alpha$.
        training: If true, sample $\alpha$ for each element, uniformly from
            [`lower`, `upper`); otherwise $\alpha$ is the mean of the bounds.

    Raises:
        ValueError: `training` is true and `key` is None.

    >>> rrelu(jnp.array([-48.0, 3.0]))
    Array([-11.,   3.], dtype=float32)
    """
    if not training:
        return leaky_relu(x, (lower + upper) / 2)
    if key is None:
        raise ValueError("rrelu: expected a PRNG key with training=True, got key=None")
    # Sampled in float32, so that a key gives the same slopes for every dtype.
    uniform = jax.random.uniform(key, jnp.shape(x), jnp.float32)
    uniform = uniform.astype(jnp.result_type(x, uniform))
    return leaky_relu(x, lower + (upper - lower) * uniform)


@activation(
    cite="konda2014",
    range=(0, INF),
    kinks={1: 0},
    reference=lambda m, x, theta=1: x if x > theta else 0 * x,
)
def thresholded_relu(x: Real, theta: Real = 1.0) -> Array:
    r"""Thresholded rectifier, $x$ if $x > \theta$, else 0.

    The derivatives with respect to $x$ at $\theta$, and with respect to $\theta$
    everywhere, are 0.

    Args:
        x: The input.
        theta: $\theta$.

    >>> thresholded_relu(jnp.array([0.5, 3.0]))
    Array([0., 3.], dtype=float32)
    """
    return where(x <= theta, 0, x)


@thresholded_relu.defderivative
def thresholded_relu_dx(x: Real, theta: Real = 1.0) -> Array:
    return propagate_nan(x, where(x > theta, 1.0, 0.0))


@thresholded_relu.defpartial("theta")
def thresholded_relu_dtheta(x: Real, theta: Real = 1.0) -> Array:
    return propagate_nan(x, 0.0)


@activation(
    kinks={0: 0},
    reference=lambda m, x, threshold=0, value=0: x if x > threshold else m.mpf(value),
    range=(0, INF),
)
def threshold(x: Real, threshold: Real = 0.0, value: Real = 0.0) -> Array:
    r"""Threshold, $x$ if $x > \theta$, else $v$.

    The derivatives with respect to $x$ at $\theta$, and with respect to $\theta$
    everywhere, are 0.

    Args:
        x: The input.
        threshold: $\theta$.
        value: $v$.

    >>> threshold(jnp.array([0.05, 3.0]), 0.1, 20.0)
    Array([20.,  3.], dtype=float32)
    """
    return where(x <= threshold, value, x)


@threshold.defderivative
def threshold_dx(x: Real, threshold: Real = 0.0, value: Real = 0.0) -> Array:
    return thresholded_relu_dx(x, threshold)


@threshold.defpartial("threshold")
def threshold_dthreshold(x: Real, threshold: Real = 0.0, value: Real = 0.0) -> Array:
    return propagate_nan(x, 0.0)


@threshold.defpartial("value")
def threshold_dvalue(x: Real, threshold: Real = 0.0, value: Real = 0.0) -> Array:
    return propagate_nan(x, where(x <= threshold, 1.0, 0.0))


@activation(cite="so2021", range=(0, INF), reference=lambda m, x: max(x, 0) ** 2)
def relu_squared(x: Real) -> Array:
    r"""Squared rectifier, $\max(x, 0)^2$.

    >>> relu_squared(jnp.array([-2.0, 3.0]))
    Array([0., 9.], dtype=float32)
    """
    return jnp.square(jnp.maximum(x, 0))


@relu_squared.defderivative
def relu_squared_dx(x: Real) -> Array:
    return 2 * relu(x)


@relu_squared.defoutput()
def relu_squared_dx_from_y(y: Array) -> Array:
    return where(y > 0, 2 * jnp.sqrt(where(y > 0, y, 1)), y)


@activation(range=(0, INF), reference=lambda m, x: max(x, 0) ** 3)
def relu_cubed(x: Real) -> Array:
    r"""Cubed rectifier, $\max(x, 0)^3$.

    >>> relu_cubed(jnp.array([-2.0, 3.0]))
    Array([ 0., 27.], dtype=float32)
    """
    r = jnp.maximum(x, 0)
    return r * r * r


@relu_cubed.defderivative
def relu_cubed_dx(x: Real) -> Array:
    r = relu(x)
    return 3 * r * r


@activation(
    cite="yu2022",
    range=(-0.4472, INF),
    reference=lambda m, x, scale=0.8944, bias=-0.4472: (
        m.mpf(scale) * max(x, 0) ** 2 + m.mpf(bias)
    ),
)
def star_relu(x: Real, scale: Real = 0.8944, bias: Real = -0.4472) -> Array:
    r"""Scaled and shifted squared rectifier, $s \max(x, 0)^2 + b$.

    With the default parameters, a standard normal input gives an output of mean 0 and
    variance 1.

    Args:
        x: The input.
        scale: $s$.
        bias: $b$.

    >>> star_relu(jnp.array([-2.0, 1.0]))
    Array([-0.4472,  0.4472], dtype=float32)
    """
    r = jnp.maximum(x, 0)
    value = scale * r * r + bias
    constant = isinstance(scale, float) and isinstance(bias, float)
    if constant and scale == -2 * bias:  # as the default values
        # s (r - z)(r + z) with z = sqrt(1/2) in double-word: s r² + b cancels near z.
        z, z_lo = SQRT_HALF[r.dtype.name]
        factored = (r - z) * (scale * r + scale * z) - 2 * scale * z * z_lo
        return where(lax.abs(r - 1.4 * z) < z, factored, value)
    return value


@star_relu.defderivative
def star_relu_dx(x: Real, scale: Real = 0.8944, bias: Real = -0.4472) -> Array:
    return 2 * scale * relu(x)


@star_relu.defpartial("scale")
def star_relu_dscale(x: Real, scale: Real = 0.8944, bias: Real = -0.4472) -> Array:
    return relu_squared(x)


@star_relu.defpartial("bias")
def star_relu_dbias(x: Real, scale: Real = 0.8944, bias: Real = -0.4472) -> Array:
    return propagate_nan(x, 1.0)
