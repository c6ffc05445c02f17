"""Functions with a name of `jax.nn` have its signature, values and derivatives.

`DIFFERENCES` lists the intended differences; the README shows them as a table.
JAX's own tests run on our functions by `python -m tools.jax_nn_tests`.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_acts
from jax_acts import functional
from jax_acts._core.activation import ActivationFunction
from jax_acts._core.compat import enable_x64
from jax_acts._core.function import Function

SHARED = {
    name: getattr(functional, name)
    for name in sorted(vars(jax.nn))
    if isinstance(getattr(functional, name, None), Function)
}
ELEMENTWISE = [n for n, f in SHARED.items() if isinstance(f, ActivationFunction)]

DIFFERENCES = {
    # Property: in jax.nn, in jax_acts, the functions that differ.
    "arguments at the end": (
        "none",
        "one or two more, with defaults that have no effect",
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
        "unchanged, rejected, or float32 where float64 is the default",
        "converted to the default float",
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
        "computed",
        "rejected with a TypeError",
        {*SHARED} - {"sparse_sigmoid"},
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
        "finite",
        "NaN",
        {
            "hard_sigmoid",
            "hard_tanh",
            "leaky_relu",
            "relu",
            "relu6",
            "sparse_sigmoid",
        },
    ),
}


def differs(difference, name):
    """Return whether a function is listed under a difference."""
    return name in DIFFERENCES[difference][2]


def inputs(f, dtype):
    """Return a matrix of moderate inputs in the domain of the function, off kinks."""
    low, _ = f.spec.domain
    x = (
        jnp.linspace(0.07 if low == 0 else -3.3, 3.4, 48).reshape(6, 8).T
    )  # each row spans the range
    return x.astype(dtype)


@pytest.mark.parametrize("name", SHARED)
def test_signatures_start_with_those_of_jax_nn(name):
    theirs = inspect.signature(getattr(jax.nn, name)).parameters.values()
    ours = SHARED[name].signature.parameters.values()
    want = [declaration(name, p) for p in theirs]
    got = [declaration(name, p) for p in ours]
    positional = [p for p in got if p[1] != inspect.Parameter.KEYWORD_ONLY]
    keywords = [p for p in got if p[1] == inspect.Parameter.KEYWORD_ONLY]
    k = sum(p[1] != inspect.Parameter.KEYWORD_ONLY for p in want)
    assert positional[:k] == want[:k]
    assert keywords[: len(want) - k] == want[k:]
    has_more = len(got) > len(want)
    assert has_more == differs("arguments at the end", name), got[len(want) :]


def declaration(name, parameter):
    """Return name, kind and default of a parameter, without intended differences."""
    kind, default = parameter.kind, parameter.default
    if kind is inspect.Parameter.POSITIONAL_ONLY:  # tanh(x, /) has more arguments here
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    if parameter.name == "algorithm" and differs("the default of `algorithm`", name):
        default = ...
    return parameter.name, kind, default


# In ulp of max(1, |value|). The error is that of jax.nn: log1mexp has 22 ulp in float64
# near 0.92, and 16-bit inputs are computed in 16 bits.
TOLERANCE = {"float64": 32, "float32": 8, "bfloat16": 4, "float16": 6}


@pytest.mark.parametrize("name", SHARED)
def test_values_and_derivatives_are_those_of_jax_nn(name):
    f = getattr(jax.nn, name)
    if differs("the default of `algorithm`", name):
        f = functools.partial(f, algorithm="stable")

    def value_and_gradient(f, x):
        y, pullback = jax.vjp(f, x)
        weights = jnp.cos(jnp.arange(y.size)).reshape(y.shape).astype(x.dtype)
        return y, *pullback(weights)

    @jax.jit
    def program(xs):
        return [[value_and_gradient(g, x) for g in (SHARED[name], f)] for x in xs]

    with enable_x64(True):
        xs = [inputs(SHARED[name], dtype) for dtype in TOLERANCE]
        results = program(xs)
    for dtype, x, (got, want) in zip(TOLERANCE, xs, results, strict=True):
        assert got[0].dtype == dtype
        assert_close(f"{name} in {dtype}", x, got[0], want[0])
        assert_close(f"the gradient of {name} in {dtype}", x, got[1], want[1])


def assert_close(name, x, got, want):
    """Fail unless two arrays have one shape and dtype and agree within TOLERANCE."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype), name
    unit = float(jnp.finfo(want.dtype).eps)
    wide = [np.asarray(a, np.float64) for a in (got, want)]
    error = np.abs(wide[0] - wide[1]) / (unit * np.maximum(1, np.abs(wide[1])))
    i = np.unravel_index(np.argmax(error), error.shape)
    where = f" at x = {x[i]}" if error.shape == x.shape else ""
    assert error[i] <= TOLERANCE[want.dtype.name], (
        f"{name}{where}: expected {want[i]}, got {got[i]}: {error[i]:.3g} ulp"
    )


@pytest.mark.parametrize("dtype", ["int32", "bool"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_integers_become_the_default_float(name, dtype):
    with enable_x64(True):
        x = jnp.array([1, 0, 1]).astype(dtype)
        got = SHARED[name](x)
        assert got.dtype == jnp.float64
        if not differs("integers and booleans", name):
            want = getattr(jax.nn, name)(x)
            assert want.dtype == got.dtype
            np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_limits_and_nan_are_those_of_jax_nn_except_for_listed_differences(name):
    theirs, ours = getattr(jax.nn, name), SHARED[name]
    low, high = ours.spec.domain
    ends = [x for x in (-np.inf, np.inf) if low <= x <= high]
    value_and_derivative = lambda f: jax.vmap(jax.value_and_grad(f))
    both = jax.jit(lambda x: [value_and_derivative(f)(x) for f in (ours, theirs)])
    results = both(jnp.array([*ends, np.nan]))
    (values, derivatives), (their_values, their_derivatives) = map(np.array, results)
    for difference, got, want in (
        ("the value at -inf or inf", values[:-1], their_values[:-1]),
        ("the derivative at -inf or inf", derivatives[:-1], their_derivatives[:-1]),
        ("the derivative at NaN", derivatives[-1:], their_derivatives[-1:]),
    ):
        at_nan = difference == "the derivative at NaN"
        assert np.isnan(got).all() == (at_nan and name != "identity"), difference
        is_equal = np.allclose(got, want, rtol=1e-6, equal_nan=True)
        listed = differs(difference, name)
        assert is_equal != listed, f"{name}, {difference}: {got}, {want}"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivatives_at_kinks_are_those_of_jax_nn(name):
    for kink in SHARED[name].spec.kinks:
        want = jax.grad(getattr(jax.nn, name))(float(kink))
        np.testing.assert_allclose(jax.grad(SHARED[name])(float(kink)), want, rtol=1e-6)


@pytest.mark.parametrize("name", SHARED)
def test_complex_inputs_are_errors(name):
    with pytest.raises(TypeError, match="real numbers"):
        SHARED[name](jnp.ones((2, 4), jnp.complex64))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sigmoid", "elu", "gelu", "squareplus"])
def test_no_tracer_outlives_its_trace(name):
    f = SHARED[name]
    parameters = [1.5] * (len(f.parameters) - len(f.static) - 1)
    call = jax.jit(lambda x, *p: jax.lax.scan(lambda c, _: (f(c, *p), c), x, length=2))
    with jax.checking_leaks():
        call(jnp.float32(0.5), *parameters)
        jax.grad(lambda x: call(x, *parameters)[0])(jnp.float32(0.5))


ABSENT = {
    "dot_product_attention": "no activation",
    "scaled_matmul": "no activation",
    "scaled_dot_general": "no activation",
    "get_scaled_dot_general_config": "no activation",
}
"""Names of `jax.nn` that this library does not have, with the reason."""


def test_jax_acts_has_every_name_of_jax_nn():
    public = lambda module: {n for n in dir(module) if not n.startswith("_")}
    missing = public(jax.nn) - public(jax_acts)
    assert missing <= ABSENT.keys(), f"missing: {missing - ABSENT.keys()}"
    theirs, ours = jax.nn.initializers, jax_acts.initializers
    assert public(theirs) <= public(ours)
    for name in public(theirs) - {"Initializer"}:  # ours follows an activation
        assert getattr(theirs, name) is getattr(ours, name)
    assert jax_acts.one_hot is jax.nn.one_hot
