"""Write docs/kinks.md: the derivative that each library returns at kinks.

    python -m tools.docs.kinks

The derivatives of PyTorch and Keras are the stored golden values.
"""

import json
from pathlib import Path
from typing import Any

import jax

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry import lookup as registry

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "kinks.md"
GOLDEN = json.loads((ROOT / "tests" / "data" / "golden.json").read_text())

HEAD = """# Derivatives at kinks

Written by `python -m tools.docs.kinks`. A kink is an input without a derivative: the
left and the right derivative differ, or the function jumps. `derivative` returns one
value there, the same in forward and reverse mode, compiled or not; where `jax.nn` has
the function, the value of `jax.nn`. `jax_acts.with_kinks` selects another:

```python
>>> from jax_acts import hard_tanh, leaky_relu, with_kinks
>>> with_kinks(hard_tanh, {-1: 0, 1: 0}).derivative(1.0)  # as in PyTorch
Array(0., dtype=float32, weak_type=True)
>>> with_kinks(leaky_relu, {0: 0.01}).derivative(0.0)  # as in PyTorch
Array(0.01, dtype=float32, weak_type=True)

```

| function | kink | left | right | jax_acts | jax.nn | PyTorch | Keras |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page."""
    rows = []
    for name in sorted(registry.names()):
        f = registry.FUNCTIONS[name]
        if isinstance(f, ActivationFunction):
            rows += [row(name, f, x, d) for x, d in f.spec.kinks.items()]
    return HEAD + "\n".join(rows) + "\n"


def row(name: str, f: ActivationFunction[...], x: float, derivative: float) -> str:
    """Return the row of one kink."""
    h = 2.0**-20 * max(1, abs(x))
    sides = [float(f.derivative(x + s)) for s in (-h, h)]
    cells = [name, x, *sides, derivative, jax_derivative(name, x)]
    cells += [golden_derivative(library, name, x) for library in ("torch", "keras")]
    return f"| {' | '.join(map(format_cell, cells))} |"


def jax_derivative(name: str, x: float) -> Any:
    """Return the derivative of `jax.nn` at x, if it has the function."""
    f = getattr(jax.nn, name, None)
    return "" if f is None else float(jax.grad(f)(float(x)))


def golden_derivative(library: str, name: str, x: float) -> Any:
    """Return the stored derivative of a library at x, if there is one."""
    for alias in registry.aliases(name):
        if alias.dialect == library and alias.meaning == name:
            for spelling in (alias.call, alias.call.partition("(")[0]):
                golden = GOLDEN["answers"].get(f"{library}:{spelling}", {})
                if x in GOLDEN["inputs"] and "derivative" in golden:
                    return golden["derivative"][GOLDEN["inputs"].index(x)]
    return ""


def format_cell(cell: Any) -> str:
    """Return a cell as text; floats with four digits."""
    return f"{cell:.4g}" if isinstance(cell, int | float) else cell


if __name__ == "__main__":
    main()
