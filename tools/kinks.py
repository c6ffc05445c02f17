"""Writes docs/kinks.md: which derivative is taken where there is none.

    python -m tools.kinks

The numbers of PyTorch and Keras are those that `tools/golden.py` wrote down.
"""

import json
from pathlib import Path
from typing import Any

import jax

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry import lookup as registry

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "kinks.md"
GOLDEN = json.loads((ROOT / "tests" / "data" / "golden.json").read_text())

HEAD = """# Derivatives at kinks

Written by `python -m tools.kinks`. A kink is an input where a function has no
derivative, since those from the left and from the right differ, or since it jumps. Each
function has one there nevertheless: in forward and in reverse mode, compiled and not.
Where `jax.nn` has the function, it is that of `jax.nn`. `jax_acts.with_kinks` chooses
another:

```python
>>> from jax_acts import hard_tanh, leaky_relu, with_kinks
>>> with_kinks(hard_tanh, {-1: 0, 1: 0}).derivative(1.0)  # as PyTorch has it
Array(0., dtype=float32)
>>> with_kinks(leaky_relu, {0: 0.01}).derivative(0.0)  # as PyTorch has it
Array(0.01, dtype=float32)

```

| function | kink | left of it | right of it | jax_acts | jax.nn | PyTorch | Keras |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Returns the page."""
    rows = []
    for name in sorted(registry.names()):
        f = registry.FUNCTIONS[name]
        if isinstance(f, ActivationFunction):
            rows += [row(name, f, x, slope) for x, slope in f.spec.kinks.items()]
    return HEAD + "\n".join(rows) + "\n"


def row(name: str, f: ActivationFunction[...], x: float, slope: float) -> str:
    """Returns the row of one kink."""
    h = 2.0**-20 * max(1, abs(x))
    sides = [float(f.derivative(x + s)) for s in (-h, h)]
    cells = [name, x, *sides, slope, of_jax(name, x)]
    cells += [of(library, name, x) for library in ("torch", "keras")]
    return f"| {' | '.join(map(shown, cells))} |"


def of_jax(name: str, x: float) -> Any:
    """Returns the derivative that `jax.nn` has there, if it has the function."""
    f = getattr(jax.nn, name, None)
    return "" if f is None else float(jax.grad(f)(float(x)))


def of(library: str, name: str, x: float) -> Any:
    """Returns the derivative that a library has there, if that was asked for."""
    for alias in registry.aliases(name):
        if alias.dialect == library and alias.meaning == name:
            for spelling in (alias.call, alias.call.partition("(")[0]):
                answer = GOLDEN["answers"].get(f"{library}:{spelling}", {})
                if x in GOLDEN["inputs"] and "derivative" in answer:
                    return answer["derivative"][GOLDEN["inputs"].index(x)]
    return ""


def shown(cell: Any) -> str:
    """Returns a cell as text; numbers have four digits."""
    return f"{cell:.4g}" if isinstance(cell, int | float) else cell


if __name__ == "__main__":
    main()
