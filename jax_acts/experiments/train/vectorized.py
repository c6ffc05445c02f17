"""Trial batches: runs that differ only in numeric hyperparameters share programs.

    group       runs with the same programs: they differ only in numeric axes
    trial batch runs of a group that are trained together, over all devices
    slice       runs of a trial batch that are one `vmap`

Rounding depends on the width of a `vmap`, as XLA orders sums by shapes. So the width
is part of the config, and the last slice is padded to it. Each device loops over its
own slices: more devices shorten the loop and leave its body unchanged. Records are
bit-equal on 2, 4 and 8 CPU devices; a test checks it for an MLP. Two cases may change
the last digits:

    one device      XLA compiles without the partitioner, by other passes, which fuse
                    the update of Adam differently; so `runtime.devices` makes two
                    devices of a single core
    large products  products that sum over 2,000 examples gave other bits in a process
                    of 8 devices than of 1 or 3, which have fewer threads
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
from rich.filesize import decimal

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.schema import TrialBatch
from jax_acts.experiments.runtime import memory
from jax_acts.experiments.train.loop import RunFunctions, TrainState

Numbers = Mapping[str, Any]
"""The numeric axes of a run, by name."""

MakeFunctions = Callable[[Numbers, Any], RunFunctions]
"""Return the functions of a run from its numeric axes and the shared data."""

RUNS = "runs"
SPLIT, REPLICATED = PartitionSpec(RUNS), PartitionSpec()


class Layout(NamedTuple):
    """How the slices of a trial batch are divided among devices: in turn.

    So a trial batch that is not full uses all devices as well.
    """

    mesh: Mesh
    trial_batch: TrialBatch

    @property
    def num_slices(self) -> int:
        """Number of slices of a full trial batch."""
        return self.trial_batch.size // self.trial_batch.vmap_width

    @property
    def slots(self) -> int:
        """Slices for which each device has memory; the last devices may need fewer.

        On a CPU there are at least two: for a single one XLA would replace the
        indexing of slices, and round the body of the loop differently.
        """
        on_cpu = self.mesh.devices.flat[0].platform == "cpu"
        return max(math.ceil(self.num_slices / self.mesh.size), 2 if on_cpu else 1)

    def rows(self) -> np.ndarray:
        """Return the position of each slice on the leading axis of sharded arrays."""
        slot, device = np.divmod(np.arange(self.num_slices), self.mesh.size)
        return device * self.slots + slot

    def counts(self, num_runs: int) -> np.ndarray:
        """Return the number of slices of each device that have a run."""
        used = math.ceil(num_runs / self.trial_batch.vmap_width)
        devices = np.arange(self.mesh.size)
        return (-(-(used - devices) // self.mesh.size)).clip(0).astype(np.int32)

    def scatter(self, tree: Any) -> Any:
        """Put host arrays with a leading axis of runs onto the devices."""
        width, rows = self.trial_batch.vmap_width, self.rows()

        def put(x: np.ndarray) -> Array:
            slices = x.reshape(self.num_slices, width, *x.shape[1:])
            full = np.zeros((self.mesh.size * self.slots, *slices.shape[1:]), x.dtype)
            full[rows] = slices
            return jax.device_put(full, NamedSharding(self.mesh, SPLIT))

        return jax.tree.map(put, tree)

    def gather(self, tree: Any) -> Any:
        """Return sharded arrays as host arrays with a leading axis of runs."""
        size, rows = self.trial_batch.size, self.rows()
        return jax.tree.map(
            lambda x: np.asarray(x)[rows].reshape(size, *x.shape[2:]),
            jax.device_get(tree),
        )

    def replicate(self, tree: Any) -> Any:
        """Put arrays onto every device."""
        return jax.device_put(tree, NamedSharding(self.mesh, REPLICATED))


class Programs(NamedTuple):
    """The compiled programs of `(counts, numbers, state, shared)`; see `over_runs`."""

    init: Any
    advance: Any
    evaluate: Any


InitPrograms = dict[tuple[int, str], Any]
"""Compiled `Programs.init` by number of devices and StableHLO.

Most activations have the same initializer, whose program compiles as slowly as that of
the training: 3.7 of 9 CPU seconds for a small MLP.
"""


LiveBatch = tuple[Array, Any]
"""The arguments `counts, numbers` of the programs, for the runs of a trial batch."""


class CompiledTrialBatch(NamedTuple):
    """The compiled programs of a group, for one trial batch at a time."""

    layout: Layout
    axes: Mapping[str, Any]
    """The dtype of each numeric axis."""
    data: Any
    programs: Programs
    num_params: int
    """Number of parameters of each run."""
    compile_seconds: float
    """Time to trace and compile the programs."""

    def load(self, runs: Sequence[Numbers]) -> LiveBatch:
        """Put the numeric axes of at most `size` runs onto the devices."""
        missing = self.layout.trial_batch.size - len(runs)
        padded = [*runs, *[runs[-1]] * missing]
        numbers = {
            axis: np.array([run[axis] for run in padded], dtype)
            for axis, dtype in self.axes.items()
        }
        counts = jax.device_put(
            self.layout.counts(len(runs)), NamedSharding(self.layout.mesh, SPLIT)
        )
        return counts, self.layout.scatter(numbers)

    def init(self, batch: LiveBatch) -> TrainState:
        """Return the initial state of each run."""
        return self.programs.init(*batch, None, (self.data,))

    def advance(
        self, batch: LiveBatch, state: TrainState, start: int, stop: int
    ) -> TrainState:
        """Train the steps start..stop - 1 of each run; `state` is donated."""
        bounds = self.layout.replicate((np.int32(start), np.int32(stop)))
        return self.programs.advance(*batch, state, (self.data, *bounds))

    def evaluate(self, batch: LiveBatch, state: TrainState) -> Any:
        """Return the metrics of each run, and whether it is finite."""
        return self.programs.evaluate(*batch, state, (self.data,))


def compile_trial_batch(
    make_functions: MakeFunctions,
    axes: Mapping[str, Any],
    data: Any,
    trial_batch: TrialBatch,
    init_programs: InitPrograms,
) -> CompiledTrialBatch:
    """Compile the programs of a group for as many devices as have the memory.

    Args:
        make_functions: Returns the functions of one run.
        axes: The dtype of each numeric axis; "seed" is one of them.
        data: Arrays that all runs share; each device gets a copy.
        trial_batch: The size of a trial batch.
        init_programs: Compiled programs of other groups, which are reused and updated.

    Raises:
        ConfigError: No device has the memory; the message states a size that fits.
    """

    def compile_batch(batch: TrialBatch) -> CompiledTrialBatch | str:
        """Return the programs, or the memory that they lack on the fewest devices."""
        message = ""
        for layout in _layouts(batch):
            compiled = _compile(make_functions, axes, data, init_programs, layout)
            mesh = layout.mesh
            required = max(map(memory.required_bytes, compiled.programs))
            available = memory.available_bytes(mesh.devices.flat[0], mesh.size)
            if available is None or required <= available:
                return compiled
            message = (
                f"at most {decimal(available)} per device, got {decimal(required)}"
            )
        return message

    compiled = compile_batch(trial_batch)
    if isinstance(compiled, CompiledTrialBatch):
        return compiled
    describe = lambda b: f"size = {b.size}, vmap_width = {b.vmap_width}"
    fitting = (
        f"{describe(batch)} fits"
        for batch in narrower(trial_batch)
        if isinstance(compile_batch(batch), CompiledTrialBatch)
    )
    message = (
        f"trial_batch: expected {compiled} with {describe(trial_batch)}; "
        f"{next(fitting, 'no smaller trial batch fits')}"
    )
    raise ConfigError(ConfigIssue("trial_batch", message))


def _layouts(trial_batch: TrialBatch) -> Iterator[Layout]:
    """Yield layouts on all local devices, then on half as many, and so on.

    Fewer devices have more memory each where they share that of one CPU, and only
    there.
    """
    slices = trial_batch.size // trial_batch.vmap_width
    devices = jax.local_devices()
    count = len(devices)
    while count:
        used = devices[: math.ceil(slices / math.ceil(slices / count))]
        mesh = Mesh(np.array(used), (RUNS,), axis_types=(AxisType.Auto,))
        yield Layout(mesh, trial_batch)
        count = len(used) // 2 if devices[0].platform == "cpu" else 0


def _compile(
    make_functions: MakeFunctions,
    axes: Mapping[str, Any],
    data: Any,
    init_programs: InitPrograms,
    layout: Layout,
) -> CompiledTrialBatch:
    begin = time.perf_counter()
    mesh, width = layout.mesh, layout.trial_batch.vmap_width
    split, same = NamedSharding(mesh, SPLIT), NamedSharding(mesh, REPLICATED)
    struct = lambda sharding, shape, dtype: jax.ShapeDtypeStruct(
        shape, dtype, sharding=sharding
    )
    rows = mesh.size * layout.slots
    numbers = {axis: struct(split, (rows, width), d) for axis, d in axes.items()}
    batch = struct(split, (mesh.size,), jnp.int32), numbers
    shared = jax.tree.map(lambda x: struct(same, x.shape, x.dtype), data)
    bound = struct(same, (), jnp.int32)

    def run(own: Any, data: Any) -> tuple[Array, RunFunctions]:
        return jax.random.key(own["seed"]), make_functions(own, data)

    def init(own: Any, state: None, data: Any) -> TrainState:
        key, functions = run(own, data)
        return functions.init(key)

    def advance(own: Any, state: TrainState, data: Any, start: Array, stop: Array):
        key, functions = run(own, data)
        return functions.advance(key, state, start, stop)

    def evaluate(own: Any, state: TrainState, data: Any) -> Any:
        return run(own, data)[1].evaluate(state)

    whole = partial(over_runs, mesh=mesh, width=width, slots=layout.slots)
    initialize = jax.jit(whole(init)).lower(*batch, None, (shared,))
    state = jax.tree.map(lambda x: struct(split, x.shape, x.dtype), initialize.out_info)
    train = jax.jit(whole(advance, in_place=True), donate_argnums=2)
    key = mesh.size, initialize.as_text()
    if key not in init_programs:
        init_programs[key] = initialize.compile()
    programs = Programs(
        init_programs[key],
        train.lower(*batch, state, (shared, bound, bound)).compile(),
        jax.jit(whole(evaluate)).lower(*batch, state, (shared,)).compile(),
    )
    sizes = [math.prod(leaf.shape[2:]) for leaf in jax.tree.leaves(state.params)]
    seconds = time.perf_counter() - begin
    data = layout.replicate(data)
    return CompiledTrialBatch(layout, axes, data, programs, sum(sizes), seconds)


def over_runs(
    function: Callable[..., Any],
    *,
    mesh: Mesh,
    width: int,
    slots: int,
    in_place: bool = False,
) -> Callable[..., Any]:
    """Return a function of one run for all runs of a trial batch.

    `function(numbers, state, *shared)` becomes a function of `(counts, numbers, state,
    shared)`, whose numbers, state and result have two leading axes: slots of all
    devices, and the width of a `vmap`. Each device loops over as many slots as
    `counts` states, which is not known at compile time: a device with one slice would
    otherwise have no loop, and XLA would round its body differently.

    Args:
        function: Takes the numbers and the state of one run, and shared arguments.
        mesh: The devices.
        width: Runs per `vmap`.
        slots: Slices for which each device has memory.
        in_place: Whether the result is the new state.
    """
    call = jax.jit(function)  # caches the trace, which is needed for its shapes as well

    def call_slice(own: Any, shared: Any) -> Any:
        if width > 1:
            return jax.vmap(lambda own: call(*own, *shared))(own)
        single = call(*jax.tree.map(lambda x: x[0], own), *shared)
        return jax.tree.map(lambda x: x[None], single)

    def on_device(counts: Array, numbers: Any, state: Any, shared: Any) -> Any:
        at = lambda n, tree: jax.tree.map(lambda x: x[n], tree)
        if in_place:
            result = state
        else:
            like = jax.eval_shape(call_slice, at(0, (numbers, state)), shared)
            result = jax.tree.map(lambda x: jnp.zeros((slots, *x.shape), x.dtype), like)

        def body(n: Array, result: Any) -> Any:
            own = at(n, (numbers, result if in_place else state))
            put = lambda all, one: all.at[n].set(one)
            return jax.tree.map(put, result, call_slice(own, shared))

        return jax.lax.fori_loop(0, counts[0], body, result)

    return jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(SPLIT, SPLIT, SPLIT, REPLICATED),
        out_specs=SPLIT,
        check_vma=False,  # a constant initial result need not be marked as varying
    )


def narrower(trial_batch: TrialBatch) -> list[TrialBatch]:
    """Return trial batches with a smaller vmap width, then those with fewer runs.

    >>> [(t.size, t.vmap_width) for t in narrower(TrialBatch(size=4, vmap_width=4))]
    [(4, 2), (4, 1), (2, 1), (1, 1)]
    """
    size = trial_batch.size
    divisors = [n for n in range(size, 0, -1) if size % n == 0]
    widths = [n for n in divisors if n < trial_batch.vmap_width]
    return [
        *(TrialBatch(size=size, vmap_width=n) for n in widths),
        *(TrialBatch(size=n) for n in divisors if n < size),
    ]
