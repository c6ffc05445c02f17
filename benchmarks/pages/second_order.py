"""Write `docs/second_order.md` from the results of `benchmarks second_order`."""

from typing import Any

from benchmarks.pages import DOCS, markdown_table
from benchmarks.results import SecondOrderRow, TaylorRow, load

HEAD = """# Second-order programs

Written by `python -m benchmarks pages second_order` from the results of
`python -m benchmarks second_order`.

## A training step of a physics-informed network

The loss is the mean squared Laplacian of an MLP; the step is its value and gradient. A
cell is the time with `jax.nn` over the time with jax_acts (above 1 jax_acts is faster),
with the times (ms) and the temporary memory (MiB) that the compiler plans in
parentheses, as `jax.nn` / jax_acts. The programs run in turn, in one process.

The second derivative of a function of this library is one rule; autodiff of the formula
of `jax.nn` builds it from many operations, and `jax.hessian` keeps their results.
Layers under `lax.scan` keep the rule as well, which JAX drops for a plain
`jax.custom_jvp`.

[Which activation solves a differential equation by its
residual?](studies/pinn-poisson.md) compares the solutions after training.
"""

TAYLOR = """
## Taylor mode

The largest error of the derivatives of order 3 and 4 on [-6, 6] by
`jax.experimental.jet` in float32, in eps of the largest magnitude of the derivative. In
this library Taylor mode takes `without_custom_jvp`:

```python
>>> import jax.numpy as jnp
>>> from jax.experimental.jet import jet
>>> from jax_acts import tanh
>>> x, series = jnp.array([0.5]), [jnp.ones(1), jnp.zeros(1), jnp.zeros(1)]
>>> y, derivatives = jet(tanh.without_custom_jvp, (x,), (series,))
>>> derivatives[2]  # the third derivative
Array([-0.5652102], dtype=float32)

```
"""


def write() -> None:
    """Write the page."""
    stored = load("second_order")
    steps = [SecondOrderRow(*row) for row in stored["steps"]]
    errors = [TaylorRow(*row) for row in stored["taylor"]]
    lines = [HEAD, *_steps(steps), TAYLOR, *_taylor(errors), _machine(stored)]
    (DOCS / "second_order.md").write_text("\n".join(lines) + "\n")


def _steps(rows: list[SecondOrderRow]) -> list[str]:
    """Return a table of the steps, a column per idiom."""
    cells = {(r[:5], r.idiom, r.library): r for r in rows}
    idioms = list(dict.fromkeys(r.idiom for r in rows))
    return markdown_table(
        ["activation", "MLP", *idioms],
        [
            [
                name,
                f"{inputs} inputs, {depth} × {width}, {points:,} points",
                *(
                    _cell(*(cells[key, idiom, n] for n in ("jax.nn", "jax_acts")))
                    for idiom in idioms
                ),
            ]
            for key in dict.fromkeys(r[:5] for r in rows)
            for name, inputs, width, depth, points in [key]
        ],
    )


def _cell(theirs: SecondOrderRow, ours: SecondOrderRow) -> str:
    times = f"{theirs.milliseconds:.1f} / {ours.milliseconds:.1f} ms"
    memory = f"{theirs.bytes / 2**20:.0f} / {ours.bytes / 2**20:.0f} MiB"
    ratio = theirs.milliseconds / ours.milliseconds
    return f"**{ratio:.2f}** ({times}, {memory})"


def _taylor(rows: list[TaylorRow]) -> list[str]:
    """Return a table of the errors, a column per order and library."""
    errors = {r[:3]: r.error for r in rows}
    columns = list(dict.fromkeys((r.order, r.library) for r in rows))
    return markdown_table(
        ["function", *(f"order {order}, {library}" for order, library in columns)],
        [
            [
                name,
                *(_error(errors[name, library, order]) for order, library in columns),
            ]
            for name in dict.fromkeys(r.function for r in rows)
        ],
    )


def _error(error: float | None) -> str:
    return "fails" if error is None else f"{error:.2g}"


def _machine(stored: dict[str, Any]) -> str:
    return (
        f"\nMeasured on {stored['device']} ({stored['machine']}, {stored['cores']} "
        f"cores, load {stored['load']}) with JAX {stored['jax']}. Other work ran on "
        "the machine: only the ratios mean something."
    )
