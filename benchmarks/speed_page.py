"""Writes `docs/performance.md` and its chart from the stored times."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import axis, memory, training
from benchmarks.speed import DIRECTIONS, SIZES, Row, load

DOCS = Path(__file__).parents[1] / "docs"
SIMPLE = frozenset(
    [
        *("bent_identity", "clip", "hard_mish", "hard_shrink", "hard_sigmoid"),
        *("hard_silu", "hard_tanh", "identity", "isrlu", "isru", "leaky_relu", "relu"),
        *("relu6", "relu_cubed", "relu_squared", "shrink", "soft_shrink", "soft_sign"),
        *("sparse_plus", "sparse_sigmoid", "square", "squareplus", "star_relu", "step"),
        *("threshold", "thresholded_relu"),
    ]
)
"""The functions without an exponential, a logarithm, a sine or the like."""
WAVES = frozenset(
    ["cosine", "finer", "gabor", "gcu", "sine", "sine_relu", "snake", "snake_beta"]
)
SAME = (
    "relu",
    "relu6",
    "leaky_relu",
    "hard_sigmoid",
    "sparse_plus",
    "sparse_sigmoid",
)
"""The functions that compile to the loop that they have in `jax.nn`."""
WANTED = {"forward": (3, 5), "both": (5, 7)}
"""How many copies a function should take at most, and one of the waves."""
AT_LEAST = {"jax": 0.97, "torch": 0.95}
"""Below it a function counts as slower."""
TITLES = {
    "jax": "jax.nn",
    "torch": "PyTorch",
    "torch compiled": "PyTorch compiled",
}

HEAD = """# Performance

Written by `python -m benchmarks.speed`; the docstring says how. The figures are times
in units of the time of a copy of the same array, and in brackets how much longer the
other library takes: above 1 `jax_acts` is faster, below 1 slower. "Both" is the value
and the gradient in one program.

![Times against jax.nn](performance.png)

"""

WHY = """
## Where jax_acts is slower, and why

A function and its gradient are two loops: on a CPU the compiler makes no loop with two
results. `jax.nn` takes the gradient of `sigmoid`, `tanh`, `silu` and `gelu` from the
value or the sigmoid that it has stored, where it is 0 instead of 1e-7 and has no digit
near a zero; `jax_acts` takes it from the input, with an exponential of its own. In
the cache that is up to twice the arithmetic, and up to three times for `gelu`, whose
exponent needs two parts; from memory, as many bytes are moved, and it is hidden in
part. Where speed matters more than the digits, `tanh.keeping("output")` takes the
derivative from the value.

PyTorch is ahead with `sine`: for each few numbers its loop chooses the shortest
reduction of the angle that is right for them, while XLA computes for every number what
the largest may need. Compiled, its gradients of `relu` and its like take many times as
long as ours, which lifts the mean over all functions, though not that over the
transcendental ones.

The compiler's instructions for 8 numbers say where the arithmetic is:

| | forward | derivative | forward: jax.nn | why |
|---|---|---|---|---|
| sigmoid | 33 | 27 | 31 | |
| silu | 36 | 53 | 33 | the tail of the value; the zero of the derivative |
| tanh | 34 | 32 | 16 | theirs is a quotient of polynomials, good to 4.4 ulp |
| gelu | 57 | 83 | 37 | an exponent in two parts; the zero of the derivative |
| gelu_exact | 65 | 58 | | as gelu, and polynomials of degree 10 |
| squareplus | 18 | | 7 | a division more: x + sqrt(x² + b) cancels for x < 0 |

## What one of a kind is worth

Where a value is one formula here and another there, the choice is between what they
are made of, so that there is one exponential, one logarithm and one division. The
instructions for 8 numbers, without it and with it:

| | without | with |
|---|---|---|
| asinh | 154 | 61 |
| log1mexp, and its derivative | 146, 57 | 71, 39 |
| sqrt_softplus, and its derivative | 114, 116 | 49, 53 |
| shifted_softplus | 74 | 48 |
| telu, and its derivative | 110, 165 | 83, 107 |
| xielu | 103 | 63 |
| serf, and its derivative | 227, 241 | 134, 166 |
| soft_clipping | 168 | 94 |
| derivative of lisht | 69 | 42 |
| derivative of gelu_quick | 82 | 70 |

## What was tried and not taken

- One exponential for both, by a quotient e / (1 + e) that both read: XLA stores a
  quotient that is used twice, and computes everything else anew. The sigmoid and its
  gradient then take 1.9 copies in place of 2.9 (jax.nn 2.1) with 15,000 elements, but
  4.1 in place of 3.2 (3.1) with 250,000, and 5.7 in place of 4.6 (4.3) with 4,000,000:
  it is one pass more over memory, and in a step of training one more array to keep.
- `XLA_FLAGS=--xla_backend_extra_options=xla_cpu_use_multi_output_fusion=true` lets XLA
  make one loop of both for `sigmoid`: 3.2 copies in place of 4.6 with 15,000 elements
  (jax.nn 3.1). It changed nothing for `silu`, `tanh`, `gelu` and `mish`. Only who runs
  a program can set it.
- Formulas with fewer digits for 16-bit inputs. The exponential would be 2 instructions
  shorter of 42 for the sigmoid, where the conversions take 13; only `gelu`, without the
  second part of its exponent, would gain a quarter.
- Φ(-a) as one fit from 0 on, without the second polynomial near 0: `gelu_exact` has 54
  instructions then in place of 65, but errs by 4.8 ulp in place of 2.9.
- tanh(e^x) by e^y - 1, without its polynomial: `telu` has 59 in place of 83, but errs
  by 3.6 ulp in place of 2.6.
- `jax.disable_jit` around a rule, so that its operators are no functions with a `jit`
  of their own. With empty caches a rule is traced in half the time; with full ones, as
  in the tests, all takes a third longer, and a loop in a rule would be unrolled.

With empty caches a function and its gradient take up to twice as long to compile as
those of `jax.nn`, though tracing calls half as many Python functions, or fewer, since
the value has a `jit`, and its parts are written in `lax`: 30,000 for `tanh` in place of
76,000 (`jax.nn` 7,000), 38,000 for `silu` in place of 94,000 (10,000). The rest is the
compiler's: it has more instructions to translate.

A large ± tells of other work on the machine. Against PyTorch with 4,000,000 elements
each call writes to new memory, ours too, and the system's work for it is in the figure;
all others are with the memory of the last result used again.
"""

MEMORY = """
## What a step of training keeps

By `python -m benchmarks.memory`: bytes of temporary memory for one number of a hidden
layer more, float32, `jax.nn` / `jax_acts` / lean, which is `jax.checkpoint` of a
function and the product after it; and the time of a step of 12 scanned layers against
that with `jax.nn`. For itself each function keeps 4 bytes at most; a product keeps 4.

A scan keeps what it is told to: 4 bytes with the lean choice. What that costs in time
does not show above the noise, which `relu` tells: its loops are those of `jax.nn`. In
layers that are unrolled, the compiler keeps what it thinks best, and lean changes
nothing. There tanh takes 7.8 bytes, and with `jax.nn` 3.8: theirs has its derivative
from the value, which the product keeps. So has `tanh.keeping("output")`, and takes 3.8
bytes too, or 4.0 in a scan without lean.
"""

AXIS = """
## Functions along an axis

By `python -m benchmarks.axis`: float32, as many numbers in rows of 10, 1000 and 50,000,
in copies, and in brackets how much longer `jax.nn` takes.

The gradients of a row of `softmax`, `log_softmax`, `softmin`, `sparsemax` and
`entmax15` add up to 0 to the last place of the greatest, and this costs more than all
else: where `jax.nn` makes two passes over a row, twelve take the mean out twice, find
the greatest entry, add up the row without rounding, in two parts, and give the rest to
that entry. Without it, rows of `jax.nn` add up to 0.5 to 3 places of their greatest
entry in the median, and to 15,000 at worst. Exactness is kept. `glu` has the derivative
of its sigmoid from the input, as said above.

`sparsemax` and `entmax15` are had by Newton steps, of which rows of 1000 normal numbers
take four to six. By sorting, 256 rows of 1024 took 40 and 70 times as long.
"""


def write() -> None:
    """Writes the page and the chart."""
    head, rows = load()
    few, many = min(head["rounds"]), max(head["rounds"])
    lines = [
        HEAD,
        f"Measured on {head['machine']}, {head['cores']} cores, with JAX {head['jax']}"
        + (f" and PyTorch {head['torch']}" if head["torch"] else "")
        + f", lower deciles of {few} to {many} rounds.\n",
        "## In the mean\n",
        *means(rows),
        noise(rows),
        *beyond(rows),
        WHY,
        *training_table(),
        MEMORY,
        *memory.table(),
        AXIS,
        *axis.table(axis.load()[1]),
    ]
    for dtype, size in sorted({(r.dtype, r.size) for r in rows}, reverse=True):
        lines += [f"\n## {dtype}, {size:,} elements\n", *table(rows, dtype, size)]
    (DOCS / "performance.md").write_text("\n".join(lines) + "\n")
    chart(rows, DOCS / "performance.png")


def training_table() -> list[str]:
    """Returns the ratios of whole steps of training."""
    stored = json.loads(training.RESULT.read_text())["seconds"]
    names = list(next(iter(stored.values())))
    return [
        "## A step of training\n",
        "By `python -m benchmarks.training`: how much longer the same model takes with "
        "`jax.nn`, in float32.\n",
        f"| model | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
        *(
            f"| {model} | {' | '.join(f'{a / b:.2f}' for a, b in by.values())} |"
            for model, by in stored.items()
        ),
    ]


def find(rows: Iterable[Row], **wanted: Any) -> dict[tuple[str, str], Row]:
    """Returns the rows with such fields, by function and library."""
    return {
        (r.function, r.library): r
        for r in rows
        if all(getattr(r, field) == value for field, value in wanted.items())
    }


def ratio(rows: dict[tuple[str, str], Row], name: str, other: str) -> float | None:
    """Returns how much longer the other library takes."""
    ours, theirs = rows.get((name, "jax_acts")), rows.get((name, other))
    return theirs.copies / ours.copies if ours and theirs else None


def compared(
    rows: Sequence[Row], dtype: str, size: int, direction: str, other: str
) -> dict[str, float]:
    """Returns the ratios to another library, by function."""
    # PyTorch has no program that writes to the same memory again.
    fresh = other.startswith("torch") and size == max(SIZES)
    here = find(rows, dtype=dtype, size=size, direction=direction, fresh=fresh)
    if other.startswith("torch") and not fresh:
        torch = find(rows, dtype=dtype, size=size, direction=direction, library=other)
        here = here | torch
    names = dict.fromkeys(name for name, _ in here)
    ratios = {n: ratio(here, n, other) for n in names}
    return {n: r for n, r in ratios.items() if r is not None}


def means(rows: Sequence[Row]) -> list[str]:
    """Returns a table of geometric means, and of what is slower."""
    lines = [
        "| dtype | elements | | against | functions | geometric mean | "
        "transcendental | slower |",
        "|---|---|---|---|---|---|---|---|",
    ]
    others = [o for o in TITLES if any(r.library == o for r in rows)]
    for dtype, size in sorted({(r.dtype, r.size) for r in rows}, reverse=True):
        for direction in DIRECTIONS:
            for other in others:
                ratios = compared(rows, dtype, size, direction, other)
                if ratios:
                    some = [r for n, r in ratios.items() if n not in SIMPLE]
                    least = AT_LEAST["jax" if other == "jax" else "torch"]
                    slower = sorted((r, n) for n, r in ratios.items() if r < least)
                    told = ", ".join(f"{n} {r:.2f}" for r, n in slower)
                    lines.append(
                        f"| {dtype} | {size:,} | {direction} | {TITLES[other]} | "
                        f"{len(ratios)} | {mean(ratios.values()):.2f} | "
                        f"{mean(some):.2f} | {told} |"
                    )
    return lines


def noise(rows: Sequence[Row]) -> str:
    """Returns how far ratios are from 1 where they should be 1."""
    ratios = [
        compared(rows, "float32", size, "forward", "jax")[name]
        for size in SIZES
        for name in SAME
    ]
    return (
        f"\nForward, {', '.join(SAME[:-1])} and {SAME[-1]} are the same loops, "
        "instruction by instruction, as in jax.nn, and float32 has them from "
        f"{min(ratios):.2f} to {max(ratios):.2f}: by as much may any ratio be wrong."
    )


def beyond(rows: Sequence[Row]) -> list[str]:
    """Returns a table of the functions that take longer than they should."""
    size = max(SIZES)
    lines = [
        f"\n## Against a copy\n\nWith {size:,} elements; of waves "
        f"({', '.join(sorted(WAVES))}) more is allowed.\n",
        "| float32 | copies at most | of waves | functions | take more |",
        "|---|---|---|---|---|",
    ]
    wider = []
    for direction, (most, of_waves) in WANTED.items():
        here = {"size": size, "direction": direction, "library": "jax_acts"}
        all = find(rows, dtype="float32", fresh=False, **here)
        half = find(rows, dtype="bfloat16", fresh=False, **here)
        over = {
            key[0]: row.copies
            for key, row in sorted(all.items(), key=lambda item: -item[1].copies)
            if row.copies > (of_waves if key[0] in WAVES else most)
        }
        told = ", ".join(f"{name} {copies:.1f}" for name, copies in over.items())
        count = f"{len(all) - len(over)} of {len(all)}"
        lines.append(f"| {direction} | {most} | {of_waves} | {count} | {told} |")
        times = [half[key].nanoseconds / all[key].nanoseconds for key in half]
        few = sum(time <= 1.3 for time in times)
        wider.append(
            f"{mean(times):.2f} {direction} ({few} of {len(times)} within 1.3)"
        )
    return [
        *lines,
        "\nA number of bfloat16 takes, in the geometric mean over the functions, "
        f"{' and '.join(wider)} of the time of one of float32.",
    ]


def mean(values: Iterable[float]) -> float:
    """Returns the geometric mean."""
    logs = [math.log(v) for v in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def table(rows: Sequence[Row], dtype: str, size: int) -> list[str]:
    """Returns one row for each function."""
    others = [o for o in TITLES if any(r.library == o for r in rows)]
    columns = [
        c for d in DIRECTIONS for c in (d, "±", *(f"{d}: {TITLES[o]}" for o in others))
    ]
    lines = [f"| function | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    ours = {
        d: find(
            rows, dtype=dtype, size=size, direction=d, fresh=False, library="jax_acts"
        )
        for d in DIRECTIONS
    }
    ratios = {
        (d, o): compared(rows, dtype, size, d, o) for d in DIRECTIONS for o in others
    }
    for name in sorted({n for n, _ in ours["forward"]}):
        cells = [name]
        for d in DIRECTIONS:
            row = ours[d][name, "jax_acts"]
            cells += [f"{row.copies:.2f}", f"{row.spread:.2f}"]
            cells += [
                f"({ratios[d, o][name]:.2f})" if name in ratios[d, o] else ""
                for o in others
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def terminal(rows: Sequence[Row]) -> Table:
    """Returns the times as a table for the terminal."""
    columns = ("function", "library", "dtype", "elements", "", "memory", "ns", "copies")
    shown = Table(*columns)
    for r in rows:
        memory = "fresh" if r.fresh else "reused"
        figures = f"{r.nanoseconds:.3f}", f"{r.copies:.2f} ± {r.spread:.2f}"
        shown.add_row(
            r.function, r.library, r.dtype, f"{r.size:,}", r.direction, memory, *figures
        )
    return shown


def chart(rows: Sequence[Row], path: Path) -> None:
    """Draws how much longer jax.nn takes, function by function."""
    import matplotlib.pyplot as plt

    panels = [(s, d) for s in (max(SIZES), min(SIZES)) for d in DIRECTIONS]
    figure, axes = plt.subplots(1, 4, figsize=(13, 6), sharey=True, layout="tight")
    first = compared(rows, "float32", *panels[0], "jax")
    names = sorted(first, key=lambda n: first[n])
    for panel, (size, direction) in zip(axes, panels, strict=True):
        ratios = compared(rows, "float32", size, direction, "jax")
        values = [ratios[n] for n in names]
        colors = ["#2a9d8f" if v >= AT_LEAST["jax"] else "#e76f51" for v in values]
        panel.barh(names, values, color=colors)
        panel.axvline(1, color="black", linewidth=1)
        panel.set_xscale("log")
        panel.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
        panel.set_xticks([], minor=True)  # whose labels would lie over these
        panel.set_title(f"{direction}, {size:,}")
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Time of jax.nn over that of jax_acts, float32, on a CPU")
    figure.savefig(path, dpi=110)
