"""The GPU columns of `docs/accuracy.md`, from `python -m benchmarks gpu_accuracy`."""

import statistics

from benchmarks.pages import error_cell, markdown_table
from benchmarks.results import AccuracyRow, load_rows
from jax_acts.testing import CONTRACT, GPU_CONTRACT

BACKEND = "gpu-emulated"
COLUMNS = {
    "GPU": ("jax_acts", "best"),
    "GPU, worst case": ("jax_acts", "worst"),
    "jax.nn, GPU": ("jax", "best"),
}
"""Title: library and model."""
ORDERS = ("value", "first derivative")
TEXT = """
## GPU

Columns "GPU" come from `python -m benchmarks gpu_accuracy`, without a GPU: XLA compiles
for an {device}, and `tools.ptx` interprets the PTX
instructions. XLA emits separate products and sums, without contraction, and keeps
subnormal numbers; their results are specified bit by bit. The PTX manual only bounds
the errors of divisions and reciprocals (2 and 1 ulp), of square roots, and of `ex2`,
`lg2` and `tanh`, which `jax.nn` uses. Under "GPU" these are rounded once; under "GPU,
worst case" their errors are as large as the manual allows, with random signs. Hardware
is expected between the two, but was not measured. Inputs: all 16-bit values, and
{points:,} float32 values. Commit {commit}, JAX {jax}.

Contract on a GPU, in the worst case: value {value} ulp, first derivative {derivative}
ulp (float32), {half} ulp (bfloat16, float16).
"""


def section() -> list[str]:
    """Return what is measured, and how many functions meet the contracts."""
    head, rows = load_rows("accuracy", AccuracyRow, "jax_acts", BACKEND)
    if not rows:
        return []
    value, derivative = GPU_CONTRACT["float32"]
    half = GPU_CONTRACT["bfloat16"][0]
    text = TEXT.format(value=value, derivative=derivative, half=half, **head)
    kinds = [(d, o) for d in ("float32", "bfloat16", "float16") for o in (0, 1)]
    table = [
        [title, *(_count(columns(d, o)[title], d, o) for d, o in kinds)]
        for title in COLUMNS
    ]
    titles = [f"{dtype}, {ORDERS[order]}" for dtype, order in kinds]
    return [
        text,
        *markdown_table(["", *titles], table),
        "\nFunctions within the contract of a CPU, and the median of the errors (ulp). "
        "Functions beyond the contract on a GPU:\n",
        *markdown_table(
            ["function", "dtype", "order", "GPU", "GPU, worst case", "worst at"],
            _exceptions(),
        ),
    ]


def columns(dtype: str, order: int) -> dict[str, dict[str, AccuracyRow]]:
    """Return the rows of each column by function."""
    if order >= len(ORDERS) or dtype == "float64":
        return {}
    return {
        title: {
            r.function: r
            for r in load_rows("accuracy", AccuracyRow, library, BACKEND)[1]
            if (r.dtype, r.order, r.mode) == (dtype, order, model)
        }
        for title, (library, model) in COLUMNS.items()
    }


def _count(rows: dict[str, AccuracyRow], dtype: str, order: int) -> str:
    """Return how many functions meet the contract of a CPU, and the median error."""
    errors = [r.max for r in rows.values()]
    passed = sum(error <= CONTRACT[dtype][order] for error in errors)
    return f"{passed} of {len(errors)} ({statistics.median(errors):.3g})"


def _exceptions() -> list[list[object]]:
    """Return the functions of jax_acts beyond the contract on a GPU."""
    table = []
    for dtype, limits in GPU_CONTRACT.items():
        for order, limit in enumerate(limits):
            best, worst, _ = columns(dtype, order).values()
            table += [
                [n, dtype, order, error_cell(best[n]), error_cell(r), f"{r.x:.7g}"]
                for n, r in sorted(worst.items())
                if r.max > limit
            ]
    return table
