"""Write `docs/accuracy.md` from the results of `python -m benchmarks accuracy`."""

import math
import tomllib
from collections.abc import Callable
from pathlib import Path

from benchmarks.pages import DOCS, TITLES, error_cell, gpu_accuracy, markdown_table
from benchmarks.results import AccuracyRow, LimitRow, load_rows
from jax_acts.testing import CONTRACT, same_limit

EXCEPTIONS = Path(__file__).parents[2] / "tests" / "functional" / "exceptions.toml"
ORDERS = ("value", "first derivative", "second derivative")
DTYPES = ("bfloat16", "float16", "float32", "float64")
LIBRARIES = ("jax_acts", "jax", "torch", "keras")

HEAD = """# Accuracy

Written by `python -m benchmarks pages accuracy` from the results of
`python -m benchmarks accuracy`. Errors are in units in the last place of the dtype
(ulp); a correctly rounded result is within 0.5 ulp. Each figure is the maximum over all
16-bit inputs, over a million float32 inputs of every magnitude, or over a thousand
float64 inputs; eager and compiled, under `vmap`, forward and reverse mode. Subnormal
results may be flushed to 0. Reference values come from mpmath.

The CPU results of functions with an exponential, an error function or a sine are older
than their present rules. The tests hold these to the contract.

`NaN 7×` in place of an error: seven results are NaN where the exact value is finite;
`inf 7×`: infinite; `0 7×`: zero where the exact value is normal; `sign 7×`: wrong sign.
The worst inputs of every library are in `benchmarks/data`.
"""


def write() -> None:
    """Write the page."""
    stored = {name: load_rows("accuracy", AccuracyRow, name) for name in LIBRARIES}
    stored = {name: result for name, result in stored.items() if result[1]}
    lines = [
        HEAD,
        *_summary(stored),
        *_exceptions(),
        *_limits(),
        *gpu_accuracy.section(),
    ]
    for dtype in ("float32", "bfloat16", "float16", "float64"):
        for order, title in enumerate(ORDERS):
            lines += [
                f"\n## {dtype}, {title}\n",
                f"Contract: {CONTRACT[dtype][order]} ulp.\n",
                *_errors(
                    {n: _select(rows, dtype, order) for n, (_, rows) in stored.items()},
                    gpu_accuracy.columns(dtype, order),
                ),
            ]
    (DOCS / "accuracy.md").write_text("\n".join(lines) + "\n")


def _select(rows: list[AccuracyRow], dtype: str, order: int) -> dict[str, AccuracyRow]:
    return {r.function: r for r in rows if (r.dtype, r.order) == (dtype, order)}


def _summary(stored: dict[str, tuple[dict, list[AccuracyRow]]]) -> list[str]:
    """Return the versions, and how many functions meet the contract."""
    kinds = [(d, order) for d in ("float32", "bfloat16") for order in range(3)]
    columns = ["", "version", *(f"{d}, {ORDERS[order]}" for d, order in kinds)]
    table = []
    for library, (head, rows) in stored.items():
        cells = []
        for dtype, order in kinds:
            some = _select(rows, dtype, order).values()
            passed = sum(r.max <= CONTRACT[dtype][order] for r in some)
            cells.append(f"{passed} of {len(some)}")
        table.append([TITLES[library], head["version"], *cells])
    head = next(iter(stored.values()))[0]
    return [
        *markdown_table(columns, table),
        f"\nFunctions within {', '.join(map(str, CONTRACT['float32']))} ulp (float32) "
        f"and {CONTRACT['bfloat16'][0]} ulp (bfloat16). Measured on {head['device']} "
        f"({head['machine']}) with JAX {head['jax']}.",
    ]


def _exceptions() -> list[str]:
    """Return the functions that miss the contract, with the reasons in the tests."""
    table = []
    for name, dtypes in tomllib.loads(EXCEPTIONS.read_text()).items():
        for dtype, orders in dtypes.items():
            for order, entry in orders.items():
                near_zero = (
                    f"{entry.get('input_ulp')} ulp of x times the next derivative"
                )
                bound = entry.get("ulp", near_zero)
                table.append([name, dtype, order, bound, entry["reason"]])
    columns = ["function", "dtype", "order", "bound in the tests (ulp)", "reason"]
    return ["\n## Exceptions to the contract\n", *markdown_table(columns, table)]


def _right_at_infinity(r: LimitRow) -> bool:
    pairs = (r.below, r.below_want), (r.above, r.above_want)
    return all(same_limit(got, want, r.dtype) for got, want in pairs)


def _right_when_subnormal(r: LimitRow) -> bool:
    return r.subnormal <= CONTRACT[r.dtype][r.order]


CHECKS: dict[str, Callable[[LimitRow], bool]] = {
    "±inf": _right_at_infinity,
    "subnormal": _right_when_subnormal,
}


def _limits() -> list[str]:
    """Return how many functions are right at ±inf and subnormals, and the others."""
    stored = {name: load_rows("limits", LimitRow, name)[1] for name in LIBRARIES}
    counts, wrong = [], []
    for library, rows in stored.items():
        if not rows:
            continue
        total = len({r.function for r in rows})
        failed = [
            {r.function for r in rows if r.dtype == dtype and not check(r)}
            for check in CHECKS.values()
            for dtype in DTYPES
        ]
        cells = [f"{total - len(names)} of {total}" for names in failed]
        counts.append([TITLES[library], *cells])
        wrong += [
            [TITLES[library], *_fault(r)]
            for r in rows
            if r.dtype == "float32" and not all(check(r) for check in CHECKS.values())
        ]
    columns = ["", *(f"{dtype}, {where}" for where in CHECKS for dtype in DTYPES)]
    return [
        "\n## Limits at ±inf, and subnormal inputs\n",
        "Functions whose value and derivatives have the correct limits (NaN where none "
        "exists), and functions within the contract at subnormal inputs, which may be "
        "flushed to 0.\n",
        *markdown_table(columns, counts),
        "\nIncorrect in float32, with the limit in parentheses:\n",
        *markdown_table(
            ["", "function", "order", "at -inf", "at inf", "subnormal"], wrong
        ),
    ]


def _fault(r: LimitRow) -> list[object]:
    ends = [
        "" if same_limit(got, want, r.dtype) else f"{_number(got)} ({_number(want)})"
        for got, want in ((r.below, r.below_want), (r.above, r.above_want))
    ]
    error = "NaN" if math.isinf(r.subnormal) else f"{r.subnormal:.3g} ulp"
    subnormal = "" if _right_when_subnormal(r) else f"{error} at {r.x:.3g}"
    return [r.function, r.order, *ends, subnormal]


def _number(y: float) -> str:
    return "NaN" if math.isnan(y) else f"{y + 0.0:.4g}"  # + 0.0 makes -0 positive


def _errors(
    tables: dict[str, dict[str, AccuracyRow]],
    gpu_columns: dict[str, dict[str, AccuracyRow]],
) -> list[str]:
    """Return one row per function, one column per other library, and those of a GPU."""
    ours = tables.pop("jax_acts")
    tables = {TITLES[n]: table for n, table in tables.items()} | gpu_columns
    columns = ["function", "max", "mean", "worst at", *tables]
    others = lambda name: [
        error_cell(t[name]) if name in t else "" for t in tables.values()
    ]
    return markdown_table(
        columns,
        [
            [name, error_cell(r), f"{r.mean:.2g}", f"{r.x:.7g}", *others(name)]
            for name, r in sorted(ours.items())
        ],
    )
