"""A `Bound` with arrays is a pytree of its array arguments, whatever replaces them."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from flax import nnx
from jax.sharding import SingleDeviceSharding

import jax_acts.nnx
from jax_acts import Bound, Learn, get, leaky_relu
from jax_acts._registry.lookup import FUNCTIONS

X = jnp.linspace(0.25, 2, 4)
CASES = [
    pytest.param(f, name, id=f"{f.__name__}-{name}")
    for f in dict.fromkeys(FUNCTIONS.values())
    for name, parameter in list(f.signature.parameters.items())[1:]
    if name not in f.static and isinstance(parameter.default, float | tuple)
]
REPLACEMENTS = {
    "a boolean": lambda a: False,
    "None": lambda a: None,
    "a shape": jnp.shape,
    "an abstract array": lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype),
    "a sharding": lambda a: SingleDeviceSharding(jax.devices()[0]),
    "a string": lambda a: "decay",
    "a float": float,
    "a NumPy array": np.asarray,
}


def bind(f, name):
    """Return the function with its default argument as an array."""
    return Bound(f, **{name: jnp.asarray(f.signature.parameters[name].default)})


@pytest.mark.parametrize(("function", "name"), CASES)
def test_the_structure_depends_on_the_arguments_that_were_arrays(function, name):
    bound = bind(function, name)
    ((path, _),) = jax.tree_util.tree_leaves_with_path(bound)
    assert jax.tree_util.keystr(path, simple=True) == name
    for what, replace in REPLACEMENTS.items():
        if what == "a float" and bound.arguments[name].ndim:
            continue
        mapped = jax.tree.map(replace, bound)
        is_leaf = lambda v, mapped=mapped: v is not mapped
        assert jax.tree.structure(bound) == jax.tree.structure(mapped, is_leaf), what
        restored = jax.tree.map(lambda _, a: a, mapped, bound, is_leaf=is_leaf)
        assert restored == bound, what


@pytest.mark.parametrize(("function", "name"), CASES)
def test_an_abstract_bound_evaluates_and_compares(function, name):
    bound = bind(function, name)
    abstract = jax.eval_shape(lambda: bound)
    assert [a.shape for a in jax.tree.leaves(abstract)] == [bound.arguments[name].shape]
    if "key" not in function.parameters:
        jax.eval_shape(lambda b, x: b(x), abstract, X)
    assert bound == bind(function, name)
    assert pickle.loads(pickle.dumps(bound)) == bound
    assert bound != jax.tree.map(lambda a: jnp.full_like(a, 17), bound)
    assert bound != Bound(function)
    with pytest.raises(TypeError, match=f"expected hashable .* for {name}"):
        hash(bound)


@pytest.mark.parametrize(("function", "name"), CASES)
def test_an_abstract_nnx_layer_takes_the_state_of_a_real_one(function, name):
    bound = bind(function, name)
    make = lambda: jax_acts.nnx.Activation(bound)
    graph, _ = nnx.split(nnx.eval_shape(make))
    layer, restored = make(), nnx.merge(graph, nnx.split(make())[1])
    assert nnx.split(restored)[0] == nnx.split(layer)[0]
    pairs = jax.tree.map(np.array_equal, nnx.state(restored), nnx.state(layer))
    assert jax.tree.all(pairs)


def test_equality_is_of_elements_dtypes_and_shapes():
    make = lambda slope: Bound(leaky_relu, negative_slope=slope)
    a = jnp.array([0.1, jnp.nan])
    assert make(a) == make(a.copy())
    assert make(a) != make(a.astype(jnp.bfloat16))
    assert make(a) != make(a[None])
    assert make(a[0]) != make(0.1)
    jax.make_jaxpr(lambda t: (make(t) == make(t), make(t) == make(t + 1)))(0.1)


def test_coefficients_may_contain_arrays():
    bound = Bound(FUNCTIONS["polyrelu"], coefficients=(0.5, jnp.array(2.0)))
    assert bound == jax.tree.map(lambda a: a, bound)
    np.testing.assert_array_equal(jax.jit(lambda b, x: b(x))(bound, 2.0), bound(2.0))


def test_optimizers_with_masks_and_shardings_map_over_a_bound():
    bound = get("leaky_relu", negative_slope=jnp.array([0.1, 0.2]))
    mask = lambda tree: jax.tree.map(lambda _: False, tree)
    optimizer = optax.adamw(0.1, mask=mask)
    updates, _ = optimizer.update(bound, optimizer.init(bound), bound)
    assert jax.tree.structure(updates) == jax.tree.structure(bound)
    sharding = SingleDeviceSharding(jax.devices()[0])
    assert jax.device_put(bound, jax.tree.map(lambda _: sharding, bound)) == bound
    x = jnp.array([-1.0, -1.0])
    compiled = jax.jit(lambda b, x: b(x)).lower(jax.eval_shape(lambda: bound), x)
    np.testing.assert_array_equal(compiled.compile()(bound, x), bound(x))


def test_orbax_restores_into_an_abstract_model(tmp_path):
    make = lambda slope: jax_acts.nnx.Activation(
        "pelu", alpha=jnp.array([0.1, slope]), beta=Learn(0.5)
    )
    saved, abstract = make(0.3), nnx.eval_shape(lambda: make(0.0))
    graph, empty = nnx.split(abstract)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", nnx.state(saved))
        checkpointer.wait_until_finished()
        state = checkpointer.restore(tmp_path / "state", empty)
    x = -jnp.ones(2)
    np.testing.assert_array_equal(nnx.merge(graph, state)(x), saved(x))
