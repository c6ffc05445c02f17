"""Functions that coincide for some arguments."""

import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import (
    ActivationFunction,
    aptx,
    bsilu,
    elish,
    elu,
    get,
    hard_sigmoid,
    relu,
    sigmoid,
    silu,
    sparse_sigmoid,
    tanhexp,
    telu,
)

X = jnp.linspace(-12, 12, 97)
EPS = 2.0**-23
scaled_silu = lambda x: 1.75 * silu(x)


@pytest.mark.parametrize(
    ("left", "right", "ulp"),
    [
        (aptx, lambda x: silu(2 * x) / 2, 4),
        (lambda x: aptx(x, 1.0, 0.5, 0.875), scaled_silu, 4),
        (get("eswish(beta=1.75)"), scaled_silu, 4),
        (lambda x: sparse_sigmoid(x), lambda x: jnp.clip((x + 1) / 2, 0, 1), 0),
        (sparse_sigmoid, lambda x: hard_sigmoid(x, 0.5, 0.5), 0),
        (lambda x: bsilu(x, 0.0), silu, 4),
        (lambda x: elish(jnp.minimum(x, 0)), lambda x: elu(-relu(-x)) * sigmoid(x), 6),
    ],
)
def test_two_functions_agree_within_some_ulp(left, right, ulp):
    want = np.asarray(right(X))
    error = np.abs(np.asarray(left(X)) - want) / (EPS * np.abs(want) + 1e-45)
    assert (error <= ulp).all(), f"{error.max()} at {X[error.argmax()]}"


def test_telu_is_an_alias_of_tanhexp():
    assert telu is tanhexp
    assert isinstance(telu, ActivationFunction)
