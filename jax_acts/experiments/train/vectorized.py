"""Members that differ in numbers alone: one program, compiled once, a chunk at a time.

    group    members with the same program: they share the axes that are not numbers
    chunk    members of a group: the unit of work, and of what a fault costs
    slice    members of a chunk that are one `vmap`

Rounding depends on how many members are one `vmap`, as XLA orders sums by shapes. So
the width of a slice is part of the config, and the last slice of a group is padded to
it. Each device loops over its slices of a chunk: more devices make the loop shorter and
leave its body as it is. So the numbers are the same to the bit on 2, 4 and 8 devices of
a CPU, as was seen for a perceptron and for the transformer; of a small perceptron, one
device is the same too, and a test holds it for 1, 2, 4 and 8, compiled without most
optimizations. They may not be in two cases, of which each was seen to change the last
digits:

    one device        XLA compiles it without the partitioner, by other passes, which
                      order some instructions and so fuse some sums otherwise: those of
                      a transformer, though not those of a perceptron; so `devices`
                      makes two of a single core
    large products    even the same program for one device, with products that sum over
                      2,000 examples, gave other bits in a process of 8 devices than of
                      1 or 3, which have fewer threads
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jax_acts.experiments.config.errors import ConfigError, Problem
from jax_acts.experiments.config.schema import Chunks
from jax_acts.experiments.runtime import memory

Numbers = Mapping[str, Any]
"""What a member differs in, by the name of its axis."""

Program = Callable[[Numbers, Any], Any]
"""Trains a member, from its numbers and from the data that all members see."""

MEMBERS = "members"
SPREAD, SAME = PartitionSpec(MEMBERS), PartitionSpec()


class Chunk(NamedTuple):
    """A program for the chunks of a group."""

    train: Callable[[Sequence[Numbers]], list[Any]]
    """Returns what the program returns for each of at most so many members."""
    compile_seconds: float
    """The time to trace and compile it."""


def meshes(chunks: Chunks) -> Iterator[Mesh]:
    """Yields the local devices that share the slices of a chunk, then half as many.

    Fewer of them have more memory each where they are cores of one CPU, and only there.
    """
    slices, devices = chunks.members // chunks.vmapped, jax.local_devices()
    count = len(devices)
    while count:
        share = _share(slices, count)
        used = np.array(devices[: math.ceil(slices / share)])
        yield Mesh(used, (MEMBERS,), axis_types=(AxisType.Auto,))
        count = len(used) // 2 if devices[0].platform == "cpu" else 0


def _share(slices: int, devices: int) -> int:
    """Returns how many slices a device has; the last of them may have fewer."""
    return math.ceil(slices / devices)


def compiled(
    program: Program, axes: Mapping[str, Any], data: Any, chunks: Chunks
) -> Chunk:
    """Returns the program compiled for chunks of members, on as many devices as fit.

    Args:
        program: What trains a member; it is traced once.
        axes: The dtype of each number.
        data: Arrays that all members see; each device gets them.
        chunks: How wide a chunk is.

    Raises:
        ConfigError: It needs more memory than a device has.
    """
    begin = time.perf_counter()
    build = partial(_program, program, axes, data)
    run, mesh = _fitting(build, chunks)
    seconds = time.perf_counter() - begin
    same = NamedSharding(mesh, SAME)
    seen = jax.device_put(data, same)

    def train(members: Sequence[Numbers]) -> list[Any]:
        padded = [*members, *[members[-1]] * (chunks.members - len(members))]
        numbers = {
            axis: np.array([member[axis] for member in padded], dtype)
            for axis, dtype in axes.items()
        }
        real = np.arange(chunks.members) < len(members)
        found = run(*jax.device_put((numbers, real), same), seen)
        found = jax.device_get(found)
        return [jax.tree.map(lambda x, n=n: x[n], found) for n in range(len(members))]

    return Chunk(train, seconds)


def _program(
    program: Program, axes: Mapping[str, Any], data: Any, chunks: Chunks, mesh: Mesh
) -> Any:
    same = NamedSharding(mesh, SAME)
    like = lambda shape, dtype: jax.ShapeDtypeStruct(shape, dtype, sharding=same)
    numbers = {axis: like((chunks.members,), dtype) for axis, dtype in axes.items()}
    real = like((chunks.members,), jnp.bool)
    seen = jax.tree.map(lambda x: like(x.shape, x.dtype), data)
    whole = jax.jit(over_members(program, chunks, mesh))
    return whole.lower(numbers, real, seen).compile()


def _fitting(build: Callable[[Chunks, Mesh], Any], chunks: Chunks) -> tuple[Any, Mesh]:
    """Returns a chunk's program, and its devices: the most that have the memory for it.

    Raises:
        ConfigError: There are none, as it says with the widest chunk that does fit.
    """
    told = ""
    for mesh in meshes(chunks):
        run = build(chunks, mesh)
        if fits(run, mesh):
            return run, mesh
        told = _too_much(chunks, run, mesh)
    for less in narrower(chunks):
        if any(fits(build(less, mesh), mesh) for mesh in meshes(less)):
            fit = f"chunks.members = {less.members}, chunks.vmapped = {less.vmapped}"
            raise ConfigError(Problem("chunks", f"{told}; {fit} fits"))
    raise ConfigError(Problem("chunks", f"{told}; no smaller chunk fits"))


def fits(run: Any, mesh: Mesh) -> bool:
    """Returns whether the devices have the memory for it, as far as is known."""
    has = memory.available(mesh.devices.flat[0], mesh.size)
    return has is None or memory.needed(run) <= has


def _too_much(chunks: Chunks, run: Any, mesh: Mesh) -> str:
    """Returns what to say of a chunk that does not fit."""
    has = memory.available(mesh.devices.flat[0], mesh.size) or 0
    return (
        f"chunks.members = {chunks.members}, chunks.vmapped = {chunks.vmapped}: needs "
        f"{memory.said(memory.needed(run))} of each device, which has "
        f"{memory.said(has)}"
    )


def narrower(chunks: Chunks) -> list[Chunks]:
    """Returns the chunks with narrower slices, and then those with fewer members.

    >>> [(c.members, c.vmapped) for c in narrower(Chunks(members=4, vmapped=4))]
    [(4, 2), (4, 1), (2, 1), (1, 1)]
    """
    all = chunks.members
    divisors = [n for n in range(all, 0, -1) if all % n == 0]
    return [
        *(Chunks(members=all, vmapped=n) for n in divisors if n < chunks.vmapped),
        *(Chunks(members=n) for n in divisors if n < all),
    ]


def over_members(
    program: Program, chunks: Chunks, mesh: Mesh
) -> Callable[[dict[str, Array], Array, Any], Any]:
    """Returns the program for a chunk: each number and each result has an axis before.

    It also takes which members are real, those first. A slice of none is not trained.

    Each device has the numbers of the whole chunk, and a place for all results, and
    does not know when it is compiled how many turns its loop has. Else a device with
    one slice would have no loop: XLA would round its training in another way.
    """
    slices = chunks.members // chunks.vmapped
    share = _share(slices, mesh.size)
    over = share * mesh.size - slices
    once = jax.jit(program)  # its trace is kept: it is needed for its shapes, too

    def lanes(numbers: dict[str, Array], data: Any) -> Any:
        if chunks.vmapped > 1:
            return jax.vmap(once, (0, None))(numbers, data)
        alone = jax.tree.map(lambda x: x[0], numbers)
        return jax.tree.map(lambda x: x[None], once(alone, data))

    def own(numbers: dict[str, Array], real: Array, data: Any) -> Any:
        cut = lambda x: x.reshape(slices, chunks.vmapped)
        numbers, real = jax.tree.map(cut, numbers), cut(real).any(1)
        at = lambda n: jax.tree.map(lambda x: x[n], numbers)
        like = jax.eval_shape(lanes, at(0), data)
        blank = lambda x: jnp.zeros((slices, *x.shape), x.dtype)

        def part(n: Array, found: Any) -> Any:
            put = lambda all, one: all.at[n].set(one)
            return jax.tree.map(put, found, lanes(at(n), data))

        begin = jax.lax.axis_index(MEMBERS) * share
        end = jnp.minimum(begin + share, real.sum())
        found = jax.lax.fori_loop(begin, end, part, jax.tree.map(blank, like))
        even = lambda x: jnp.pad(x, [(0, over), *[(0, 0)] * (x.ndim - 1)])
        mine = lambda x: jax.lax.dynamic_slice_in_dim(even(x), begin, share)
        return jax.tree.map(lambda x: mine(x).reshape(-1, *x.shape[2:]), found)

    return jax.shard_map(
        own,
        mesh=mesh,
        in_specs=(SAME, SAME, SAME),
        out_specs=SPREAD,
        check_vma=False,  # what begins as a constant need not be marked as spread
    )
