"""NumPy and SciPy formulas of every function that is not elementwise.

A formula has the argument names of its function; the axis is the last.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.interpolate import BSpline
from scipy.special import erf, expit, log_softmax, logsumexp, softmax

sigmoid, clip, relu = expit, np.clip, lambda x: np.maximum(x, 0)
last = {"axis": -1, "keepdims": True}


def gelu(x, approximate=True):
    if approximate:
        return x * sigmoid(np.sqrt(8 / np.pi) * (x + 0.044715 * x**3))
    return x / 2 * (1 + erf(x / np.sqrt(2)))


def selu(x):
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))


def entmax(x, alpha=1.5):
    """Return entmax, with the threshold by bisection."""
    z = (alpha - 1) * x
    low, high = z.max(**last) - 1, z.max(**last)
    probabilities = lambda: relu(z - (low + high) / 2) ** (1 / (alpha - 1))
    for _ in range(60):
        over = probabilities().sum(**last) > 1
        low, high = np.where(over, [(low + high) / 2, high], [low, (low + high) / 2])
    return probabilities()


DENOMINATORS = {
    "A": lambda x, b: 1 + sum(abs(c * x**i) for i, c in enumerate(b, 1)),
    "B": lambda x, b: 1 + abs(sum(c * x**i for i, c in enumerate(b, 1))),
    "C": lambda x, b: 0.1 + abs(sum(c * x**i for i, c in enumerate(b))),
}


def rational(x, numerator, denominator, form="A"):
    return Polynomial(numerator)(x) / DENOMINATORS[form](x, denominator)


def extend_linearly(f, derivative, x, low, high):
    near = clip(x, low, high)
    return f(near) + derivative(near) * (x - near)


def chebyshev(x, coefficients, interval, outside):
    low, high = interval
    z = (2 * x - low - high) / (high - low)
    f = Chebyshev(coefficients)
    if outside == "squash":
        return f(np.tanh(z))
    derivative = f.deriv() if outside == "linear" else np.zeros_like
    return extend_linearly(f, derivative, z, -1, 1)


def b_spline(x, coefficients, base, grid, outside):
    """Return a cubic spline; "zero" pads 3 zero coefficients at each end."""
    (low, high), c = grid, np.asarray(coefficients)
    knots = lambda more: (
        low + (high - low) / (len(c) - 3) * np.arange(-3 - more, len(c) + 1 + more)
    )
    if outside == "zero":
        wide = BSpline(knots(3), np.pad(c, 3), 3, extrapolate=False)
        y = np.nan_to_num(wide(x))
    else:
        f = BSpline(knots(0), c, 3)
        derivative = f.derivative() if outside == "linear" else np.zeros_like
        y = extend_linearly(f, derivative, x, low, high)
    return y + base * x * sigmoid(x)


def apl(x, slopes, hinges):
    both = zip(slopes, hinges, strict=True)
    return relu(x) + sum(a * relu(b - x) for a, b in both)


def polynorm(x, weights, bias, epsilon):
    root = lambda z: np.sqrt(np.mean(z * z, **last) + epsilon)
    return sum(w * x**i / root(x**i) for i, w in enumerate(weights, 1)) + bias


def standardize(x, epsilon, mean=None, variance=None):
    mean = x.mean(**last) if mean is None else mean
    variance = x.var(**last) if variance is None else variance
    return (x - mean) / np.sqrt(variance + epsilon)


def rrelu(x, lower, upper, key=None, training=False):
    share = jax.random.uniform(key, x.shape, np.float32) if training else 0.5
    return np.where(x > 0, x, x * (lower + (upper - lower) * np.float64(share)))


def gumbel_softmax(x, key, tau):
    noise = jax.random.gumbel(key, x.shape, x.dtype)
    return softmax((x + np.float64(noise)) / tau, -1)


def softpick(x):
    e = np.expm1(x)
    return relu(e) / (abs(e).sum(**last) + 1e-6)


def taylor_softmax(x):
    t = 1 + x + x * x / 2
    return t / t.sum(**last)


def softmax_sink(x, sink):
    return softmax(np.concatenate([x, sink], -1), -1)[..., :-1]


def swiglu_oai(x, value, alpha=1.702, limit=7.0):
    gate = np.minimum(x, limit)
    return (clip(value, -limit, limit) + 1) * gate * sigmoid(alpha * gate)


def swiglu_clamped(x, value, limit=10.0):
    gate = np.minimum(x, limit)
    return clip(value, -limit, limit) * gate * sigmoid(gate)


def situ_glu(x, value, gate_cap=4.0, value_cap=25.0):
    gate = gate_cap * np.tanh(x / gate_cap) * sigmoid(x)
    return gate * value_cap * np.tanh(value / value_cap)


FORMULAS: dict[str, Callable[..., Any]] = {
    "apl": apl,
    "b_spline": b_spline,
    "bilinear": lambda x, value: value * x,
    "chebyshev": chebyshev,
    "crelu": lambda x: np.concatenate([relu(x), relu(-x)], -1),
    "drelu": lambda x, value: relu(value) * relu(x),
    "entmax": entmax,
    "entmax15": entmax,
    "geglu": lambda x, value, **form: value * gelu(x, **form),
    "glu": lambda x, value: value * sigmoid(x),
    "gtu": lambda x, value: np.tanh(value) * sigmoid(x),
    "gumbel_softmax": gumbel_softmax,
    "hardmax": lambda x: np.eye(x.shape[-1])[x.argmax(-1)],
    "l1_normalize": lambda x: x / abs(x).sum(**last),
    "l2_normalize": lambda x: x / np.sqrt((x * x).sum(**last)),
    "log_softmax": lambda x, axis, temperature=1: log_softmax(x / temperature, axis),
    "logmeanexp": lambda x, axis: np.log(np.exp(x).mean(axis)),
    "logsumexp": logsumexp,
    "maxout": lambda x: np.maximum(*np.split(x, 2, -1)),
    "polynorm": polynorm,
    "polyrelu": lambda x, coefficients: Polynomial(coefficients)(relu(x)),
    "qgeglu": lambda x, value: value * x * sigmoid(1.702 * x),
    "rational": rational,
    "reglu": lambda x, value: value * relu(x),
    "rrelu": rrelu,
    "seglu": lambda x, value: value * selu(x),
    "situ_glu": situ_glu,
    "softmax": lambda x, axis, temperature=1: softmax(x / temperature, axis),
    "softmax_sink": softmax_sink,
    "softmin": lambda x, axis, temperature=1: softmax(-x / temperature, axis),
    "softpick": softpick,
    "solu": lambda x: x * softmax(x, -1),
    "sparsemax": lambda x: entmax(x, 2.0),
    "sreglu": lambda x, value: value * relu(x) ** 2,
    "ssmax": lambda x, scale: softmax(scale * np.log(x.shape[-1]) * x, -1),
    "standardize": standardize,
    "swiglu": lambda x, value, beta=1: value * x * sigmoid(beta * x),
    "swiglu_clamped": swiglu_clamped,
    "swiglu_oai": swiglu_oai,
    "taylor_softmax": taylor_softmax,
}
