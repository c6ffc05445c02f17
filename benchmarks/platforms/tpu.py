"""Compile a program by libtpu for a TPU that is not attached.

libtpu is proprietary; it writes the scheduled bundles of every kernel as text.
"""

import math
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from jax.experimental import topologies

from benchmarks.platforms.bundles import bundles_of
from benchmarks.platforms.counts import Cost, Counts, count
from benchmarks.platforms.hlo import Module
from benchmarks.platforms.programs import Program
from benchmarks.platforms.targets import Target

PLATFORM = "tpu"
FOLDER = Path(tempfile.gettempdir()) / f"jax_acts-bundles-{os.getpid()}"
ENVIRONMENT = {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "TPU_STDERR_LOG_LEVEL": "3",
    "LIBTPU_INIT_ARGS": f"--xla_jf_dump_to={FOLDER} --xla_jf_dump_llo_text=true "
    "--xla_jf_dump_hlo_text=false --xla_jf_dump_llo_pass_label_regex=final_bundles",
}
"""Variables that libtpu reads when it is loaded, without a TPU or a metadata server."""


def devices(_: str, target: Target, number: int = 1) -> Any:
    """Return described devices of a target."""
    topology = target.topology if number <= 4 else target.topology[:4] + "2x4"
    return topologies.get_topology_desc(topology, "tpu").devices


def compile_program(program: Program, target: Target, lowered: Any) -> Counts:
    """Compile a lowered program, and count its kernels and their bundles."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        compiled = lowered.compile()
        module = Module(compiled.as_text())
        costs = kernel_costs(module, target)
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    return count(program, target, compiled, module, costs)


def kernel_costs(module: Module, target: Target) -> dict[str, Cost]:
    """Return the cost of each kernel whose bundles were dumped."""
    files = {}
    for path in FOLDER.glob("*-final_bundles.txt"):
        match = re.fullmatch(r"\d+-(.+)-\d+-final_bundles\.txt", path.name)
        if match:
            files[match[1]] = path
    operations = {n: o for c in module.computations.values() for n, o in c.items()}
    costs = {}
    for kernel in module.kernels():
        if kernel.name in files:
            bounds = operations[kernel.name].attribute(r'"iteration_bounds":\[(.*?)\]')
            steps = math.prod(map(int, re.findall(r"\d+", bounds or "")))
            text = files[kernel.name].read_text()
            bundles, special = bundles_of(text, steps)
            costs[kernel.name] = Cost(bundles / target.clock, bundles, special)
    return costs
