"""Blocks of a network that use an activation: Dense, convolution, attention, steps.

Each takes the activation, softmax and log_softmax as arguments, so that two libraries
are compared in the same block. The sizes are arguments too: `benchmarks.gpu` runs the
blocks that `benchmarks.platforms` compiles.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

import jax_acts

Function = Callable[..., Array]
Case = tuple[str, Function, tuple[Any, ...]]
"""A direction, a program and the shapes of its arguments."""
LEARNING_RATE = 0.01


class Functions(NamedTuple):
    """The functions of one library."""

    relu: Function
    gelu: Function
    gelu_exact: Function
    silu: Function
    sigmoid: Function
    softmax: Function
    log_softmax: Function


def functions_of(module: Any) -> Functions:
    """Return the functions of a module that has the names of `jax.nn`."""
    exact = partial(module.gelu, approximate=False)
    names = ("silu", "sigmoid", "softmax", "log_softmax")
    rest = (getattr(module, name) for name in names)
    return Functions(module.relu, module.gelu, exact, *rest)


FUNCTIONS = {"jax_acts": functions_of(jax_acts), "jax": functions_of(jax.nn)}
"""The functions of each library."""


class Block(NamedTuple):
    """A block in one dtype."""

    name: str
    dtype: str
    build: Callable[[Functions, str], Iterator[Case]]
    options: dict[str, bool] = {}  # noqa: RUF012
    """Compiler options of a GPU."""


class Sizes(NamedTuple):
    """Sizes of a transformer."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    vocabulary: int = 8192
    batch: int = 8
    length: int = 1024


SIZES: dict[str, Any] = {
    "dense": (8192, 1024, 4096),
    "convolution": (64, 56, 64, 128),
    "attention": (8, 1024, 16, 64),
    "mlp": (8192, 2048, 1024, 4),
    "transformer": Sizes(),
}
"""Sizes of each block, in the order in which its function unpacks them."""
SMALL: dict[str, Any] = {
    "dense": (32, 16, 64),
    "convolution": (2, 8, 4, 8),
    "attention": (2, 16, 2, 8),
    "mlp": (32, 16, 8, 2),
    "transformer": Sizes(2, 32, 2, 64, 2, 16),
}
"""Sizes for a trial of the code on any device."""


def blocks(sizes: dict[str, Any] = SIZES) -> Iterator[Block]:
    """Yield the blocks that are compiled."""
    for dtype in ("float32", "bfloat16", "float16"):
        for act in ("relu", "gelu", "gelu_exact", "silu", "sigmoid"):
            # There is no autotuning without a device: the path is chosen here.
            for title, triton in (("cuBLASLt", False), ("Triton", True)):
                build = partial(dense, act=act, sizes=sizes["dense"])
                options = {"xla_gpu_enable_triton_gemm": triton}
                yield Block(f"dense {act} ({title})", dtype, build, options)
        build = partial(convolution, sizes=sizes["convolution"])
        yield Block("conv relu", dtype, build)
        if dtype != "float16":
            yield Block(
                "attention", dtype, partial(attention, sizes=sizes["attention"])
            )
            for act in ("relu", "gelu", "silu"):
                build = partial(mlp, act=act, sizes=sizes["mlp"])
                yield Block(f"MLP step {act}", dtype, build)
            build = partial(transformer, sizes=sizes["transformer"])
            yield Block("transformer step", dtype, build)


def both(f: Function, *x: Any) -> Iterator[Case]:
    """Yield f, and f with its gradient."""

    def program(cotangent: Any, *x: Any) -> Any:
        y, vjp = jax.vjp(f, *x)
        return y, vjp(cotangent)

    yield "forward", f, x
    yield "forward_backward", program, (jax.eval_shape(f, *x), *x)


def dense(functions: Functions, dtype: str, *, act: str, sizes: Any) -> Iterator[Case]:
    """Yield act(x W + b)."""
    f = getattr(functions, act)
    rows, inner, outer = sizes
    shapes = ((rows, inner), (inner, outer), (outer,))
    x, w, b = (ShapeDtypeStruct(s, dtype) for s in shapes)
    yield from both(lambda x, w, b: f(x @ w + b), x, w, b)


def convolution(functions: Functions, dtype: str, *, sizes: Any) -> Iterator[Case]:
    """Yield relu of a 3 × 3 convolution with a bias."""
    batch, side, inner, outer = sizes
    shapes = ((batch, side, side, inner), (3, 3, inner, outer), (outer,))
    x, w, b = (ShapeDtypeStruct(s, dtype) for s in shapes)
    layout = ("NHWC", "HWIO", "NHWC")
    convolve = lambda x, w: jax.lax.conv_general_dilated(
        x, w, (1, 1), "SAME", dimension_numbers=layout
    )
    yield "forward", lambda x, w, b: functions.relu(convolve(x, w) + b), (x, w, b)


def attention(functions: Functions, dtype: str, *, sizes: Any) -> Iterator[Case]:
    """Yield softmax(Q Kᵀ / √d) V."""

    def f(q: Array, k: Array, v: Array) -> Array:
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
        return jnp.einsum("bhqk,bkhd->bqhd", functions.softmax(scores), v)

    x = ShapeDtypeStruct(sizes, dtype)
    yield from both(f, x, x, x)


def step(loss: Callable[..., Array], *shapes: Any) -> Iterator[Case]:
    """Yield a step of gradient descent, given the loss of parameters and data."""

    def update(parameters: Any, *data: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(parameters, *data)
        new = lambda p, g: p - (LEARNING_RATE * g).astype(p.dtype)
        return value, jax.tree.map(new, parameters, gradient)

    yield "forward_backward", update, shapes


def mlp(functions: Functions, dtype: str, *, act: str, sizes: Any) -> Iterator[Case]:
    """Yield a training step of an MLP with a softmax cross-entropy."""
    f = getattr(functions, act)
    batch, width, classes, layers = sizes

    def loss(parameters: Any, x: Array, labels: Array) -> Array:
        for w, b in parameters[:-1]:
            x = f(x @ w + b)
        w, b = parameters[-1]
        logits = (x @ w + b).astype(jnp.float32)
        return -jnp.mean(jnp.sum(functions.log_softmax(logits) * labels, -1))

    make = lambda *shape: ShapeDtypeStruct(shape, dtype)
    parameters = layers * [(make(width, width), make(width))]
    parameters += [(make(width, classes), make(classes))]
    labels = ShapeDtypeStruct((batch, classes), jnp.float32)
    yield from step(loss, parameters, make(batch, width), labels)


def transformer(functions: Functions, dtype: str, *, sizes: Sizes) -> Iterator[Case]:
    """Yield a training step of a decoder with scanned layers."""
    heads, f = sizes.heads, functions.gelu

    def norm(x: Array, scale: Array) -> Array:
        h = x.astype(jnp.float32)
        h = h * jax.lax.rsqrt(jnp.mean(h * h, -1, keepdims=True) + 1e-6)
        return h.astype(x.dtype) * scale

    def attend(x: Array, p: Any) -> Array:
        batch, length, width = x.shape
        qkv = jnp.split(norm(x, p["norm_1"]) @ p["qkv"], 3, -1)
        split = lambda a: a.reshape(batch, length, heads, width // heads)
        q, k, v = map(split, qkv)
        kinds = {"preferred_element_type": jnp.float32}
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k, **kinds)
        scores = scores * (width // heads) ** -0.5
        mask = jnp.tril(jnp.ones((length, length), bool))
        scores = jnp.where(mask, scores, jnp.finfo(jnp.float32).min)
        weights = functions.softmax(scores).astype(x.dtype)
        y = jnp.einsum("bhqk,bkhd->bqhd", weights, v)
        return y.reshape(batch, length, width) @ p["out"]

    def layer(x: Array, p: Any) -> tuple[Array, None]:
        x = x + attend(x, p)
        h = norm(x, p["norm_2"])
        return x + f(h @ p["up"] + p["bias"]) @ p["down"], None

    def loss(p: Any, tokens: Array, labels: Array) -> Array:
        x, _ = jax.lax.scan(layer, p["embedding"][tokens], p["layers"])
        logits = (norm(x, p["norm"]) @ p["embedding"].T).astype(jnp.float32)
        picked = jnp.take_along_axis(
            functions.log_softmax(logits), labels[..., None], -1
        )
        return -jnp.mean(picked)

    tokens = ShapeDtypeStruct((sizes.batch, sizes.length), jnp.int32)
    yield from step(loss, transformer_parameters(sizes, dtype), tokens, tokens)


def transformer_parameters(sizes: Sizes, dtype: str) -> dict[str, Any]:
    """Return the shapes of the parameters of the transformer."""
    n, d = sizes.layers, sizes.width
    make = lambda *shape: ShapeDtypeStruct(shape, dtype)
    layers = {
        "norm_1": make(n, d),
        "qkv": make(n, d, 3 * d),
        "out": make(n, d, d),
        "norm_2": make(n, d),
        "up": make(n, d, 4 * d),
        "bias": make(n, 4 * d),
        "down": make(n, 4 * d, d),
    }
    embedding = make(sizes.vocabulary, d)
    return {"embedding": embedding, "norm": make(d), "layers": layers}


def sweep(functions: Functions, devices: int, per_device: int = 4) -> tuple[Any, ...]:
    """Return a vmapped MLP step of several runs, and the shapes of its arguments.

    Sharded over the runs, it needs no collective: no run depends on another.
    """
    ((_, update, shapes),) = mlp(
        functions, "float32", act="gelu", sizes=(256, 128, 10, 2)
    )
    runs = devices * per_device
    stack = lambda s: ShapeDtypeStruct((runs, *s.shape), s.dtype)
    parameters = jax.tree.map(stack, shapes[0])
    call = jax.vmap(update, in_axes=(0, None, None))
    return call, parameters, shapes[1:]
