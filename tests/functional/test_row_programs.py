"""Programs of functions along an axis: meshes, symbolic shapes, Taylor mode.

The checks of JAX depend on shapes and on the names of mesh axes, so that shapes without
values and one device suffice.
"""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.jet import jet
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jax_acts._core.compat import enable_x64
from jax_acts._core.glu import is_gated_unit
from tests.conftest import check_each
from tests.core.test_ordinary import BITS, RULES, primitives
from tests.functional.cases import ROWS, call

AXES = ("data", "model")
EXPLICIT = jax.make_mesh((1, 1), AXES, axis_types=(AxisType.Explicit,) * 2)
AUTO = jax.make_mesh((1, 1), AXES, axis_types=(AxisType.Auto,) * 2)
SHARDINGS = (
    ("data", "model"),
    pytest.param(("data", None), marks=pytest.mark.slow),
    pytest.param((None, "model"), marks=pytest.mark.slow),
)
PER_VECTOR = {
    "entmax": "alpha",
    "gumbel_softmax": "tau",
    "log_softmax": "temperature",
    "softmax": "temperature",
    "softmax_sink": "sink",
    "softmin": "temperature",
    "ssmax": "scale",
    "standardize": "mean",
}
PER_FEATURE = {
    "polynorm": "bias",
    "situ_glu": "gate_cap",
    "swiglu": "beta",
    "swiglu_clamped": "limit",
    "swiglu_oai": "limit",
}


def loss(name, x, **arguments):
    return jnp.sum(jnp.square(call(name, x, **arguments)))


def value_and_gradient(name, x):
    return call(name, x), jax.grad(loss, 1)(name, x)


def abstract(shape, *axes, dtype=jnp.float32):
    sharding = NamedSharding(EXPLICIT, PartitionSpec(*axes))
    return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)


@pytest.mark.parametrize("axes", SHARDINGS)
def test_gradients_on_explicit_meshes_have_the_shardings_of_their_arguments(axes):
    def check(name):
        f, x = ROWS[name], abstract((4, 8), *axes)
        cases = {}
        if "where" in f.parameters:
            cases["where"] = [abstract((4, 8), *axes, dtype=bool)]
        if name in PER_VECTOR:
            cases[PER_VECTOR[name]] = [abstract((4, 1), axes[0], None), abstract(())]
        if name in PER_FEATURE:
            cases[PER_FEATURE[name]] = [abstract((8,), "model"), abstract((8,), None)]
        gradient = jax.eval_shape(lambda x: value_and_gradient(name, x)[1], x)
        assert gradient.sharding.spec == x.sharding.spec
        for argument, values in cases.items():
            numbers = (0,) if argument == "where" else (0, 1)
            of_both = lambda x, v, a=argument: loss(name, x, **{a: v})
            for value in values:
                gradients = jax.eval_shape(jax.grad(of_both, numbers), x, value)
                for got, want in zip(gradients, (x, value), strict=False):
                    assert got.sharding.spec == want.sharding.spec, argument

    with jax.set_mesh(EXPLICIT):
        check_each(check, ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("mesh", [AUTO, EXPLICIT], ids=["auto", "explicit"])
def test_functions_run_in_shard_map_and_in_vmap_over_a_mesh_axis(mesh):
    spec = PartitionSpec("data")
    sharding = NamedSharding(mesh, spec)
    x = jax.ShapeDtypeStruct((4, 2, 8), jnp.float32, sharding=sharding)

    def check(name):
        program = lambda x: value_and_gradient(name, x)
        sharded = jax.shard_map(program, mesh=mesh, in_specs=spec, out_specs=spec)
        mapped = jax.vmap(program, spmd_axis_name="data")
        for g in (sharded, mapped):
            assert jax.eval_shape(g, x)[1].shape == x.shape

    with jax.set_mesh(mesh):
        check_each(check, ROWS)


@pytest.mark.slow
def test_values_and_gradients_export_with_symbolic_shapes():
    batch, n = jax.export.symbolic_shape("batch, 2 * half")
    x = jax.ShapeDtypeStruct((batch, n), jnp.float32)

    def check(name):
        program = jax.jit(lambda x: value_and_gradient(name, x))
        exported = jax.export.export(program, platforms=("cpu", "cuda", "tpu"))(x)
        assert exported.out_avals[1].shape == (batch, n)

    check_each(check, ROWS)


def test_without_custom_jvp_has_ordinary_primitives_only():
    x = jax.ShapeDtypeStruct((3, 8), jnp.float32)

    def check(name):
        jaxpr = jax.make_jaxpr(lambda x: call(name, x, ordinary=True))(x)
        assert not primitives(jaxpr.jaxpr) & (RULES | BITS)

    # Random bits are made of bits.
    check_each(check, set(ROWS) - {"gumbel_softmax"})


@pytest.mark.slow
def test_without_custom_jvp_is_close_to_the_call():
    x = np.random.default_rng(0).normal(size=(5, 8)) * 4
    x[1, 2:6] = -np.inf
    x[2, 3] = np.inf
    x[3, :] = -np.inf
    finite = {"standardize", "polynorm", "softpick"} | {
        n for n, f in ROWS.items() if is_gated_unit(f)
    }

    @jax.jit
    def both(x):
        return {
            name: [
                call(name, x[-1:] if name in finite else x, ordinary=o) for o in (0, 1)
            ]
            for name in ROWS
        }

    for name, (want, got) in both(jnp.asarray(x, jnp.float32)).items():
        # As for elementwise functions; the products of gated units add up.
        tolerance = 16 * 2.0**-23
        np.testing.assert_allclose(got, want, tolerance, tolerance, err_msg=name)


@pytest.mark.slow
def test_taylor_coefficients_of_without_custom_jvp_extrapolate_the_call():
    rng = np.random.default_rng(1)
    # No kink between x and x + h v: entries differ from 0 and others by over 0.1.
    x = np.stack([rng.permutation(8) for _ in range(3)]) * 0.37 - 0.93
    v, h = rng.uniform(-0.5, 0.5, size=x.shape), 0.1
    order = 4

    @jax.jit
    def errors(x, v):
        zeros = [jnp.zeros_like(x)] * (order - 1)
        result = {}
        for name in ROWS:
            f = lambda x, name=name: call(name, x, ordinary=True)
            y, derivatives = jet(f, (x,), ([v, *zeros],))
            factor, terms = 1.0, [y]
            for i, d in enumerate(derivatives, 1):
                factor *= h / i
                terms.append(factor * d)
            # The error of each partial sum: the last is of order h^5.
            sums = [sum(terms[: k + 1]) for k in range(order + 1)]
            want = call(name, x + h * v)
            result[name] = [jnp.max(jnp.abs(s - want)) for s in sums]
        return result

    with enable_x64(True):
        for name, error in errors(jnp.asarray(x), jnp.asarray(v)).items():
            message = f"{name}: errors of the partial sums {error}"
            assert error[-2] < 1e-5, message
            # The next term is h d5 / (5 d4) < 1/4 of the last; 0 up to rounding.
            assert error[-1] < max(error[-2] / 4, 1e-12), message


def test_second_derivatives_through_a_scan_are_those_of_the_rules():
    rows = np.random.default_rng(0).normal(size=(4, 8)) * [[1], [1], [10], [10]]
    x = jnp.asarray(rows, jnp.float32)

    def check(name):
        gradient = jax.grad(lambda x: loss(name, x))
        scanned = lambda x: jax.lax.scan(lambda c, x: (c, loss(name, x)), 0, x[None])[1]
        of_scan = jax.grad(lambda x: scanned(x)[0])
        products = lambda g: jax.jit(lambda x: jax.jvp(g, (x,), (x,))[1])(x)
        want, got = map(products, (gradient, of_scan))
        # A loop may contract other products and sums.
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)

    check_each(check, ROWS)
