"""Writes `docs/accuracy.md` from the stored results of `benchmarks.accuracy`."""

import math
import tomllib
from pathlib import Path

from benchmarks.accuracy import Row, load
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

"""


def write() -> None:
    """Writes the page."""
    stored = {library: load(library) for library in TITLES}
    stored = {library: s for library, s in stored.items() if s[1]}
    PAGE.parent.mkdir(exist_ok=True)
    lines = [HEAD, *summary(stored), *exceptions()]
    for dtype in ("float32", "bfloat16", "float16", "float64"):
        for order, title in enumerate(ORDERS):
            limit = CONTRACT[dtype][order]
            lines += [f"\n## {dtype}, {title}\n", f"The contract is {limit} ulp.\n"]
            tables = {
                library: {
                    r.function: r for r in rows if (r.dtype, r.order) == (dtype, order)
                }
                for library, (_, rows) in stored.items()
            }
            lines += table(tables)
    PAGE.write_text("\n".join(lines) + "\n")


def summary(stored: dict) -> list[str]:
    """Returns who was measured, and how many functions keep the contract."""
    lines = [
        "| | version | "
        + " | ".join(f"{d}, {o}" for d in ("float32", "bfloat16") for o in ORDERS)
        + " |",
        "|---|---|" + "---|" * 6,
    ]
    for library, (head, rows) in stored.items():
        cells = []
        for dtype in ("float32", "bfloat16"):
            for order in range(3):
                these = [r for r in rows if (r.dtype, r.order) == (dtype, order)]
                kept = sum(r.max <= CONTRACT[dtype][order] for r in these)
                cells.append(f"{kept} of {len(these)}")
        cells = [TITLES[library], head["version"], *cells]
        lines.append(f"| {' | '.join(cells)} |")
    machine = next(iter(stored.values()))[0]
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
                forgiven = "1 ulp of the input, times the next derivative"
                allowed = why.get("ulp", forgiven)
                cells = f"{name} | {dtype} | {order} | {allowed} | {why['reason']}"
                lines.append(f"| {cells} |")
    return lines


def table(tables: dict[str, dict[str, Row]]) -> list[str]:
    """Returns one row for each function, one column for each library."""
    ours = tables["jax_acts"]
    others = [library for library in tables if library != "jax_acts"]
    lines = [
        "| function | max | mean | worst at | "
        + " | ".join(f"{TITLES[o]} | at" for o in others)
        + (" |" if others else ""),
        "|---|---|---|---|" + "---|---|" * len(others),
    ]
    for name in sorted(ours):
        r = ours[name]
        cells = [name, error(r), f"{r.mean:.2g}", f"{r.x:.7g}"]
        for other in others:
            theirs = tables[other].get(name)
            cells += [error(theirs), f"{theirs.x:.7g}"] if theirs else ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def error(r: Row) -> str:
    """Returns the greatest error, or what is worse than one."""
    if r.nonfinite:
        return f"{'NaN' if math.isnan(r.got) else 'inf'} ({r.nonfinite} times)"
    if r.vanished:
        return f"0 ({r.vanished} times)"
    return f"{r.max:.3g}" + (" (wrong sign)" if r.wrong_sign else "")
