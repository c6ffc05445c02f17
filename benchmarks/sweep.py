"""What a member of a sweep takes by how its chunk is run: `python -m benchmarks.sweep`.

Members differ in the slope of a leaky relu and in their seeds, on MNIST-1D. Each way
trains the same members after it is compiled, in turns, and the fastest turn counts.

    one by one    a compiled program is called for each member
    loop          one program for all, which trains one member after the other
    vmap of n     the same, n members at once

Of two cores, a loop and a vmap take the same per member from a width of 100 on, and the
vmap takes longer to compile: so a loop is the default of `Chunks`.
"""

import time
from typing import Annotated

import jax
import typer
from rich.console import Console
from rich.table import Table

from experiments.learning import Learned, Steps
from experiments.schema import Chunks
from experiments.studies.slope_sweep import STUDY, Config, Sweep
from experiments.study import Member, Together

SIZES = ((16, 16), (100, 100), (256, 64))
"""Widths of the hidden layers, and batches."""


def main(
    members: Annotated[int, typer.Option(min=4, help="A multiple of 4.")] = 16,
    steps: int = 500,
    turns: int = 3,
) -> None:
    """Print what a member takes."""
    ways = {
        "one by one": Chunks(members=1),
        "loop": Chunks(members=members),
        "vmap of 4": Chunks(members=members, vmapped=4),
        f"vmap of {members}": Chunks(members=members, vmapped=members),
    }
    title = f"ms a member of {steps} steps, on {jax.local_devices()[0].device_kind}"
    table = Table(title=f"{title} (compiling, s)")
    table.add_column("width, batch")
    for way in ways:
        table.add_column(way, justify="right")
    for width, batch in SIZES:
        cells = measured(ways, config(members, steps, width, batch), turns)
        table.add_row(f"{width}, {batch}", *cells)
    Console().print(table)


def config(members: int, steps: int, width: int, batch: int) -> Config:
    """Returns a sweep of four slopes."""
    slopes = (0.0, 0.1, 0.3, 0.5)
    sweep = Sweep(activation="leaky_relu", argument="negative_slope", values=slopes)
    return Config(
        study="slope_sweep",
        name="ways",
        sweeps=(sweep,),
        width=width,
        seeds=members // len(slopes),
        training=Steps(steps=steps, parts=1, batch_size=batch),
    )


def measured(ways: dict[str, Chunks], config: Config, turns: int) -> list[str]:
    """Returns the time of each way, as it is shown."""
    members = STUDY.members(config)
    ready: list[Together[Learned]] = []
    for chunks in ways.values():
        together = STUDY.prepare(config.model_copy(update={"chunks": chunks})).together
        assert together is not None
        ready.append(together)
    # The first turn compiles, and is not counted.
    compiling = [way.train(way.chunks(members)[0])[0].compile_seconds for way in ready]
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
