"""What a member of a sweep takes by how its chunk is run: `python -m benchmarks.sweep`.

Members differ in the slope of a leaky relu and in their seeds, on MNIST-1D. Each way
trains the same members after it is compiled, in turns, and the fastest turn counts.

    one by one    a compiled program is called for each member
    loop          one program for all, which trains one member after the other
    lax.map       the same, by `jax.lax.map`, which knows the number of members
    vmap of n     the same as the loop, n members at once; of all, on one device

The loop and a vmap are spread over the devices, which are the cores of a CPU. On two
cores, members of 300 steps on the digits took, in ms:

    width, batch    one by one    loop    lax.map    vmap of 4    vmap of 32
    16, 16                11.6     3.5        6.6          2.4           4.9
    64, 64                42.1    16.7       27.1         13.2          24.4
    100, 100              80.2    29.8       56.0         37.9          71.7
    256, 64              189.9    87.5      170.3         92.9         184.9

So a loop is the default of `Chunks`: no way that stays on one device is faster. Narrow
networks gain by `chunks.vmapped = 4`, at 1.3 to 1.8 times the compile time.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple
from unittest.mock import patch

import jax
import typer
from jax import Array
from jax.sharding import Mesh
from rich.console import Console
from rich.table import Table

from experiments import devices, sweep
from experiments.learning import Learned, Steps
from experiments.schema import Chunks, Data
from experiments.studies.slope_sweep import STUDY, Config, Sweep
from experiments.study import Member, Together
from experiments.sweep import Program, over_members

SIZES = ((16, 16), (64, 64), (100, 100), (256, 64))
"""Widths of the hidden layers, and batches."""


class Way(NamedTuple):
    """How a chunk is run."""

    chunks: Chunks
    over: Callable[..., Any] = over_members
    """Returns the program for a chunk, from that of a member."""


def mapped(program: Program, chunks: Chunks, mesh: Mesh) -> Callable[..., Any]:
    """Returns the program for a chunk by `lax.map`."""

    def whole(numbers: dict[str, Array], real: Array, data: Any) -> Any:
        return jax.lax.map(lambda own: program(own, data), numbers)

    return whole


def main(
    members: Annotated[int, typer.Option(min=4, help="A multiple of 4.")] = 16,
    steps: int = 500,
    turns: int = 3,
    data: Annotated[str, typer.Option(help="A set of the experiments.")] = "mnist_1d",
) -> None:
    """Print what a member takes."""
    devices.begin(devices.cores())
    ways = {
        "one by one": Way(Chunks(members=1)),
        "loop": Way(Chunks(members=members)),
        "lax.map": Way(Chunks(members=members), mapped),
        "vmap of 4": Way(Chunks(members=members, vmapped=4)),
        f"vmap of {members}": Way(Chunks(members=members, vmapped=members)),
    }
    title = f"ms a member of {steps} steps, on {jax.local_devices()[0].device_kind}"
    table = Table(title=f"{title} (compiling, s)")
    table.add_column("width, batch")
    for way in ways:
        table.add_column(way, justify="right")
    for width, batch in SIZES:
        cells = measured(ways, config(members, steps, width, batch, data), turns)
        table.add_row(f"{width}, {batch}", *cells)
    Console().print(table)


def config(members: int, steps: int, width: int, batch: int, data: str) -> Config:
    """Returns a sweep of four slopes."""
    slopes = (0.0, 0.1, 0.3, 0.5)
    slope = Sweep(activation="leaky_relu", argument="negative_slope", values=slopes)
    return Config(
        study="slope_sweep",
        name="ways",
        sweeps=(slope,),
        data=Data(set=data),
        width=width,
        seeds=members // len(slopes),
        training=Steps(steps=steps, parts=1, batch_size=batch),
    )


def measured(ways: dict[str, Way], config: Config, turns: int) -> list[str]:
    """Returns the time of each way, as it is shown."""
    members = STUDY.members(config)
    ready: list[Together[Learned]] = []
    compiling: list[float] = []
    for chunks, over in ways.values():
        together = STUDY.prepare(config.model_copy(update={"chunks": chunks})).together
        assert together is not None
        ready.append(together)
        with patch.object(sweep, "over_members", over):  # it is compiled here, once
            first, *_ = together.train(together.chunks(members)[0])
        compiling.append(first.compile_seconds)
    seconds = [[_turn(way, members) for way in ready] for _ in range(turns)]
    return [
        f"{1e3 * min(turn) / len(members):.1f} ({compile_:.1f})"
        for turn, compile_ in zip(zip(*seconds, strict=True), compiling, strict=True)
    ]


def _turn(way: Together[Learned], members: tuple[Member, ...]) -> float:
    begin = time.perf_counter()
    for chunk in way.chunks(members):
        way.train(chunk)
    return time.perf_counter() - begin


if __name__ == "__main__":
    typer.run(main)
