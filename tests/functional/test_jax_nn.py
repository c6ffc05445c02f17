"""A name that `jax.nn` has means what `jax.nn` means, and takes what that takes.

`DIFFERENCES` lists what differs on purpose; the README shows it as a table.
JAX's own tests run on our functions by `python -m tools.jax_nn_tests`.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import functional
from jax_acts._core.activation import ActivationFunction
from jax_acts._core.compat import enable_x64
from jax_acts._core.function import Function
from tests.conftest import quickly

BOTH = {
    name: getattr(functional, name)
    for name in sorted(vars(jax.nn))
    if isinstance(getattr(functional, name, None), Function)
}
ELEMENTWISE = [n for n, f in BOTH.items() if isinstance(f, ActivationFunction)]

DIFFERENCES = {
    # What differs: in jax.nn, in jax_acts, and for which functions.
    "arguments at the end": (
        "none",
        "one or two more, at defaults that change nothing",
        {
            "glu",
            "hard_sigmoid",
            "hard_tanh",
            "log_softmax",
            "silu",
            "softmax",
            "softplus",
            "swish",
        },
    ),
    "the default of `algorithm`": (
        "fast, which may cancel",
        "stable",
        {"standardize"},
    ),
    "integers and booleans": (
        "kept, refused, or made float32 where float64 is the default",
        "made the default float",
        {
            "gelu",
            "hard_tanh",
            "identity",
            "log1mexp",
            "log_sigmoid",
            "mish",
            "relu",
            "sigmoid",
            "silu",
            "soft_sign",
            "softplus",
            "sparse_plus",
            "sparse_sigmoid",
            "squareplus",
            "swish",
            "tanh",
        },
    ),
    "complex numbers": (
        "computed, whatever that means",
        "refused with a TypeError",
        {*BOTH} - {"sparse_sigmoid"},
    ),
    "the value at -inf or inf": (
        "NaN",
        "the limit",
        {
            "gelu",
            "hard_silu",
            "hard_swish",
            "mish",
            "silu",
            "soft_sign",
            "squareplus",
            "swish",
        },
    ),
    "the derivative at -inf or inf": (
        "NaN",
        "the limit",
        {"gelu", "mish", "silu", "soft_sign", "sparse_plus", "squareplus", "swish"},
    ),
    "the derivative at NaN": (
        "a number",
        "NaN",
        {
            "hard_sigmoid",
            "hard_tanh",
            "identity",
            "leaky_relu",
            "relu",
            "relu6",
            "sparse_sigmoid",
        },
    ),
}


def differs(what, name):
    """Returns whether a function is listed as one that differs in this."""
    return name in DIFFERENCES[what][2]


def ordinary(f, dtype):
    """Returns a matrix of ordinary inputs in the domain of the function, off kinks."""
    low, _ = f.spec.domain
    x = (
        jnp.linspace(0.07 if low == 0 else -3.3, 3.4, 48).reshape(6, 8).T
    )  # its rows are spread
    return x.astype(dtype)


@pytest.mark.parametrize("name", BOTH)
def test_signatures_are_those_of_jax_nn_with_more_at_the_end(name):
    theirs = inspect.signature(getattr(jax.nn, name)).parameters.values()
    ours = BOTH[name].signature.parameters.values()
    wanted = [declared(name, p) for p in theirs]
    got = [declared(name, p) for p in ours]
    positional = [p for p in got if p[1] != inspect.Parameter.KEYWORD_ONLY]
    keywords = [p for p in got if p[1] == inspect.Parameter.KEYWORD_ONLY]
    k = sum(p[1] != inspect.Parameter.KEYWORD_ONLY for p in wanted)
    assert positional[:k] == wanted[:k]
    assert keywords[: len(wanted) - k] == wanted[k:]
    more = len(got) > len(wanted)
    assert more == differs("arguments at the end", name), got[len(wanted) :]


def declared(name, parameter):
    """Returns the name, kind and default of a parameter, as far as they matter."""
    kind, default = parameter.kind, parameter.default
    if kind is inspect.Parameter.POSITIONAL_ONLY:  # tanh(x, /), which takes more here
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    if parameter.name == "algorithm" and differs("the default of `algorithm`", name):
        default = ...
    return parameter.name, kind, default


# In units of the last place of 1 or of the value, whichever is greater. The error is
# that of jax.nn: log1mexp is 22 units off in float64 near 0.92, and 16-bit inputs are
# computed in 16 bits, step by step.
TOLERANCE = {"float64": 32, "float32": 8, "bfloat16": 4, "float16": 6}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", BOTH)
def test_values_and_derivatives_are_those_of_jax_nn(name, dtype):
    with enable_x64(dtype == "float64"):
        x = ordinary(BOTH[name], dtype)
        f = getattr(jax.nn, name)
        if differs("the default of `algorithm`", name):
            f = functools.partial(f, algorithm="stable")

        def both(f, x):
            y, pullback = jax.vjp(f, x)
            weights = jnp.cos(jnp.arange(y.size)).reshape(y.shape).astype(dtype)
            return y, *pullback(weights)

        got, want = quickly(lambda x: (both(BOTH[name], x), both(f, x)))(x)
        agree(f"{name} in {dtype}", x, got[0], want[0])
        agree(f"the gradient of {name} in {dtype}", x, got[1], want[1])


def agree(what, x, got, want):
    """Fails if two arrays are not of one shape and dtype, and nearly equal."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype), what
    unit = float(jnp.finfo(want.dtype).eps)
    wide = [np.asarray(a, np.float64) for a in (got, want)]
    error = np.abs(wide[0] - wide[1]) / (unit * np.maximum(1, np.abs(wide[1])))
    i = np.unravel_index(np.argmax(error), error.shape)
    where = f" at x = {x[i]}" if error.shape == x.shape else ""
    assert error[i] <= TOLERANCE[want.dtype.name], (
        f"{what} is {got[i]}{where}, and jax.nn has {want[i]}: {error[i]:.3g} units"
    )


@pytest.mark.parametrize("dtype", ["int32", "bool"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_integers_become_the_default_float(name, dtype):
    with enable_x64(True):
        x = jnp.array([1, 0, 1]).astype(dtype)
        got = BOTH[name](x)
        assert got.dtype == jnp.float64
        if not differs("integers and booleans", name):
            want = getattr(jax.nn, name)(x)
            assert want.dtype == got.dtype
            np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_limits_and_nan_are_those_of_jax_nn_but_for_the_listed(name):
    theirs, ours = getattr(jax.nn, name), BOTH[name]
    low, high = ours.spec.domain
    ends = [x for x in (-np.inf, np.inf) if low <= x <= high]
    for what, f, g, points in (
        ("the value at -inf or inf", ours, theirs, ends),
        ("the derivative at -inf or inf", jax.grad(ours), jax.grad(theirs), ends),
        ("the derivative at NaN", jax.grad(ours), jax.grad(theirs), [np.nan]),
    ):
        got = [float(f(x)) for x in points]
        want = [float(g(x)) for x in points]
        assert np.isnan(got).all() == np.isnan(points).all(), what
        same = np.allclose(got, want, rtol=1e-6, equal_nan=True)
        listed = "listed as one that differs" if differs(what, name) else "not listed"
        assert same != differs(what, name), f"{what}: {got}, {want}; {name} is {listed}"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivatives_at_kinks_are_those_of_jax_nn(name):
    for kink in BOTH[name].spec.kinks:
        want = jax.grad(getattr(jax.nn, name))(float(kink))
        np.testing.assert_allclose(jax.grad(BOTH[name])(float(kink)), want, rtol=1e-6)


@pytest.mark.parametrize("name", BOTH)
def test_complex_numbers_are_refused(name):
    with pytest.raises(TypeError, match="real numbers"):
        BOTH[name](jnp.ones((2, 4), jnp.complex64))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sigmoid", "elu", "gelu", "squareplus"])
def test_no_tracer_outlives_its_trace(name):
    f = BOTH[name]
    parameters = [1.5] * (len(f.parameters) - len(f.static) - 1)
    call = jax.jit(lambda x, *p: jax.lax.scan(lambda c, _: (f(c, *p), c), x, length=2))
    with jax.checking_leaks():
        call(jnp.float32(0.5), *parameters)
        jax.grad(lambda x: call(x, *parameters)[0])(jnp.float32(0.5))
