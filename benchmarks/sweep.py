"""What a member of a sweep takes by how its chunk is run: `python -m benchmarks.sweep`.

Members differ in the slope of a leaky relu and in their seeds. Each way trains the same
members after it is compiled, in turns, and the fastest turn counts.

    one by one    a compiled program is called for each member
    loop          one program for all, which trains one member after the other
    lax.map       the same, by `jax.lax.map`, which knows the number of members
    vmap of n     the same as the loop, n members at once; of all, on one device

The loop and a vmap are spread over the devices, which are the cores of a CPU. The times
go into docs/performance.md, by `python -m benchmarks.speed --page`.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple
from unittest.mock import patch

import jax
import typer
from jax import Array
from jax.sharding import Mesh
from rich.progress import track

from benchmarks.speed import processor
from experiments.parameter_sweep import STUDY, Config, Sweep
from jax_acts.experiments.config.schema import Chunks, Data
from jax_acts.experiments.runtime import devices
from jax_acts.experiments.study import Member, Together
from jax_acts.experiments.train import vectorized as sweep
from jax_acts.experiments.train.trial import Learned, Steps
from jax_acts.experiments.train.vectorized import Program, over_members

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
    members: Annotated[int, typer.Option(min=4, help="A multiple of 4.")] = 32,
    steps: int = 300,
    turns: int = 3,
    data: Annotated[str, typer.Option(help="A set of the experiments.")] = "digits",
) -> None:
    """Print what a member takes, and store it."""
    devices.begin(devices.cores())
    ways = {
        "one by one": Way(Chunks(members=1)),
        "loop": Way(Chunks(members=members)),
        "lax.map": Way(Chunks(members=members), mapped),
        "vmap of 4": Way(Chunks(members=members, vmapped=4)),
        f"vmap of {members}": Way(Chunks(members=members, vmapped=members)),
    }
    # It asks JAX for its devices, which have to be made before.
    from benchmarks.speed_page import SWEEP_RESULT, sweep_table

    rows = {
        f"{width}, {batch}": measured(
            ways, config(members, steps, width, batch, data), turns
        )
        for width, batch in track(SIZES, "sweep")
    }
    machine = {"machine": processor(), "cores": os.cpu_count(), "data": data}
    head = {"jax": jax.__version__, "members": members, "steps": steps, **machine}
    SWEEP_RESULT.write_text(json.dumps(head | {"seconds": rows}, indent=1) + "\n")
    print("\n".join(sweep_table()))


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


def measured(
    ways: dict[str, Way], config: Config, turns: int
) -> dict[str, tuple[float, float]]:
    """Returns the seconds that each way takes for a member, and to compile."""
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
    least = [min(turn) / len(members) for turn in zip(*seconds, strict=True)]
    return dict(zip(ways, zip(least, compiling, strict=True), strict=True))


def _turn(way: Together[Learned], members: tuple[Member, ...]) -> float:
    begin = time.perf_counter()
    for chunk in way.chunks(members):
        way.train(chunk)
    return time.perf_counter() - begin


if __name__ == "__main__":
    typer.run(main)
