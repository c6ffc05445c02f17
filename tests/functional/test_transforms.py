"""Every activation under every transformation, in every shape and dtype."""

import copy
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.jet import jet

from jax_acts.testing import nth, ulps

X = jnp.array([0.1, 0.75, 1.25, 2.6, 5.5])
BOTH = jnp.concatenate([X, -X])


def inputs(f):
    """Returns a few inputs in the domain, off the kinks."""
    low, _ = f.facts.domain
    xs = X if low == 0 else BOTH
    return xs[~np.isin(xs, list(f.facts.kinks))]


def parameters(f):
    """Returns the differentiable arguments after x, with their defaults."""
    names = [n for n in f.parameters[1:] if n not in f.static]
    return {n: jnp.float32(f.signature.parameters[n].default) for n in names}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_forward_and_reverse_are_the_derivative(f, dtype):
    x = inputs(f).astype(dtype)
    _, forward = jax.jvp(f, (x,), (jnp.ones_like(x),))
    (reverse,) = jax.vjp(f, x)[1](jnp.ones_like(x))
    each = jax.vmap(jax.grad(f))(x)
    for got in (forward, reverse, each):
        np.testing.assert_array_equal(got, f.derivative(x))


def test_second_derivatives_agree_in_every_nesting(f):
    x = inputs(f)
    want = np.asarray(nth(f, 2)(x), np.float64)
    for outer in (jax.jacfwd, jax.jacrev):
        for inner in (jax.jacfwd, jax.jacrev):
            got = jax.vmap(outer(inner(f)))(x)
            assert ulps(np.asarray(got), want).max() <= 1
    hessian = jax.hessian(lambda x: f(x).sum())(x)
    assert ulps(np.diag(hessian), want).max() <= 1


def test_eager_jit_vmap_scan_and_checkpoint_agree(f):
    x = inputs(f)
    want = f(x)
    with jax.disable_jit():
        eager = f(x)
    # Op by op nothing is contracted to fused multiply-adds.
    assert ulps(np.asarray(eager), np.asarray(want, np.float64)).max() <= 4
    scanned = jax.lax.scan(lambda c, x: (c, f(x)), 0, x)[1]
    for got in (jax.jit(f)(x), jax.vmap(f)(x), scanned, jax.checkpoint(f)(x)):
        assert ulps(np.asarray(got), np.asarray(want, np.float64)).max() <= 1


def test_derivatives_in_parameters_agree_with_differences(f):
    x = inputs(f)
    for name, value in parameters(f).items():
        if not np.isfinite(value):
            continue
        wide, at, h = np.asarray(x, np.float64), np.asarray(value, np.float64), 1e-6
        with jax.enable_x64(True):
            along = functools.partial(with_argument, f, jnp.asarray(wide), name)
            right, left = np.asarray(along(at + h)), np.asarray(along(at - h))
            got = np.asarray(f.partial(name)(jnp.asarray(wide), **{name: at}))
            one = jnp.asarray(1.0)
            auto = np.asarray(jax.jvp(along, (jnp.asarray(at),), (one,))[1])
        # Central differences err by h² f''' / 6, and by the last place of f over h.
        np.testing.assert_allclose(got, (right - left) / (2 * h), rtol=1e-6, atol=1e-8)
        np.testing.assert_array_equal(got, auto)


def with_argument(f, x, name, value):
    return f(x, **{name: value})


def test_parameters_may_be_traced_and_mapped(f):
    x = inputs(f)
    for name, value in parameters(f).items():
        along = lambda x, a, n=name: f(x, **{n: a})
        mapped = jax.vmap(along, in_axes=(None, 0))(x, jnp.full(3, value))
        one = jax.jit(along)(x, value)
        # Two programs may contract different products and sums.
        np.testing.assert_allclose(mapped, np.stack([one] * 3), rtol=1.2e-7, atol=3e-8)
        # The default is a constant, whose digits beyond float32 may be used.
        np.testing.assert_allclose(one, f(x), rtol=2e-6, atol=1e-7)


def test_a_wide_parameter_does_not_widen_the_output(f):
    x = inputs(f).astype(jnp.bfloat16)
    for name, value in parameters(f).items():
        y, pullback = jax.vjp(lambda x, a, n=name: f(x, **{n: a}), x, value)
        dx, da = pullback(jnp.ones_like(y))
        assert (y.dtype, dx.dtype, da.dtype) == (x.dtype, x.dtype, value.dtype)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_shape_and_dtype_are_kept(f, dtype, shape):
    for order in (0, 1):
        y = jax.eval_shape(nth(f, order), jax.ShapeDtypeStruct(shape, dtype))
        assert (y.shape, y.dtype) == (shape, dtype)


def test_float64_stays_float64(f):
    with jax.enable_x64(True):
        x = inputs(f).astype(jnp.float64)
        assert f(x).dtype == f.derivative(x).dtype == jnp.float64


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.int8, jnp.uint8, jnp.bool_])
def test_integers_and_booleans_become_the_default_float(f, dtype):
    x = jnp.arange(1, 4).astype(dtype)
    np.testing.assert_array_equal(f(x), f(x.astype(jnp.float32)))


def test_backward_keeps_one_array_of_the_dtype_of_x(f):
    x = inputs(f).astype(jnp.bfloat16)
    residuals = jax.tree.leaves(jax.vjp(f, x)[1])
    assert [(r.shape, r.dtype) for r in residuals] == [(x.shape, x.dtype)]


def test_complex_is_refused(f):
    with pytest.raises(TypeError, match=f"{f.__name__} takes real numbers"):
        f(jnp.array(1j))


def test_pickle_and_copy_give_the_function_itself(f):
    for g in (f, f.derivative, f.derivative.derivative):
        assert pickle.loads(pickle.dumps(g)) is g is copy.deepcopy(g)
        assert hash(g) == hash(copy.copy(g))


def test_the_plain_rule_goes_through_jet(f):
    x = jnp.float32(0.3)
    y, (first, second) = jet(f.plain, (x,), ([jnp.float32(1.0), jnp.float32(0.0)],))
    # The rules use polynomials, whose derivatives are a little less exact.
    np.testing.assert_allclose(y, f(x), rtol=1e-6)
    np.testing.assert_allclose(first, f.derivative(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(second, nth(f, 2)(x), rtol=1e-3, atol=1e-3)


def test_unknown_and_missing_arguments_are_named():
    from jax_acts import silu

    with pytest.raises(TypeError, match="did you mean 'beta'"):
        silu(1.0, bta=2.0)
    with pytest.raises(TypeError, match=r"silu\(x.*missing a required argument: 'x'"):
        silu()
    with pytest.raises(ValueError, match=r"x \(2,\), beta \(3,\)"):
        silu(jnp.ones(2), jnp.ones(3))
    with pytest.raises(TypeError, match="has no derivative in 'gamma'"):
        silu.partial("gamma")
