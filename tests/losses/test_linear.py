"""`linear_cross_entropy` against `cross_entropy` of the whole logits."""

import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax_acts.losses import cross_entropy, linear_cross_entropy

ROWS, FEATURES, VOCABULARY = 23, 8, 101
CHUNKS = (None, (10, None), (10, 16))
"""Neither 10 divides the rows nor 16 the vocabulary."""
OPTIONS = (
    {"ignore_index": 5},
    {"soft_cap": 5.0, "z_loss": 0.01, "label_smoothing": 0.1, "temperature": 2.0},
)
RTOL = 1e-5  # sums of 23 to 101 products in another order


def operands(dtype=np.float32, rows=ROWS):
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = (rows, FEATURES), (FEATURES, VOCABULARY), (VOCABULARY,)
    arrays = [jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=False)]
    labels = jax.random.randint(keys[3], (rows,), 0, VOCABULARY).at[0].set(5)
    return [a.astype(dtype) for a in arrays], labels


def by_blocks(labels, **options):
    return lambda x, w, b: linear_cross_entropy(x, w, labels, bias=b, **options)


def by_logits(labels, **options):
    def loss(x, w, b):
        logits = jnp.matmul(x, w, preferred_element_type=jnp.float32) + b
        return cross_entropy(logits, labels, **options)

    return loss


def assert_equal(got, want, rtol=RTOL):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        scale = np.abs(np.asarray(b, np.float32)).max()
        np.testing.assert_allclose(
            np.asarray(a, np.float32), np.asarray(b, np.float32), atol=rtol * scale
        )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_values_and_derivatives_do_not_depend_on_the_blocks(options):
    arrays, labels = operands()
    cotangent = jnp.cos(jnp.arange(ROWS))
    tangents = [jnp.sin(a) for a in arrays]

    def derivatives(loss):
        def program(arrays, tangents, cotangent):
            value, vjp = jax.vjp(loss, *arrays)
            return value, vjp(cotangent), jax.jvp(loss, arrays, tangents)[1]

        return jax.jit(program)(arrays, tangents, cotangent)

    want = derivatives(by_logits(labels, **options))
    for chunk in CHUNKS:
        assert_equal(derivatives(by_blocks(labels, chunk=chunk, **options)), want)


def test_the_parameters_of_a_flax_head_give_the_loss_of_its_logits():
    (x, w, b), labels = operands()
    params = {"kernel": w, "bias": b}
    logits = nn.Dense(VOCABULARY).apply({"params": params}, x)
    layer = nnx.Linear(FEATURES, VOCABULARY, rngs=nnx.Rngs(0))
    nnx.update(layer, params)
    want = cross_entropy(logits, labels)
    for kernel, bias in ((w, b), (layer.kernel[...], layer.bias[...])):
        assert_equal(linear_cross_entropy(x, kernel, labels, bias=bias), want)


def test_the_sum_of_a_batch_is_that_of_vmap():
    (x, w, b), labels = operands()
    batch = jnp.stack([x, 2 * x, -x])
    losses = [f(labels) for f in (lambda y: by_blocks(y, chunk=(10, 16)), by_logits)]
    got, want = (
        jax.jit(
            jax.vmap(jax.grad(lambda *a, f=f: f(*a).sum(), (0, 1, 2)), (0, None, None))
        )(batch, w, b)
        for f in losses
    )
    assert_equal(got, want)


def test_hessian_is_that_of_the_logits():
    (x, w, b), labels = operands(rows=1)
    got, want = (
        jax.hessian(lambda x, f=f: f(x, w, b).sum())(x)
        for f in (by_blocks(labels, chunk=(1, 16)), by_logits(labels))
    )
    assert_equal(got, want)


def test_the_loss_of_16_bit_inputs_is_float32_and_accurate():
    arrays, labels = operands("bfloat16")
    got = by_blocks(labels, chunk=(10, 16))(*arrays)
    wide = [a.astype(jnp.float32) for a in arrays]
    assert got.dtype == jnp.float32
    assert_equal(got, by_logits(labels)(*wide))
    gradients = jax.grad(lambda *a: by_blocks(labels)(*a).sum(), (0, 1, 2))(*arrays)
    exact = jax.grad(lambda *a: by_logits(labels)(*a).sum(), (0, 1, 2))(*wide)
    assert {g.dtype for g in gradients} == {jnp.dtype("bfloat16")}
    # Logit gradients and results are rounded to 8 bits.
    assert_equal(gradients, exact, rtol=2**-7)


def test_confident_rows_keep_loss_and_gradient():
    x, w = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 20.0], [1.0, 1.0]])
    loss = lambda w: linear_cross_entropy(x, w, jnp.array([1]), chunk=(1, 1)).sum()
    value, gradient = jax.value_and_grad(loss)(w)
    np.testing.assert_allclose(value, 2.0611537e-9, rtol=1e-6)
    np.testing.assert_allclose(gradient[0], [2.0611537e-9, -2.0611537e-9], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32"])
def test_the_compiled_program_has_no_array_of_the_size_of_the_logits(dtype):
    rows, features, vocabulary = 4096, 64, 16384
    shape = jax.ShapeDtypeStruct
    arguments = (
        shape((rows, features), dtype),
        shape((features, vocabulary), dtype),
        shape((rows,), jnp.int32),
    )

    def memory(loss):
        gradient = jax.value_and_grad(lambda *a: loss(*a).mean(), (0, 1))
        program = jax.jit(gradient).lower(*arguments).compile()
        return program.memory_analysis().temp_size_in_bytes

    blocks = memory(lambda x, w, y: linear_cross_entropy(x, w, y, chunk=(None, 512)))
    logits = memory(lambda x, w, y: cross_entropy(x @ w, y))
    assert logits >= rows * vocabulary * 4
    assert blocks <= logits / 8


SHARDED = """
import functools, re
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from jax_acts.losses import cross_entropy, linear_cross_entropy

mesh = jax.make_mesh((8,), ("v",), axis_types=(jax.sharding.AxisType.Auto,))
x = jax.random.normal(jax.random.key(0), (24, 16))
w = jax.random.normal(jax.random.key(1), (16, 8 * 33))
labels = jax.random.randint(jax.random.key(2), (24,), 0, 8 * 33)

@functools.partial(
    jax.shard_map, mesh=mesh, in_specs=(P(), P(None, "v"), P()), out_specs=P()
)
def by_blocks(x, w, labels):
    return linear_cross_entropy(x, w, labels, chunk=(10, 16), axis_name="v")

@functools.partial(
    jax.shard_map, mesh=mesh, in_specs=(P(), P(None, "v"), P()), out_specs=P()
)
def by_logits(x, w, labels):
    return cross_entropy(x @ w, labels, axis_name="v", z_loss=0.0)

whole = lambda x, w, labels: cross_entropy(x @ w, labels)
gradient = lambda f: jax.jit(jax.value_and_grad(lambda *a: f(*a).mean(), (0, 1)))
want = gradient(whole)(x, w, labels)
for f in (by_blocks, by_logits):
    got = gradient(f)(x, w, labels)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
text = gradient(by_blocks).lower(x, w, labels).compile().as_text()
assert "all-reduce" in text
gathered = [line for line in text.splitlines() if "all-gather" in line]
assert not any("264" in line for line in gathered), gathered
print("sharded")
"""


@pytest.mark.slow
def test_a_sharded_vocabulary_never_gathers_the_logits():
    run = subprocess.run(
        [sys.executable, "-c", SHARDED],
        capture_output=True,
        text=True,
        env={"XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
        check=False,
    )
    assert run.stdout == "sharded\n", run.stderr[-2000:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": np.zeros((3, 4))}, r"expected x of shape \(…, features\) and w"),
        ({"labels": np.zeros(3, int)}, r"labels: expected shape \(2,\), got \(3,\)"),
        ({"bias": np.zeros(3)}, r"bias: expected shape \(4,\), got \(3,\)"),
        ({"chunk": (0, None)}, "chunk: expected sizes of at least 1"),
        ({"chunk": 5}, r"chunk: expected \(rows, columns\), got 5"),
    ],
)
def test_errors_name_the_argument(change, message):
    arguments = {
        "x": np.zeros((2, 5)),
        "w": np.zeros((5, 4)),
        "labels": np.zeros(2, int),
    }
    with pytest.raises(ValueError, match=message):
        linear_cross_entropy(**(arguments | change))


def test_empty_inputs_give_empty_results():
    w = jnp.zeros((5, 4))
    loss = lambda x: linear_cross_entropy(x, w, jnp.zeros(0, int))
    assert loss(jnp.zeros((0, 5))).shape == (0,)
