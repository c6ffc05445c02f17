"""Arguments at 0 and ±∞: values and derivatives, also in the argument, are limits."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry.lookup import FUNCTIONS

X = np.array([-20, -2, -0.7, -1e-3, 0, 1e-3, 0.7, 2, 20], np.float32)
POINTS = (0.0, math.inf, -math.inf, 150.0, 1e4, 2.0**-9, -0.5)
NO_LIMIT = {
    # "diverges": the value is unbounded, for some x at least
    *("aconc p1", "aconc p2", "affine offset", "affine rate", "affine scale"),
    *("affine shift", "aptx alpha", "aptx gamma", "bsilu alpha", "derf beta"),
    *("derf gamma", "dyt beta", "dyt gamma", "elu alpha", "hexpo a", "hexpo c"),
    *("leaky_relu negative_slope", "nelu alpha", "nlrelu beta", "pelu alpha"),
    *("pelu beta", "residual scale", "shrink bias", "sine_relu epsilon", "smu alpha"),
    *("snake_beta beta", "soft_shrink threshold", "softplus beta", "squareplus b"),
    *("srelu lower", "srelu lower_slope", "srelu upper_slope"),
    *("star_relu bias", "star_relu scale", "threshold value"),
    *("xielu alpha_n", "xielu alpha_p", "xielu beta"),
    *("clip max_val", "clip min_val", "gelu_clipped max_val"),
    *("hard_tanh max_val", "golu alpha", "gelu_sine scale"),
    # "oscillates"
    *("cosine omega", "finer omega", "gabor omega", "sine omega", "snake_beta alpha"),
    "sinc omega",  # its derivative
    # a difference of two functions that are equal by default
    "blend weight",
}
"""Arguments without a finite limit of the value at 0 or at ±∞."""

m = mpmath.mp.clone()
m.dps = 500
STEP = m.mpf(10) ** -300


@pytest.mark.slow
def test_arguments_at_0_and_infinity_give_the_limits_of_value_and_derivatives():
    errors, without_limit = [], set()
    for f in dict.fromkeys(FUNCTIONS.values()):
        if not isinstance(f, ActivationFunction) or f.spec.reference is None:
            continue
        points = [
            (name, point)
            for name in scalar_arguments(f)
            for point in POINTS
            if point >= 0 or f.spec.bounds.get(name, (-1.0,))[0] < 0
            if (f.__name__, name, point) != ("srelu", "upper", -math.inf)  # < lower
        ]
        results = evaluate(f, points) if points else []
        for (name, point), got in zip(points, results, strict=True):
            label = f"{f.__name__} {name}"
            # The rounding error of argument times x is one of an input; derivatives
            # of periodic functions multiply it by the argument.
            size = point if math.isfinite(point) else 0.0
            wants = [
                [limit(f, name, point, x, order) for x in X] for order in (0, 1, name)
            ]
            orders = 2 if label == "sinc omega" else 1
            if not np.isfinite(wants[:orders]).all() or label == "blend weight":
                without_limit.add(label)
                continue
            for n, order in enumerate(("f", "df/dx", f"df/d{name}")):
                for x, y, want in zip(X, got[n], wants[n], strict=True):
                    product = size * abs(x) * (1, size, abs(x))[n]
                    at_kink = not x and bool(n or not point)
                    # GELU underflows to the bound, 0.
                    at_kink |= (f.__name__, name, x, point) == (
                        *("gelu_clipped", "min_val", -20, 0),
                    )
                    if not is_close(y, want, product, at_kink):
                        error = f"{order}({x}) at {name} = {point}: {y}, not {want}"
                        errors.append(f"{f.__name__}: {error}")
    assert not errors, "\n".join(errors)
    assert without_limit == NO_LIMIT


def scalar_arguments(f):
    parameters = list(f.signature.parameters.values())[1:]
    floats = [p for p in parameters if isinstance(p.default, int | float)]
    return {p.name: p.default for p in floats if p.name not in f.static}


def evaluate(f, points):
    """Return value, derivative, and partial derivative in the argument, per point."""
    arguments = {
        name: jnp.array([p if name == n else default for n, p in points], jnp.float32)
        for name, default in scalar_arguments(f).items()
    }
    rules = [f, f.derivative, *map(f.partial, arguments)]
    each = lambda a: jnp.stack([rule(X, **a) for rule in rules])
    results = np.asarray(jax.jit(jax.vmap(each))(arguments))
    columns = [[0, 1, 2 + [*arguments].index(name)] for name, _ in points]
    return np.stack([r[c] for r, c in zip(results, columns, strict=True)])


def limit(f, name, point, x, order):
    """Return the limit of the reference or of its derivative; NaN if it has none."""
    if math.isfinite(point) and point:
        return float(reference(f, name, m.mpf(point), x, order))
    sign = -1 if point < 0 else 1
    exponents = (60, 120) if point else (-60, -120)
    near, nearer = (
        reference(f, name, sign * m.mpf(10) ** e, x, order) for e in exponents
    )
    if abs(nearer - near) <= 1e-12 * max(1, abs(nearer)):
        return float(nearer)
    return math.copysign(math.inf, nearer) if abs(nearer) > 100 else math.nan


def reference(f, name, value, x, order):
    """Return the value, or the central difference in x (order 1) or in the argument."""
    function = f.spec.reference_of(1 if order else 0)
    at = lambda x, value: m.mpf(function(m, x, **{name: value}))
    x = m.mpf(float(x))
    if order == name:
        h = value * m.mpf(10) ** -150
        return (at(x, value + h) - at(x, value - h)) / (2 * h)
    if order:
        return (at(x + STEP, value) - at(x - STEP, value)) / (2 * STEP)
    return at(x, value)


def is_close(got, want, product, at_kink):
    """At a kink or a jump of the function or of its limit, any number is."""
    if math.isnan(got) or at_kink or not math.isfinite(want):
        return not math.isnan(got)
    return abs(got - want) <= 2e-5 * abs(want) + 1.2e-7 * max(1.0, product)
