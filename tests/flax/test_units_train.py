"""Every unit with learned arguments trains on images of digits."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

import jax_acts
from jax_acts import get, linen

STEPS = 40
IMAGES, LABELS = load_digits(return_X_y=True)
X = jnp.asarray(IMAGES[:256] / 16, jnp.float32)
Y = jnp.asarray(LABELS[:256])

UNITS = [
    "prelu(Learn(0.25, per_feature=True))",
    "silu(beta=Learn(1.0))",
    "softcap(cap=Learn(4.0))",
    "elu(alpha=Learn(1.0))",
    "isru(alpha=Learn(1.0))",
    "xielu(Learn(0.8), Learn(0.8))",
    "star_relu(Learn(0.8944), Learn(-0.4472))",
    "snake(alpha=Learn(1.0, per_feature=True))",
    "snake_beta(Learn(0.0, per_feature=True), Learn(0.0), log_scale=True)",
    "aconc(Learn(1.0), Learn(0.25), Learn(1.0, per_feature=True))",
    "pelu(Learn(1.0), Learn(1.0))",
    "srelu(Learn(-0.5), Learn(0.2), Learn(0.5), Learn(0.8))",
    "dyt(Learn(0.5), Learn(1.0, per_feature=True), Learn(0.0, per_feature=True))",
    "derf(Learn(0.5), Learn(0.0), Learn(1.0, per_feature=True), Learn(0.0))",
    "apl(Learn((0.1, 0.2), per_feature=True), Learn((-0.5, 0.5), per_feature=True))",
    "polyrelu(Learn((0.0, 0.5, 0.25, 0.125)))",
    "polynorm(Learn((0.4, 0.3, 0.3)), Learn(0.0))",
    "rational(Learn((0.0, 0.5, 0.25), per_feature=True), Learn((0.0, 0.1)))",
    "rational(Learn((0.0, 0.5, 0.25)), Learn((0.1, 0.1)), form='B')",
    "b_spline(Learn((-3.0, -1.0, 0.0, 0.5, 2.0)), base=Learn(1.0), grid=(-2, 2))",
    "chebyshev(Learn((0.5, 1.0, 0.5), per_feature=True), outside='squash')",
]


@pytest.mark.slow
@pytest.mark.parametrize("spec", UNITS, ids=lambda spec: spec.partition("(")[0])
def test_a_unit_trains_on_digits_and_its_parameters_change(spec):
    model = nn.Sequential([linen.Dense(16, activation=spec), nn.Dense(10)])
    optimizer = optax.adam(1e-2)

    def loss(params):
        log_p = jax_acts.log_softmax(model.apply(params, X))
        return -jnp.mean(jnp.take_along_axis(log_p, Y[:, None], 1))

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    @jax.jit
    def train(params):
        carry = params, optimizer.init(params)
        (params, _), losses = jax.lax.scan(step, carry, length=STEPS)
        return params, losses

    start = jax.jit(model.init)(jax.random.key(0), X)
    end, losses = train(start)
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.6 * losses[0], f"from {losses[0]:.3f} to {losses[-1]:.3f}"
    change = jax.tree.map(
        lambda a, b: float(jnp.max(jnp.abs(a - b))),
        *(p["params"]["layers_0"]["activation"] for p in (start, end)),
    )
    assert set(change) == set(get(spec).learned)
    for name, largest in change.items():
        assert largest > 1e-4, f"{name} did not change"
