"""Statistics equal those of explicit computations, under every transformation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jax_acts
import jax_acts.linen
import jax_acts.nnx
from jax_acts import diagnose
from jax_acts.diagnosis.sites import find_sites
from tests.conftest import check_each

x = jax.random.normal(jax.random.key(0), (64, 8))
w = jax.random.normal(jax.random.key(1), (8, 8))
bias = jnp.where(jnp.arange(8) < 2, -50.0, 0.0)  # 2 of 8 units are dead


def network(f, w, x):
    return jnp.square(f(x @ w + bias) @ w).mean()


def test_statistics_equal_those_of_the_arrays():
    (row,) = diagnose(lambda w, x: network(jax_acts.relu, w, x), w, x).rows
    pre, values = np.asarray(x @ w + bias, np.float64), row.values
    post = np.maximum(pre, 0)
    assert (row.site, row.units, row.rows) == ("relu", 8, 64)
    assert values["dead"] == 0.25
    for name, array in (("pre", pre), ("post", post)):
        expected = [array.mean(), array.std(), array.min(), array.max()]
        got = [values[f"{name}_{n}"] for n in ("mean", "std", "min", "max")]
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        counts, _ = np.histogram(array, bins=64)
        # An input on the edge of two intervals may be counted in either.
        assert np.abs(values[f"{name}_hist"] - counts).sum() <= 4
    assert values["saturated"] == (pre < 0).mean()
    perturbed = lambda e: jnp.square(jax.nn.relu(x @ w + bias + e) @ w).mean()
    gradient = np.asarray(jax.grad(perturbed)(jnp.zeros_like(x)), np.float64)
    np.testing.assert_allclose(
        values["pre_grad_rms"], np.sqrt((gradient**2).mean()), rtol=1e-6
    )
    np.testing.assert_allclose(
        values["pre_grad_max"], np.abs(gradient).max(), rtol=1e-6
    )
    assert values["pre_grad_hist"].sum() == gradient.size


def test_small_gradients_do_not_underflow_in_their_norm():
    scaled = lambda w, x: 1e-30 * network(jax_acts.tanh, w, x)
    (small,) = diagnose(scaled, w, x, bins=0).rows
    (row,) = diagnose(lambda w, x: network(jax_acts.tanh, w, x), w, x, bins=0).rows
    ratio = small.values["pre_grad_norm"] / row.values["pre_grad_norm"]
    assert ratio == pytest.approx(1e-30, rel=1e-4)


def test_the_loss_is_that_of_the_model():
    for f in (jax_acts.silu, jax.nn.gelu, jnp.tanh):
        loss = lambda w, x, f=f: network(f, w, x)
        assert diagnose(loss, w, x, bins=0).loss == pytest.approx(
            float(jax.jit(loss)(w, x)), rel=1e-6
        )


@jax.custom_vjp
def clipped(x):
    return jnp.maximum(x, 0)


clipped.defvjp(lambda x: (clipped(x), x), lambda x, g: (g * (x > 0),))

SITES = {
    **{name: getattr(jax.nn, name) for name in ("relu", "relu6", "silu", "gelu")},
    **{n: getattr(jax.nn, n) for n in ("elu", "selu", "mish", "softplus")},
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "hard_tanh": jax.nn.hard_tanh,
    "clipped": clipped,
    "leaky_relu": lambda x: jax_acts.leaky_relu(x, jnp.full(8, 0.1)),
    "affine": lambda x: jax_acts.get("affine(scale=1.7159, of=tanh)")(x),
}
TRANSFORMS = {
    "jit": jax.jit,
    "vmap": jax.vmap,
    "checkpoint": jax.checkpoint,
    "jit of vmap": lambda f: jax.jit(jax.vmap(f)),
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, _: (f(c), None), x, None, 2)[0],
    "fori_loop": lambda f: lambda x: jax.lax.fori_loop(0, 2, lambda i, c: f(c), x),
    "cond": lambda f: lambda x: jax.lax.cond(x.sum() > 0, f, f, x),
}


def sites(f):
    closed = jax.make_jaxpr(f)(x).jaxpr
    return find_sites(closed, "")


@pytest.mark.slow
def test_statistics_are_equal_under_every_transformation():
    layer = lambda x: jax_acts.silu(x @ w)
    loop = lambda x: jax.lax.scan(lambda c, _: (layer(c), None), x, None, 2)[0]
    variants = {
        "calls": lambda x: layer(layer(x)),
        "jit of vmap": lambda x: jax.jit(jax.vmap(layer))(jax.vmap(layer)(x)),
        "scan": loop,
        "checkpoint": jax.checkpoint(lambda x: layer(jax.checkpoint(layer)(x))),
        "scan of checkpoint": jax.checkpoint(loop),
    }
    rows = {
        n: diagnose(lambda x, f=f: jnp.square(f(x)).mean(), x, bins=0).rows
        for n, f in variants.items()
    }
    for name, (first, second) in rows.items():
        for row, expected in zip((first, second), rows["calls"], strict=True):
            for key, value in row.values.items():
                if "kernel" not in key:
                    np.testing.assert_allclose(
                        value, expected.values[key], rtol=1e-4, atol=1e-7, err_msg=name
                    )


def test_functions_of_both_libraries_are_sites_under_every_transformation():
    def check(case):
        name, transform = case
        plan = sites(TRANSFORMS[transform](SITES[name]))
        if transform == "cond":
            assert plan.unmeasured == 2 * [f"{name} in `cond`"]
            return
        (site,) = plan.sites.values()
        assert (site.path, site.function, site.shape) == (name, name, (64, 8)) or (
            transform == "vmap"
        )
        loops = transform in ("scan", "fori_loop")
        assert site.lead == ((2,) if loops else ())

    check_each(check, [(n, t) for n in SITES for t in TRANSFORMS])


def test_other_operations_are_no_sites():
    def check(f):
        assert sites(f).sites == {}

    check_each(
        check,
        [
            jax.nn.softmax,
            jax.nn.log_softmax,
            jax_acts.softmax,
            jax.nn.standardize,
            jax.nn.logsumexp,
            jnp.sinc,
            lambda x: jnp.logaddexp(x, 0.0),
            lambda x: jnp.maximum(x, 0),
        ],
    )


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(8)(x))
        x = jax_acts.linen.Dense(8, activation="silu")(x)
        x = jax_acts.linen.MLP(8, "gelu", gated=True)(x)
        return jax_acts.linen.Activation("tanh")(x)


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(8, 8, rngs=rngs)])
        self.dense = jax_acts.nnx.Dense(8, 8, activation="silu", rngs=rngs)
        self.mlp = jax_acts.nnx.MLP(8, 8, activation="gelu", gated=True, rngs=rngs)
        self.last = jax_acts.nnx.Activation("tanh")

    def __call__(self, x):
        for layer in self.layers:
            x = jax.nn.relu(layer(x))
        return self.last(self.mlp(self.dense(x)))


def test_sites_have_the_paths_of_flax_modules():
    model = Linen()
    variables = model.init(jax.random.key(0), x)
    result = diagnose(model, variables, x, bins=0)
    assert [row.site for row in result.rows] == [
        "relu",
        "Dense_1/activation/silu",
        "MLP_0/activation/gelu",
        "Activation_0/tanh",
    ]
    bound = diagnose(model.bind(variables), x, bins=0)
    assert [row.site for row in bound.rows] == [row.site for row in result.rows]
    call = Nnx.__call__
    result = diagnose(Nnx(nnx.Rngs(0)), x, bins=0)
    assert [row.site for row in result.rows] == [
        "relu",
        "dense/activation/silu",
        "mlp/activation/gelu",
        "last/tanh",
    ]
    assert Nnx.__call__ is call
    assert all(row.source.startswith("test_statistics.py:") for row in result.rows)


class WithDropout(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(32)(x))
        return nn.Dense(1)(nn.Dropout(0.5, deterministic=not train)(nn.relu(x)))


def test_keyword_arguments_reach_the_model():
    model = WithDropout()
    variables = model.init(jax.random.key(0), x, train=False)
    options = {"train": True, "mutable": ["batch_stats"]}
    rngs = {"dropout": jax.random.key(1)}
    result = diagnose(
        model, variables, x, x[:, :1], loss=optax.squared_error, rngs=rngs, **options
    )
    assert result.findings == []
    assert result.rows[0].values["pre_std"] == pytest.approx(1, rel=0.01)


def test_table_figure_and_text_have_every_site(tmp_path):
    result = diagnose(lambda w, x: network(jax_acts.relu, w, x), w, x)
    table = result.table
    assert list(table.index) == ["relu"]
    assert table.loc["relu", "dead"] == 0.25
    assert {"pre_mean", "post_std", "pre_grad_rms", "pre_hist"} <= {*table.columns}
    text = str(result)
    assert "dead (%)" in text
    assert "findings: none" in text
    result.figure(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000
