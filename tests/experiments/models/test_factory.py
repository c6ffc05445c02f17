import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jax_acts
from jax_acts import linen as linen_layers, nnx as nnx_layers
from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.models.factory import build_model, load_factory


def make_linen(activation, num_outputs):
    dense = linen_layers.Dense(4, activation=activation)
    return nn.Sequential([dense, nn.Dense(num_outputs)])


class Linen(nn.Module):
    activation: jax_acts.Bound
    num_outputs: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.num_outputs)(self.activation(nn.Dense(4)(x)))


class Nnx(nnx.Module):
    def __init__(self, activation, num_outputs, *, rngs):
        self.hidden = nnx.Linear(5, 4, rngs=rngs)
        self.activation = nnx_layers.Activation(activation)
        self.head = nnx.Linear(4, num_outputs, rngs=rngs)

    def __call__(self, x):
        return self.head(self.activation(self.hidden(x)))


def make_nnx(activation, num_outputs, rngs):
    return Nnx(activation, num_outputs, rngs=rngs)


@pytest.mark.parametrize("factory", [make_linen, Linen, make_nnx, Nnx])
def test_linen_and_nnx_models_are_functions_of_parameters(factory):
    model = build_model(factory, "relu", 3, (5,))
    x = jnp.ones((2, 5))
    first, again, other = (model.init(jax.random.key(n), x) for n in (0, 0, 1))
    count = sum(leaf.size for leaf in jax.tree.leaves(first))
    assert count == 5 * 4 + 4 + 4 * 3 + 3
    assert model.apply(first, x).shape == (2, 3)
    np.testing.assert_array_equal(model.apply(first, x), model.apply(again, x))
    assert not np.array_equal(model.apply(first, x), model.apply(other, x))


@pytest.mark.parametrize("factory", [make_linen, Nnx])
def test_learned_arguments_are_parameters(factory):
    counts = [
        sum(leaf.size for leaf in jax.tree.leaves(model.init(jax.random.key(0), x)))
        for spec in ("silu", "silu(beta=Learn(1.0))")
        for x in [jnp.ones((1, 5))]
        for model in [build_model(factory, spec, 3, (5,))]
    ]
    assert counts[1] == counts[0] + 1


def nnx_without_rngs(activation, num_outputs):
    return Nnx(activation, num_outputs, rngs=nnx.Rngs(0))


def batch_norm_linen(activation, num_outputs):
    norm = nn.BatchNorm(use_running_average=False)
    return nn.Sequential([norm, nn.Dense(num_outputs)])


class StatefulNnx(nnx.Module):
    def __init__(self, activation, num_outputs, *, rngs):
        self.norm = nnx.BatchNorm(5, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.norm(x))


def wrong_features(activation, num_outputs, *, rngs):
    return nnx.Linear(7, num_outputs, rngs=rngs)


def failing(activation, num_outputs):
    raise KeyError("no\nsuch layer")


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (nnx_without_rngs, "(relu, 3): expected an argument rngs, from which an nnx"),
        (batch_norm_linen, "a model without state (BatchNorm, Dropout), got batch_st"),
        (StatefulNnx, "(BatchNorm, Dropout), got BatchStat, RngCount, RngKey"),
        (lambda a, n: nn.Dense(8), "on inputs (2, 5): expected outputs (2, 3), got (2"),
        (lambda a, n: a, "expected a module of flax.linen or flax.nnx, got Bound"),
        (lambda a, n: nn.Sequential([lambda x: x[:, :3]]), "expected parameters, got"),
        (lambda a: nn.Dense(3), "takes 1 positional argument but 2 were given"),
        (wrong_features, "model wrong_features(relu, 3) on inputs (2, 5): TypeError: "),
        (failing, f"KeyError: 'no\\nsuch layer' ({__file__}, line "),
    ],
)
def test_an_invalid_model_is_one_line(factory, expected):
    with pytest.raises(ConfigError) as caught:
        build_model(factory, "relu", 3, (5,))
    (issue,) = caught.value.issues
    assert issue.key == "model"
    assert expected in issue.message
    assert "\n" not in issue.message


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory with a package of models, which is forgotten after the test."""
    package = tmp_path / "own_models"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text(
        "import flax.linen as nn\nSIZE = 3\ndef make(a, n): return nn.Dense(n)\n"
    )
    (package / "broken.py").write_text("import no_such_package\n")
    (package / "syntax.py").write_text("def make(:\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith("own_models")]:
        del sys.modules[name]


def test_a_factory_is_imported_from_the_directory(project):
    factory = load_factory("own_models.nets:make", project)
    assert build_model(factory, "relu", 3, (5,)).init is not None


def test_a_module_of_the_same_name_in_another_directory_is_another(project, tmp_path):
    first = load_factory("own_models.nets:make", project)
    other = tmp_path / "other"
    (other / "own_models").mkdir(parents=True)
    (other / "own_models" / "__init__.py").touch()
    (other / "own_models" / "nets.py").write_text("def make(a, n): return 1\n")
    sys.path.insert(0, str(other))
    second = load_factory("own_models.nets:make", other)
    assert first.__code__.co_filename != second.__code__.co_filename


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("own_models.nets", "expected 'package.module:factory'"),
        ("own models:make", "expected 'package.module:factory'"),
        ("own_model.nets:make", "expected a module 'own_model' in "),
        ("own_model.nets:make", "got none; did you mean 'own_models'?"),
        ("own_models.net:make", "got none; did you mean 'nets'?"),
        ("own_models.nets:mak", "nets.py, got none; did you mean 'make'?"),
        ("own_models.nets:SIZE", "function or class 'SIZE' in "),
        ("own_models.broken:make", "ModuleNotFoundError: No module named 'no_such"),
        ("own_models.syntax:make", "SyntaxError: "),
    ],
)
def test_a_path_that_cannot_be_imported_is_one_line(project, path, expected):
    with pytest.raises(ConfigError) as caught:
        load_factory(path, project)
    (issue,) = caught.value.issues
    assert issue.message.startswith(f"model = '{path}': ")
    assert expected in issue.message
