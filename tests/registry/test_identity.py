"""A spec stands for one function: names of own functions, residual policies, kinks."""

import json
import pickle
import sys
import types
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

import jax_acts
import jax_acts.linen
import jax_acts.nnx
from jax_acts import Bound, activation, get, names, with_kinks
from jax_acts._core.residuals import Policy
from jax_acts._registry.dialects import DIALECTS
from tests.conftest import ACTIVATIONS

X = jnp.linspace(-3, 3, 8)


def copies(bound, **options):
    """Yield what a bound becomes by each serialized form."""
    yield get(str(bound), **options)
    yield get(bound.to_dict(), **options)
    yield get(json.loads(json.dumps(bound.to_dict())), **options)
    yield get(yaml.safe_load(yaml.safe_dump(bound.to_dict())), **options)


def own(name, decorate):
    """Return a function with the name of a function of the catalog."""

    def f(x):
        return 2 * x + 1

    f.__name__, f.__qualname__ = name, f"own.<locals>.{name}"
    return decorate(f)


def policies(f):
    """Yield copies of a function with each residual policy and other kinks."""
    for policy in get_args(Policy):
        if policy != "output" or f._output_rule is not None:
            yield f.with_residuals(policy)
    if f.spec.kinks:
        kinked = with_kinks(f, dict.fromkeys(f.spec.kinks, 0.25))
        yield kinked
        yield kinked.with_residuals("input")
        yield with_kinks(f.with_residuals("int8"), {next(iter(f.spec.kinks)): -1.5})


@pytest.mark.parametrize("decorate", [lambda f: f, activation, jax.jit])
def test_an_own_function_is_never_taken_for_one_of_the_catalog(decorate):
    for name in names():
        f = own(name, decorate)
        for bound in (get(f), get("affine", of=f), get("blend", first=f)):
            with pytest.raises(TypeError, match="expected a function of the catalog"):
                bound.to_dict()
            for allow_imports in (False, True):
                with pytest.raises(ValueError, match=r"is not a spec|expected a value"):
                    get(str(bound), allow_imports=allow_imports)


@pytest.fixture
def own_module():
    """A module with a function of each name of the catalog."""
    module = types.ModuleType("own_acts.acts")
    for name in names():
        f = own(name, activation if hash(name) % 2 else lambda f: f)
        f.__module__, f.__qualname__ = module.__name__, name
        setattr(module, name, f)
    sys.modules |= {"own_acts": types.ModuleType("own_acts"), module.__name__: module}
    yield module
    del sys.modules["own_acts"], sys.modules[module.__name__]


def test_an_own_function_of_a_module_keeps_its_import_path(own_module):
    for name in names():
        f = getattr(own_module, name)
        for bound in (get(f), get("affine", of=f), get("residual", scale=2.0, of=f)):
            for again in copies(bound, allow_imports=True):
                assert again == bound
            with pytest.raises(ValueError, match="a module needs allow_imports=True"):
                get(bound.to_dict())


def test_a_function_that_another_replaced_has_no_import_path(own_module):
    f = own_module.relu
    own_module.relu = own_module.tanh
    with pytest.raises(TypeError, match="expected a function of the catalog"):
        get(f).to_dict()


@pytest.mark.parametrize("module", ["hf", "torch"])
def test_a_module_named_as_a_dialect_is_no_import_path(module, monkeypatch):
    assert module in DIALECTS
    f = own("gelu", activation)
    f.__module__, f.__qualname__ = module, "gelu"
    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(gelu=f))
    with pytest.raises(TypeError, match="expected a function of the catalog"):
        get(f).to_dict()


def test_an_import_path_that_does_not_import_is_an_error():
    for path in (
        "no_such_module.acts:f",
        "json.decoder:no_such_function",
        "json.decoder:JSONDecoder",
    ):
        with pytest.raises(ValueError, match="expected a function"):
            get(path, allow_imports=True)


def test_every_policy_and_kink_of_every_function_round_trips(f):
    for variant in policies(f):
        for bound in (Bound(variant), get("affine", rate=2.0, of=variant)):
            for again in (*copies(bound), pickle.loads(pickle.dumps(bound))):
                assert again == bound
                assert hash(again) == hash(bound)


def test_residuals_and_kinks_commute_and_replace_each_other(f):
    assert f.with_residuals("input").with_residuals("derivative") is f
    assert f.with_residuals("input").with_residuals("int8") is f.with_residuals("int8")
    for x in f.spec.kinks:
        kinked = with_kinks(f, {x: 0.25})
        assert with_kinks(with_kinks(f, {x: 3.0}), {x: 0.25}) is kinked
        saved = with_kinks(f.with_residuals("input"), {x: 0.25})
        assert saved is kinked.with_residuals("input")


@pytest.mark.parametrize("name", [n for n, f in ACTIVATIONS.items() if f.spec.kinks])
def test_the_derivative_at_a_kink_survives(name):
    kinks = {x: 0.25 + i for i, x in enumerate(ACTIVATIONS[name].spec.kinks)}
    variant = with_kinks(ACTIVATIONS[name], kinks)
    for again in (variant, get(get(variant).to_dict()), get(str(get(variant)))):
        gradient = jax.vmap(jax.grad(again))(jnp.array([*map(float, kinks)]))
        np.testing.assert_array_equal(gradient, [*kinks.values()])


def test_layers_keep_the_policy_of_a_bound_unless_they_have_their_own(f):
    bound = Bound(f).with_residuals("input")
    other = Bound(f).with_residuals("int8")
    linen, layer = jax_acts.linen.Activation, jax_acts.nnx.Activation
    assert linen(bound).activation == layer(bound).bound == bound
    assert linen(bound, residuals="int8").activation == other
    assert layer(bound, residuals="int8").bound == other
    assert linen(str(bound)).activation == layer(str(bound)).bound == bound


def test_a_derivative_has_no_spec():
    with pytest.raises(TypeError, match="expected a function of the catalog"):
        get(jax_acts.silu.derivative).to_dict()
    with pytest.raises(ValueError, match="is not a spec"):
        get(str(get(jax_acts.silu.derivative)))
