"""The programs that are compiled, by name: `silu/jax_acts/bfloat16/forward`.

The forward + backward program of f returns f(x) and its vector-Jacobian product.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

import jax_acts
from benchmarks.libraries import catalogue, matching
from benchmarks.platforms import blocks
from benchmarks.platforms.hlo import Module
from benchmarks.results import DIRECTIONS

SHAPE = (8192, 4096)
"""Shape of the input of an elementwise function."""
ROWS = {128: (65_536, 128), 1024: (16_384, 1024), 32_768: (1024, 32_768)}
"""Shapes of the input of a function along the last axis, by row length."""
DTYPES = ("float32", "bfloat16")
LIBRARIES = ("jax_acts", "jax")
ALONG_ROWS = ("softmax", "log_softmax", "logsumexp", "standardize")
GATED = {"swiglu": jax.nn.silu, "geglu": jax.nn.gelu, "reglu": jax.nn.relu}

Function = Callable[..., Any]


class Program(NamedTuple):
    """A function of arrays, and the shapes of its arguments."""

    function: str
    library: str
    dtype: str
    direction: str
    call: Function
    arguments: tuple[Any, ...]
    elements: int
    """Elements that counts per element refer to."""
    options: dict[str, bool] = {}  # noqa: RUF012
    """Compiler options of a GPU."""

    @property
    def name(self) -> str:
        """Return the name of the program."""
        return "/".join(self[:4])


class Sizes(NamedTuple):
    """Sizes of the programs."""

    elementwise: tuple[int, ...] = SHAPE
    rows: dict[int, tuple[int, ...]] = ROWS
    blocks: dict[str, Any] = blocks.SIZES


FULL = Sizes()
SMALL = Sizes((64, 64), {128: (8, 128)}, blocks.SMALL)
"""Sizes for a trial of the code on any device."""


def programs(sizes: Sizes = FULL) -> Iterator[Program]:
    """Yield the programs of every target."""
    yield from elementwise(sizes.elementwise)
    yield from along_rows(sizes.rows)
    yield from gated(sizes.elementwise)
    yield from of_blocks(sizes.blocks)


def named(names: Iterable[str], sizes: Sizes = FULL) -> list[Program]:
    """Return the programs of some functions; all if none is named.

    Args:
        names: Functions, or prefixes of program names (`silu/jax_acts`).
        sizes: The sizes of the programs.
    """
    every, names = list(programs(sizes)), list(names)
    matches = lambda name, prefix: f"{name}/".startswith(f"{prefix}/")
    unknown = [n for n in names if not any(matches(p.name, n) for p in every)]
    if unknown:
        functions = ", ".join(dict.fromkeys(p.function for p in every))
        raise ValueError(
            f"platforms: expected functions among {functions}; got {', '.join(unknown)}"
        )
    return [p for p in every if not names or any(matches(p.name, n) for n in names)]


def directions(
    function: str, library: str, dtype: str, f: Function, *shapes: tuple[int, ...]
) -> Iterator[Program]:
    """Yield the forward program of f and that with its gradient."""
    x = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    cotangent = jax.eval_shape(f, *x)
    elements = math.prod(shapes[0])
    for direction in DIRECTIONS:
        backward = direction == "forward_backward"
        call = with_gradient(f) if backward else forward(f)
        arguments = (cotangent, *x) if backward else x
        yield Program(function, library, dtype, direction, call, arguments, elements)


def forward(f: Function) -> Function:
    """Return f without attributes of its own."""
    return lambda *x: f(*x)


def with_gradient(f: Function) -> Function:
    """Return the program of f and its gradients, given a cotangent."""

    def program(cotangent: Any, *x: Any) -> Any:
        y, vjp = jax.vjp(f, *x)
        return y, vjp(cotangent)

    return program


@functools.cache
def counterparts() -> dict[str, Function]:
    """Return the functions of `jax.nn` by the name of ours."""
    functions = matching("jax", (jax.nn, jnp, jax.scipy.special))
    functions["gelu_tanh"] = functions["gelu"]
    functions["gelu_exact"] = functools.partial(jax.nn.gelu, approximate=False)
    return functions


def elementwise(shape: tuple[int, ...]) -> Iterator[Program]:
    """Yield the programs of the catalogue and of its counterparts."""
    for name, ours in catalogue().items():
        for dtype in DTYPES:
            for library, f in zip(
                LIBRARIES, (ours, counterparts().get(name)), strict=True
            ):
                if f is not None:
                    yield from directions(name, library, dtype, f, shape)


def along_rows(rows: dict[int, tuple[int, ...]]) -> Iterator[Program]:
    """Yield the programs of the softmax family by row length."""
    for name in ALONG_ROWS:
        for length, shape in rows.items():
            for dtype in DTYPES:
                for library, module in zip(LIBRARIES, (jax_acts, jax.nn), strict=True):
                    f = functools.partial(getattr(module, name), axis=-1)
                    title = f"{name} {length}"
                    yield from directions(title, library, dtype, f, shape)


def gated(shape: tuple[int, ...]) -> Iterator[Program]:
    """Yield the programs of gated linear units of two arrays."""
    for name, act in GATED.items():
        ours, theirs = getattr(jax_acts, name), lambda g, v, act=act: act(g) * v
        for dtype in DTYPES:
            for library, f in zip(LIBRARIES, (ours, theirs), strict=True):
                yield from directions(name, library, dtype, f, shape, shape)


def of_blocks(sizes: dict[str, Any]) -> Iterator[Program]:
    """Yield the programs of blocks of a network."""
    for block in blocks.blocks(sizes):
        for library in LIBRARIES:
            functions = blocks.FUNCTIONS[library]
            for direction, call, arguments in block.build(functions, block.dtype):
                elements = math.prod(jax.tree.leaves(arguments)[0].shape)
                yield Program(
                    block.name,
                    library,
                    block.dtype,
                    direction,
                    call,
                    arguments,
                    elements,
                    block.options,
                )


def sweep_collectives(devices: Any, platform: str, sharded: bool) -> dict[str, Any]:
    """Return the collectives of a vmapped training step on several devices.

    Args:
        devices: The devices, which are all used.
        platform: The platform that is compiled for.
        sharded: Whether the runs are divided among the devices; if not, the batch is,
            which needs an all-reduce.
    """
    mesh = Mesh(np.array(devices), ("devices",))
    split, whole = (NamedSharding(mesh, P(*axes)) for axes in (("devices",), ()))
    call, parameters, data = blocks.sweep(blocks.FUNCTIONS["jax_acts"], len(devices))
    place = lambda tree, sharding: jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), tree
    )
    runs, batch = (split, whole) if sharded else (whole, split)
    arguments = (place(parameters, runs), *place(data, batch))
    lowered = jax.jit(call, out_shardings=runs).trace(*arguments)
    compiled = lowered.lower(lowering_platforms=(platform,)).compile()
    return {"collectives": Module(compiled.as_text() or "").collectives()}
