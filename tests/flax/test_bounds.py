"""Learned arguments that leave their domain: they are projected to their bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from jax_acts import Bound, Learn, get
from jax_acts._registry.lookup import FUNCTIONS

FINITE = [-1e4, -100, -10, -3, -1, -0.5, -0.1, -1e-3, -1e-6, 0, 1e-6, 1e-3, 0.1, 0.5]
PROBES = jnp.array([*FINITE, 1, 1.5, 2, 3, 10, 100, 1e4], jnp.float32)
X = jnp.array([-3, -2, -1, -0.5, -1e-3, 0, 1e-3, 0.25, 0.5, 1, 2, 3], jnp.float32)
WEIGHTS = jnp.cos(jnp.arange(X.size))

LEARNABLE = [
    pytest.param(function, name, id=f"{function.__name__}-{name}")
    for function in dict.fromkeys(FUNCTIONS.values())
    for name, parameter in list(function.signature.parameters.items())[1:]
    if name not in function.static and isinstance(parameter.default, float | tuple)
]
BOUNDED = [p for p in LEARNABLE if p.values[1] in p.values[0].spec.bounds]


def random_arguments(function):
    """Return the arguments with which a random function draws."""
    if "key" not in function.parameters:
        return {}
    training = {"training": True} if "training" in function.parameters else {}
    return {"key": jax.random.key(0), **training}


@pytest.mark.parametrize(("function", "name"), LEARNABLE)
def test_no_step_of_a_learned_argument_makes_values_or_gradients_nan(function, name):
    default = function.signature.parameters[name].default
    bound = Bound(function, **{name: Learn(default)})

    def loss(x, step):
        argument = step if np.ndim(default) == 0 else jnp.asarray(default) + step
        y = bound(x, **{name: argument}, **random_arguments(function))
        return jnp.sum(y * jnp.resize(WEIGHTS, y.shape)), y

    gradient = jax.vmap(jax.grad(loss, (0, 1), has_aux=True), (None, 0))
    gradients, y = jax.jit(gradient)(X, PROBES)
    is_nan = jnp.zeros(len(PROBES), bool)
    for array in (y, *gradients):
        is_nan |= jnp.isnan(array).reshape(len(PROBES), -1).any(1)
    if function is FUNCTIONS["snake_beta"] and name == "beta":
        is_nan &= PROBES != 0  # a pole, in the range of both signs
    assert not is_nan.any(), f"NaN at {name} = {PROBES[is_nan]}"


@pytest.mark.parametrize(("function", "name"), BOUNDED)
def test_inside_of_its_bounds_a_learned_argument_is_not_changed(function, name):
    low, high = function.spec.bounds[name]
    default = function.signature.parameters[name].default
    assert low <= default <= high
    inside = jnp.clip(jnp.array([low, default, min(high, 3.0)]), low, high)
    learn = Learn(default)
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        projected = learn.project(inside.astype(dtype), (low, high))
        assert projected.dtype == dtype
        # A bound that the dtype does not have is rounded to the inside.
        assert (projected.astype(jnp.float32) >= jnp.float32(low)).all()
        np.testing.assert_array_equal(projected[1:], inside.astype(dtype)[1:])


@pytest.mark.parametrize("api", ["linen", "nnx"])
@pytest.mark.parametrize("spec", ["entmax(alpha=Learn(1.5))", "squareplus(Learn(0.5))"])
def test_training_against_the_bound_stays_finite_and_comes_back(api, spec):
    x = jnp.array([1.0, 2.0, 3.0])
    targets = jnp.ones(3) / 3, jnp.array([0.0, 0.0, 1.0])
    (name,) = get(spec).learned
    if "squareplus" in spec:
        x = jnp.linspace(-2, 2, 21)
        targets = 0.9 * jnp.maximum(x, 0), (x + jnp.sqrt(x**2 + 1)) / 2
    if api == "linen":
        layer = jax_acts.linen.Activation(spec)
        params = layer.init(jax.random.key(0), x)
        apply = layer.apply
    else:
        graph, params = nnx.split(jax_acts.nnx.Activation(spec))
        apply = lambda params, x: nnx.merge(graph, params)(x)
    optimizer = optax.adam(0.1)
    state = optimizer.init(params)

    @jax.jit
    def step(params, state, target):
        loss = lambda p: jnp.mean((apply(p, x) - target) ** 2)
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, value

    losses = []
    for target, steps in zip(targets, (20, 100), strict=True):
        for _ in range(steps):
            params, state, value = step(params, state, target)
            losses.append(value)
        if steps == 20:
            (parameter,) = jax.tree.leaves(params)
            assert parameter < get(spec).function.spec.bounds[name][0]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[20] / 2


def test_bounds_may_be_chosen_or_dropped():
    x = jnp.array([-1.0, 2.0])
    chosen = get("leaky_relu(Learn(0.25, bounds=(0.0, 0.5)))")
    np.testing.assert_array_equal(chosen(x, negative_slope=3.0), [-0.5, 2])
    np.testing.assert_array_equal(chosen(x, negative_slope=jnp.nan), [jnp.nan, 2])
    dropped = get("isru", alpha=Learn(1.0, bounds=(-jnp.inf, jnp.inf)))
    assert jnp.isnan(dropped(x, alpha=-3.0)).any()
    assert not jnp.isnan(get("isru", alpha=Learn(1.0))(x, alpha=-3.0)).any()


def test_an_initial_value_outside_of_the_bounds_is_an_error():
    with pytest.raises(
        ValueError, match="entmax: alpha: Learn: expected a value from 1"
    ):
        get("entmax(alpha=Learn(0.5))")
    with pytest.raises(ValueError, match="Learn: init: expected a value from 0 to 1"):
        Learn(2.0, bounds=(0.0, 1.0))
    for bounds in ((1.0, 0.0), (0.0,), 3.0, ("a", "b")):
        with pytest.raises(
            ValueError, match="expected \\(low, high\\) with low < high"
        ):
            Learn(0.5, bounds=bounds)


def test_the_projection_has_all_derivatives():
    f = lambda p: Learn(1.5, bounds=(1.0, 2.0)).project(p) ** 2
    for p, want in ((1.5, 3.0), (0.0, 2.0), (9.0, 4.0)):
        assert jax.grad(f)(p) == jax.jvp(f, (p,), (1.0,))[1] == want
        assert jax.grad(jax.grad(f))(p) == 2
