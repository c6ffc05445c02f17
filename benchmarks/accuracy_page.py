"""Writes `docs/accuracy.md` from the stored results of `benchmarks.accuracy`."""

import math
import tomllib
from pathlib import Path

from benchmarks import stored
from benchmarks.accuracy import Row, load
from benchmarks.limits import Ends
from benchmarks.peers import DTYPES
from jax_acts.testing import CONTRACT

EXCEPTIONS = Path(__file__).parents[1] / "tests" / "functional" / "exceptions.toml"
PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
TITLES = {"jax_acts": "jax_acts", "jax": "jax.nn", "torch": "PyTorch", "keras": "Keras"}
ORDERS = ("value", "first derivative", "second derivative")

HEAD = """# Accuracy

Written by `python -m benchmarks.accuracy`. Errors are in units in the last place of the
dtype (ulp): 0.5 is the best that rounding allows. Each figure is the greatest over all
16-bit inputs, over a million inputs of float32 of every magnitude, and over a thousand
of float64; eager and compiled, under `vmap`, forward and reverse. Results that
are subnormal may be flushed to 0. The truth is from mpmath; the benchmark says how.

In place of an error, `NaN 7×` says that so many results are NaN and should be numbers,
`inf 7×` that they are infinite, `0 7×` that they are 0 and should be normal numbers,
and `sign 7×` that their sign is wrong. The worst inputs of the other libraries are in
`benchmarks/results`.

"""


def write() -> None:
    """Writes the page."""
    measured = {library: load(library) for library in TITLES}
    measured = {library: m for library, m in measured.items() if m[1]}
    PAGE.parent.mkdir(exist_ok=True)
    lines = [HEAD, *summary(measured), *exceptions(), *ends()]
    for dtype in ("float32", "bfloat16", "float16", "float64"):
        for order, title in enumerate(ORDERS):
            limit = CONTRACT[dtype][order]
            lines += [f"\n## {dtype}, {title}\n", f"The contract is {limit} ulp.\n"]
            tables = {
                library: {
                    r.function: r for r in rows if (r.dtype, r.order) == (dtype, order)
                }
                for library, (_, rows) in measured.items()
            }
            lines += table(tables)
    PAGE.write_text("\n".join(lines) + "\n")


def summary(measured: dict) -> list[str]:
    """Returns who was measured, and how many functions keep the contract."""
    lines = [
        "| | version | "
        + " | ".join(f"{d}, {o}" for d in ("float32", "bfloat16") for o in ORDERS)
        + " |",
        "|---|---|" + "---|" * 6,
    ]
    for library, (head, rows) in measured.items():
        cells = []
        for dtype in ("float32", "bfloat16"):
            for order in range(3):
                these = [r for r in rows if (r.dtype, r.order) == (dtype, order)]
                kept = sum(r.max <= CONTRACT[dtype][order] for r in these)
                cells.append(f"{kept} of {len(these)}")
        cells = [TITLES[library], head["version"], *cells]
        lines.append(f"| {' | '.join(cells)} |")
    machine = next(iter(measured.values()))[0]
    limits = ", ".join(map(str, CONTRACT["float32"]))
    lines.append(
        f"\nHow many keep to {limits} ulp in float32, and {CONTRACT['bfloat16'][0]} "
        f"in bfloat16. Measured on {machine['device']} ({machine['machine']}) with JAX "
        f"{machine['jax']}."
    )
    return lines


def exceptions() -> list[str]:
    """Returns what misses the contract, with the reasons that the tests have."""
    lines = [
        "\n## What misses the contract\n",
        "| function | dtype | order | ulp that tests allow | reason |",
        "|---|---|---|---|---|",
    ]
    for name, dtypes in tomllib.loads(EXCEPTIONS.read_text()).items():
        for dtype, orders in dtypes.items():
            for order, why in orders.items():
                share = why.get("input_ulp")
                near_zeros = f"{share} ulp of the input, times the next derivative"
                allowed = why.get("ulp", near_zeros)
                cells = f"{name} | {dtype} | {order} | {allowed} | {why['reason']}"
                lines.append(f"| {cells} |")
    return lines


def ends() -> list[str]:
    """Returns how many functions are right at ±inf and subnormals, and the others."""
    measured = {o: stored.load("limits", Ends, o)[1] for o in TITLES}
    measured = {o: rows for o, rows in measured.items() if rows}
    lines = [
        "\n## At ±inf, and subnormal inputs\n",
        "How many functions have the right limits in a dtype, or NaN where there is "
        "none, for the value and both derivatives; and how many keep the contract at "
        "subnormal inputs, which may be taken as 0.\n",
        "| | "
        + " | ".join(f"{d}, {w}" for w in ("±inf", "subnormal") for d in DTYPES)
        + " |",
        "|---|" + "---|" * 2 * len(DTYPES),
    ]
    for library, rows in measured.items():
        total = len({r.function for r in rows})
        cells = [
            total - len({r.function for r in rows if r.dtype == dtype and not right(r)})
            for right in (right_at_infinity, right_when_subnormal)
            for dtype in DTYPES
        ]
        counts = " | ".join(f"{n} of {total}" for n in cells)
        lines.append(f"| {TITLES[library]} | {counts} |")
    lines += [
        "\nIn float32 these are not right; what the limit is stands in brackets:\n",
        "| | function | order | at -inf | at inf | subnormal |",
        "|---|---|---|---|---|---|",
    ]
    return lines + [
        fault(library, r)
        for library, rows in measured.items()
        for r in rows
        if r.dtype == "float32"
        and not (right_at_infinity(r) and right_when_subnormal(r))
    ]


def right_at_infinity(r: Ends) -> bool:
    """Returns whether both limits are right."""
    return r.right_below and r.right_above


def right_when_subnormal(r: Ends) -> bool:
    """Returns whether the contract is kept at subnormal inputs."""
    return r.subnormal <= CONTRACT[r.dtype][r.order]


def fault(library: str, r: Ends) -> str:
    """Returns the row of what is not right."""
    below = "" if r.right_below else f"{shown(r.below)} ({shown(r.below_want)})"
    above = "" if r.right_above else f"{shown(r.above)} ({shown(r.above_want)})"
    off = "NaN" if math.isinf(r.subnormal) else f"{r.subnormal:.3g} ulp"
    tiny = "" if right_when_subnormal(r) else f"{off} at {r.x:.3g}"
    cells = [TITLES[library], r.function, r.order, below, above, tiny]
    return f"| {' | '.join(map(str, cells))} |"


def shown(y: float) -> str:
    """Returns a number as text, -0 as 0."""
    return "NaN" if math.isnan(y) else f"{y + 0.0:.4g}"


def table(tables: dict[str, dict[str, Row]]) -> list[str]:
    """Returns one row for each function, one column for each other library."""
    ours = tables["jax_acts"]
    others = [library for library in tables if library != "jax_acts"]
    heads = ["function", "max", "mean", "worst at", *(TITLES[o] for o in others)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in sorted(ours):
        r = ours[name]
        cells = [name, error(r), f"{r.mean:.2g}", f"{r.x:.7g}"]
        cells += [error(tables[o][name]) if name in tables[o] else "" for o in others]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def error(r: Row) -> str:
    """Returns the greatest error, or what is worse than one, and how often."""
    lost = "NaN" if math.isnan(r.got) else "inf"
    counts = {lost: r.nonfinite, "0": r.vanished, "sign": r.wrong_sign}
    worse = [f"{what} {count}×" for what, count in counts.items() if count]
    return ", ".join(worse) or f"{r.max:.3g}"
