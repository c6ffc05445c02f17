"""Stored results: the row types of every measurement, and their files in `data/`.

A file is one JSON object: what was measured where (`head`), and a list of rows.
"""

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax

DATA = Path(__file__).parent / "data"


class AccuracyRow(NamedTuple):
    """Errors of one derivative of one function in one dtype."""

    function: str
    dtype: str
    order: int
    """0 for the value, 1 and 2 for the derivatives."""
    mode: str
    """The evaluation mode with the largest error."""
    max: float
    """Largest error in ulp; infinite where NaN is returned for a finite value."""
    mean: float
    x: float
    got: float
    want: float
    """The worst input, the result there and the exact value."""
    nonfinite: int
    """Number of NaN or infinite results whose exact value is finite."""
    vanished: int
    """Number of zero results whose exact value is normal."""
    wrong_sign: int


class LimitRow(NamedTuple):
    """Results of one derivative of one function at ±inf and at subnormal inputs."""

    function: str
    dtype: str
    order: int
    below: float
    below_want: float
    above: float
    above_want: float
    """Results at -inf and inf, and the limits; NaN where there is none."""
    subnormal: float
    """Largest error in ulp at subnormal inputs."""
    x: float
    """The input of that error."""


class SpeedRow(NamedTuple):
    """Time of one program."""

    function: str
    library: str
    dtype: str
    size: int
    direction: str
    """One of `DIRECTIONS`."""
    newly_allocated: bool
    """Whether every call writes to newly allocated memory."""
    nanoseconds: float
    """Time per element."""
    copies: float
    """Time in units of a copy of the same array: lower deciles over the rounds."""
    spread: float
    """Median minus lower decile, in units of a copy."""


class AxisRow(NamedTuple):
    """Time of one program along an axis, in units of a copy."""

    function: str
    library: str
    length: int
    direction: str
    copies: float
    spread: float


class SmallRow(NamedTuple):
    """Time of one program on a small array."""

    function: str
    library: str
    program: str
    """Of `benchmarks.small.PROGRAMS`."""
    size: int
    """Elements, or examples of a training step."""
    cores: int
    microseconds: float
    """Lower decile over the rounds."""
    spread: float
    """Median minus lower decile, in microseconds."""


class Loop(NamedTuple):
    """Instructions of a compiled loop for eight float32 elements."""

    instructions: float
    slow: float
    """Number of divisions and square roots among them."""


class InstructionRow(NamedTuple):
    """The loops of one function; None where the program has no loop."""

    function: str
    forward: Loop | None
    derivative: Loop | None
    jax: Loop | None
    """Forward, of `jax.nn`."""


class LossRow(NamedTuple):
    """Cross-entropy of one library at one margin and offset of the logits."""

    library: str
    version: str
    margin: float
    offset: float
    value: float
    exact: float
    gradient: float
    """Derivative in the logit of the label."""
    exact_gradient: float


class LossMemoryRow(NamedTuple):
    """Temporary memory of value and gradients of a linear head with its loss."""

    loss: str
    dtype: str
    rows: int
    features: int
    vocabulary: int
    bytes: int


class LossTimeRow(NamedTuple):
    """Time of value and gradients of a linear head with its loss, in float32."""

    loss: str
    rows: int
    features: int
    vocabulary: int
    seconds: float
    """Lower decile over the rounds."""


class MLPSize(NamedTuple):
    """Size of scanned MLP blocks."""

    layers: int
    features: int
    hidden: int
    tokens: int


class MLPRow(NamedTuple):
    """A gradient of scanned MLP blocks with a choice of residuals."""

    residuals: str
    bytes: int
    """Temporary memory."""
    dots: int
    """Matrix products in the program; a scan counts once."""
    time: float
    """Relative to `jax.nn`, at a smaller size: lower deciles."""
    loss_error: float
    gradient_error: float
    """Relative differences to `jax.nn` at the smaller size; of the kernels."""
    cosine: float
    """Cosine of the angle between the gradients of the kernels."""


class DiagnosisRow(NamedTuple):
    """Cost of `jax_acts.watch` for one model."""

    model: str
    step: float
    measurement: float
    """Seconds of a training step and of a measurement: lower deciles."""
    gradient_bytes: int
    bytes: int
    """Temporary memory of the gradients and of the measurement."""


class MapRow(NamedTuple):
    """Random layers against the maps of one function."""

    function: str
    square: float
    product: float
    """Deviations of E[f(u)²] and E[f(u) f(v)], in standard errors."""


class DepthRow(NamedTuple):
    """The second moment through random layers at a point of the edge of chaos."""

    function: str
    bias_std: float
    weight_std: float
    q: float
    slope: float
    """V'(q)."""
    mean: float
    error: float
    """Mean second moment over q, and its standard error, in the layer where the mean
    deviates most from 1."""
    layer: int


class SecondOrderRow(NamedTuple):
    """Time and memory of a step whose loss has a Laplacian."""

    activation: str
    inputs: int
    width: int
    depth: int
    points: int
    idiom: str
    """How the Laplacian is written."""
    library: str
    milliseconds: float
    """Lower decile over the rounds."""
    spread: float
    """Median minus lower decile, in milliseconds."""
    bytes: int
    """Temporary memory."""


class TaylorRow(NamedTuple):
    """Error of one derivative by Taylor mode."""

    function: str
    library: str
    order: int
    error: float | None
    """In eps of the largest magnitude; None where Taylor mode fails."""


class PlatformRow(NamedTuple):
    """What one program compiled for a device costs."""

    function: str
    library: str
    dtype: str
    direction: str
    """One of `DIRECTIONS`."""
    kernels: int
    fusions: int
    bytes: int
    """Bytes that the kernels read from and write to device memory."""
    least_bytes: int
    """Bytes of the arguments and the results."""
    temporaries: int
    """Bytes of the temporary buffers."""
    instructions: float | None
    """SASS instructions per element (GPU), or bundles per 1,024 elements (TPU).

    None if the program has a kernel without listed machine code.
    """
    special: float | None
    """Special-function instructions, counted likewise."""
    registers: int
    """Most registers per thread (GPU)."""
    spills: int
    """Bytes of spilled registers (GPU)."""
    microseconds: float
    """Predicted time: per kernel, the larger of memory and issue time."""
    memory_microseconds: float
    """Bytes over bandwidth."""
    patterns: str
    """Fused epilogues of matrix products and convolutions."""
    program: str
    """Hash of the lowered program."""


class DeviceRow(NamedTuple):
    """Time of one program on a GPU."""

    function: str
    library: str
    dtype: str
    direction: str
    """One of `DIRECTIONS`."""
    microseconds: float
    """Lower decile over the rounds."""
    spread: float
    """Median minus lower decile, in microseconds."""
    copies: float
    """Time in units of a copy of the first array."""
    kernels: int
    temporaries: int
    """Bytes of the temporary buffers."""
    patterns: str
    """Fused epilogues of matrix products and convolutions."""
    compile_seconds: float


DIRECTIONS = {"forward": "forward", "forward_backward": "forward + backward"}
"""Keys of what a program computes, and their titles."""
ROWS = {
    "accuracy": AccuracyRow,
    "limits": LimitRow,
    "speed": SpeedRow,
    "axis": AxisRow,
    "small": SmallRow,
    "instructions": InstructionRow,
    "platforms": PlatformRow,
    "mean_field_maps": MapRow,
    "mean_field_depth": DepthRow,
}
Row = TypeVar("Row", bound=tuple)


def machine() -> dict[str, Any]:
    """Return the versions and the hardware that results are stored with."""
    return {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "machine": f"{platform.system()} {platform.machine()}, {processor()}",
        "cores": os.cpu_count(),
    }


def processor() -> str:
    """Return the model name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def path_of(measurement: str, library: str = "", backend: str = "") -> Path:
    """Return the file of a measurement on a backend, the current one by default."""
    parts = [measurement, backend or jax.default_backend(), library]
    return DATA / f"{'-'.join(part for part in parts if part)}.json"


def store_rows(
    measurement: str,
    rows: Iterable[tuple[Any, ...]],
    library: str = "",
    backend: str = "",
    **head: Any,
) -> None:
    """Write rows, one line each, with the machine and `head`, which may replace it."""
    lines = ",\n".join(json.dumps(row) for row in rows)
    start = json.dumps(machine() | ({"library": library} if library else {}) | head)
    text = f'{start[:-1]}, "rows": [\n{lines}\n]}}\n'
    path_of(measurement, library, backend).write_text(text)


def load_rows(
    measurement: str, row: type[Row], library: str = "", backend: str = "cpu"
) -> tuple[dict[str, Any], list[Row]]:
    """Return the head and the rows of a measurement; empty if nothing is stored."""
    path = path_of(measurement, library, backend)
    if not path.exists():
        return {}, []
    head = json.loads(path.read_text())
    return head, [row(*values) for values in head.pop("rows")]


def load_instructions() -> dict[str, InstructionRow]:
    """Return the stored loops by function."""
    loop = lambda values: Loop(*values) if values else None
    rows = load_rows("instructions", InstructionRow)[1]
    return {row.function: InstructionRow(row[0], *map(loop, row[1:])) for row in rows}


def store(measurement: str, **content: Any) -> None:
    """Write nested results with the machine."""
    path = path_of(measurement)
    path.write_text(json.dumps(machine() | content, indent=1) + "\n")


def load(measurement: str, backend: str = "cpu") -> dict[str, Any]:
    """Return nested results."""
    return json.loads(path_of(measurement, backend=backend).read_text())


class DeviceResults(NamedTuple):
    """What was measured on one GPU."""

    head: dict[str, Any]
    times: list[DeviceRow]
    blocks: list[DeviceRow]
    errors: dict[str, list[AccuracyRow]]
    """Errors by library."""


def load_device(path: Path) -> DeviceResults:
    """Return the results of one GPU."""
    head = json.loads(path.read_text())
    times, blocks = ([DeviceRow(*r) for r in head.pop(k)] for k in ("times", "blocks"))
    errors: dict[str, list[AccuracyRow]] = {}
    for library, *row in head.pop("accuracy"):
        errors.setdefault(library, []).append(AccuracyRow(*row))
    return DeviceResults(head, times, blocks, errors)
