"""Residuals of MLP: gradients, saved arrays, matrix products, memory and names."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import checkpoint_policies as policies

import jax_acts.linen
import jax_acts.nnx
from jax_acts import Learn
from jax_acts.testing.evaluation import OPTIMIZED

FEATURES, HIDDEN, TOKENS = 32, 96, 64
X = jax.random.normal(jax.random.key(0), (TOKENS, FEATURES))
PACKED = ("gate_up_proj", "down_proj")
PRODUCTS = ("mlp_gate", "mlp_up")


def block(residuals, **options):
    options = {"activation": "silu", "gated": True} | options
    return jax_acts.linen.MLP(HIDDEN, residuals=residuals, **options)


def value_and_gradient(mlp, variables, x=X, **rngs):
    def loss(variables, x):
        return jnp.square(mlp.apply(variables, x, rngs=rngs)).sum()

    return jax.value_and_grad(loss, (0, 1))(variables, x)


def flat(tree):
    return np.concatenate([np.ravel(v).astype(float) for v in jax.tree.leaves(tree)])


OPTIONS = {
    "SwiGLU": {},
    "plain": {"gated": False, "activation": "gelu"},
    "packed": {"kernel_names": PACKED, "layout": "interleaved", "use_bias": False},
    "learned": {"activation": "swish", "beta": Learn(1.0, per_feature=True)},
    "bfloat16": {"activation": "swiglu_oai", "dtype": jnp.bfloat16},
    "norm": {"norm": nn.RMSNorm(parent=None)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_the_value_is_the_same_and_the_gradient_exact_or_that_of_int8(name):
    options = OPTIONS[name]
    policy = (policies.everything_saveable, "all", "named", "recompute", "int8")
    mlps = [block(p, **options) for p in policy]
    variables = mlps[0].init(jax.random.key(1), X)
    program = jax.jit(
        lambda v: [value_and_gradient(mlp, v) for mlp in mlps],
        compiler_options=OPTIMIZED,
    )
    (value, want), *results = program(variables)
    for residuals, (got_value, got) in zip(policy[1:], results, strict=True):
        assert got_value == value, residuals
        error = relative_error(got, want)
        if residuals == "int8":
            # Half a step of max / 127 in normal products: 0.3 / 127 of their RMS,
            # times the maximum over their RMS, about 3.
            assert 0 < error < 0.02
        elif residuals == "all" or name in ("learned", "norm"):
            # The cotangents of x, of beta and of the scale are summed in another order.
            assert error < (1e-2 if name == "bfloat16" else 1e-6)
        else:
            np.testing.assert_array_equal(flat(got), flat(want), residuals)


def relative_error(got, want):
    return np.linalg.norm(flat(got) - flat(want)) / np.linalg.norm(flat(want))


def make_nnx(residuals, **options):
    options = {"activation": "silu", "gated": True} | options
    norm = nnx.RMSNorm(FEATURES, rngs=nnx.Rngs(0))
    return jax_acts.nnx.MLP(
        FEATURES, HIDDEN, norm=norm, residuals=residuals, rngs=nnx.Rngs(0), **options
    )


@pytest.mark.parametrize("residuals", ["named", "int8"])
def test_linen_and_nnx_have_the_same_gradients(residuals):
    layer = make_nnx(residuals)
    definition, state = nnx.split(layer)
    linen = block(residuals, norm=nn.RMSNorm(parent=None))

    def program(state):
        loss = lambda state: jnp.square(nnx.merge(definition, state)(X)).sum()
        params = nnx.to_pure_dict(state)
        value, (want, _) = value_and_gradient(linen, {"params": params})
        return jax.value_and_grad(loss)(state), (value, want["params"])

    (value, gradient), (want_value, want) = jax.jit(program)(state)
    np.testing.assert_array_equal(value, want_value)
    gradient = nnx.to_pure_dict(gradient)
    for name in ("gate", "up", "down", "norm"):
        # Cotangents may be summed in another order.
        assert relative_error(gradient[name], want[name]) < 1e-6, name


def saved(residuals, **options):
    """Return shape and dtype of the arrays per token that `jax.vjp` saves, sorted."""
    mlp = block(residuals, **options)
    variables = mlp.init(jax.random.key(1), X)
    vjp = jax.vjp(lambda v, x: mlp.apply(v, x), variables, X)[1]
    arrays = {id(a): a for a in jax.tree.leaves(vjp) if jnp.shape(a)[:1] == (TOKENS,)}
    return sorted((str(a.dtype), a.shape[1]) for a in arrays.values())


def test_the_residuals_are_those_of_the_policy():
    norm, x = nn.RMSNorm(parent=None), ("float32", FEATURES)
    product, code, scale = ("float32", HIDDEN), ("int8", HIDDEN), ("float32", 1)
    assert saved("named", norm=norm) == [x, product, product]
    assert saved("int8", norm=norm) == [scale, scale, x, code, code]
    assert saved("recompute", norm=norm) == [x]
    assert saved("named", norm=norm, gated=False) == [x, product]
    assert saved("named", norm=norm, kernel_names=PACKED) == [x, product, product]
    assert len(saved("all", norm=norm)) > 5
    inputs = policies.save_only_these_names("mlp_in", "mlp_act")
    assert saved(inputs, norm=norm) == [x, x, product]


def test_a_policy_around_a_block_selects_from_the_names():
    for layer in (
        block("all"),
        jax_acts.linen.GatedDense(HIDDEN, activation="silu"),
    ):
        variables = layer.init(jax.random.key(1), X)
        for names in (("mlp_in",), PRODUCTS, ("mlp_act",)):
            policy = policies.save_only_these_names(*names)
            f = jax.checkpoint(layer.apply, policy=policy)
            program = jax.make_jaxpr(lambda v, x, f=f: jax.vjp(f, v, x)[1])
            text = str(program(variables, X))
            assert all(f"name={name}" in text for name in names)
            got = jax.vjp(f, variables, X)[1]
            hidden = [
                a for a in jax.tree.leaves(got) if jnp.shape(a) == (TOKENS, HIDDEN)
            ]
            # The gradient of `GatedDense` does not need its result.
            is_mlp = "down" in variables["params"]
            assert len(hidden) == {PRODUCTS: 2, ("mlp_act",): is_mlp}.get(names, 0)


def test_residuals_are_offloaded_to_the_memory_of_the_host():
    policy = policies.save_and_offload_only_these_names(
        names_which_can_be_saved=[],
        names_which_can_be_offloaded=[*PRODUCTS],
        offload_src="device",
        offload_dst="pinned_host",
    )
    mlp = block(policy)
    variables = mlp.init(jax.random.key(1), X)
    text = str(jax.make_jaxpr(jax.grad(lambda v: mlp.apply(v, X).sum()))(variables))
    assert text.count("memory_kind=pinned_host") or "<host>" in text
    mlps = (mlp, block("named"))
    program = jax.jit(lambda v: [value_and_gradient(mlp, v)[1] for mlp in mlps])
    got, want = program(variables)
    np.testing.assert_array_equal(flat(got), flat(want))


class Residual(nn.Module):
    """A pre-norm block x + MLP(norm(x)), for a scan over layers."""

    residuals: object

    @nn.compact
    def __call__(self, x, _):
        norm = nn.RMSNorm(name="norm", parent=None)
        mlp = jax_acts.linen.MLP(
            HIDDEN,
            "silu",
            gated=True,
            use_bias=False,
            residuals=self.residuals,
            norm=norm,
        )
        return x + mlp(x), None


@functools.cache
def step(residuals, layers):
    """Return a compiled gradient of scanned blocks."""
    model = nn.scan(
        Residual,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        length=layers,
    )(residuals)
    x = jax.ShapeDtypeStruct((2048, FEATURES), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), x, None)
    loss = lambda v, x: jnp.square(model.apply(v, x, None)[0]).mean()
    return jax.jit(jax.grad(loss)).lower(variables, x).compile()


@pytest.mark.parametrize(
    ("residuals", "dots", "size"),
    [
        ("named", 9, 4 * (FEATURES + 2 * HIDDEN)),
        ("int8", 9, 4 * FEATURES + 2 * (HIDDEN + 4)),
        ("recompute", 11, 4 * FEATURES),
    ],
)
def test_a_scanned_block_saves_its_residuals_without_another_product(
    residuals, dots, size
):
    text = step(residuals, 12).as_text()
    assert text.count(" dot(") + text.count("__onednn$matmul") == dots
    memory = [step(residuals, n).memory_analysis().temp_size_in_bytes for n in (12, 6)]
    per_token = (memory[0] - memory[1]) / (6 * 2048)
    # Of the parameters a layer has 9,216 entries, 18 bytes per token.
    assert size <= per_token <= size + 2 * 18 + 4


@pytest.mark.slow
def test_random_activations_draw_the_same_key_in_both_passes():
    options = {"gated": False, "activation": "rrelu", "training": True}
    key = {"activation": jax.random.key(3)}
    mlps = [block(p, **options) for p in ("named", "int8")]
    variables = mlps[0].init(key | {"params": jax.random.key(1)}, X)
    program = jax.jit(lambda v: [value_and_gradient(m, v, **key) for m in mlps])
    (value, want), (got_value, got) = program(variables)
    assert got_value == value
    # A product that is rounded to 0 lies on the kink.
    assert 0 < relative_error(got, want) < 0.03
    layer = make_nnx("int8", **options)
    first, second = layer(X), layer(X)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(
        layer(X, rngs=nnx.Rngs(0)), layer(X, rngs=nnx.Rngs(0))
    )


def test_int8_rejects_second_derivatives_and_has_forward_mode():
    mlp = block("int8")
    variables = mlp.init(jax.random.key(1), X)
    f = lambda x: jnp.square(mlp.apply(variables, x)).sum()
    with pytest.raises(TypeError, match=r"linen.MLP: residuals='int8': expected first"):
        jax.grad(lambda x: jax.grad(f)(x).sum())(X)
    tangent = jax.jvp(f, (X,), (X,))[1]
    np.testing.assert_allclose(tangent, jnp.vdot(jax.grad(f)(X), X), rtol=1e-4)


@pytest.mark.parametrize("make", [block, make_nnx])
def test_unknown_residuals_are_an_error(make):
    message = "MLP: residuals: expected 'named' .* got 'int9'; did you mean 'int8'"
    with pytest.raises(ValueError, match=message):
        make("int9")
