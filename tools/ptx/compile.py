"""Compile an elementwise JAX function to PTX, without a GPU.

XLA compiles for the GPU that a target configuration describes. The compiler is part of
the CUDA plugin of JAX (`jax[cuda12-local]`); neither a device nor a driver is needed.
"""

import importlib.util
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

TARGET = Path(__file__).with_name("h100.txtpb")
SIZE = 2**16
"""Number of elements of a compiled program: all values of a 16-bit dtype."""
PLUGINS = ("jax_plugins.xla_cuda12", "jax_plugins.xla_cuda13")


def has_compiler() -> bool:
    """Return whether the CUDA plugin of JAX is installed."""
    has_plugins = importlib.util.find_spec("jax_plugins") is not None
    return has_plugins and any(map(importlib.util.find_spec, PLUGINS))


def compile_ptx(f: Callable[[jax.Array], Any], dtype: Any) -> str:
    """Return the PTX of f for an array of `SIZE` elements, below a header.

    The header says how many blocks run, or that the program is a copy of its input.

    Raises:
        ValueError: The program is not one kernel.
    """
    devices = topologies.get_topology_desc(
        platform="cuda", target_config=TARGET.read_text(), topology="1x1x1"
    ).devices
    mesh = Mesh(np.array(devices[:1]), ("device",))
    sharding = NamedSharding(mesh, PartitionSpec())
    x = jax.ShapeDtypeStruct((SIZE,), dtype, sharding=sharding)
    lowered = jax.jit(lambda x: f(x)).trace(x).lower(lowering_platforms=("cuda",))
    with tempfile.TemporaryDirectory() as folder:
        lowered.compile({"xla_dump_to": folder})
        thunks = _only(Path(folder).glob("*.thunk_sequence.txt")).read_text()
        ptx = [text for p in Path(folder).glob("*.ptx") if (text := p.read_text())]
    kinds = re.findall(r"^\d+: (\w+)", thunks, re.M)
    if kinds == ["kCopy"]:
        return "// blocks: 0\n"
    if kinds != ["kCustomKernel"] or len(ptx) != 1:
        raise ValueError(f"expected one kernel, got {', '.join(kinds)}")
    (blocks,) = re.findall(r"grid: \[(\d+), 1, 1\]", thunks)
    return f"// blocks: {blocks}\n{ptx[0]}"


def _only(paths: Any) -> Path:
    (path,) = paths
    return path
