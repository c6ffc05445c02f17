"""`with_kinks` chooses the derivative at a kink."""

import copy
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import Bound, hard_tanh, leaky_relu, relu, silu, with_kinks
from tools.docs import kinks

ROW = re.compile(r"^(\| \w+ \| -?\d\S* \|(?: \S+ \|){3})", re.MULTILINE)
X = jnp.array([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])


def test_only_derivatives_at_the_kinks_change():
    f = with_kinks(hard_tanh, {-1: 0, 1: 0.5})
    np.testing.assert_array_equal(f(X), hard_tanh(X))
    want = np.array([0, 0, 1, 1, 0.5, 0])
    for got in (
        f.derivative(X),
        jax.vmap(jax.grad(f))(X),
        jax.jit(jax.vmap(jax.grad(f)))(X),
        jax.jvp(f, (X,), (jnp.ones_like(X),))[1],
    ):
        np.testing.assert_array_equal(got, want)


def test_derivatives_in_parameters_and_second_derivatives_are_unchanged():
    f = with_kinks(leaky_relu, {0: 0.5})
    np.testing.assert_array_equal(f(X, 0.3), leaky_relu(X, 0.3))
    gradient = lambda g: jax.grad(lambda a: g(X, a).sum())(0.3)
    assert gradient(f) == gradient(leaky_relu)
    np.testing.assert_array_equal(f.derivative.derivative(X), jnp.zeros_like(X))


def test_equal_choices_are_one_function_object():
    f = with_kinks(relu, {0: 0.5})
    assert f is with_kinks(relu, {0.0: 0.5})
    assert pickle.loads(pickle.dumps(f)) is f is copy.deepcopy(f)
    assert Bound(f)(0.0) == 0
    assert f.spec.kinks == {0: 0.5}
    assert relu.spec.kinks == {0: 0}


def test_an_input_that_is_not_a_kink_is_an_error():
    with pytest.raises(ValueError, match=r"with_kinks\(relu\): expected 0, got 1"):
        with_kinks(relu, {1: 0.5})
    with pytest.raises(ValueError, match=r"silu.: expected none .*, got 0"):
        with_kinks(silu, {0: 0.5})


def test_the_docs_page_lists_every_kink():
    stored = kinks.PAGE.read_text(encoding="utf-8")
    assert ROW.findall(stored) == ROW.findall(kinks.page()) != []
