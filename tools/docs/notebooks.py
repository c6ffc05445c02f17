"""Execute the notebooks of docs/notebooks and render them as Markdown.

    python -m tools.docs.notebooks

Stores the outputs in the notebooks. Cells run without Jupyter, in one namespace per
notebook. The output of a cell is what it prints and its last expression: HTML if the
value has it, SVG for a figure, else text.
"""

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"


def main() -> None:
    """Execute every notebook and store its outputs."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        path.write_text(dump(execute(load(path))), encoding="utf-8")
        print(path.name)


def load(path: Path) -> dict[str, Any]:
    """Return a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))


def dump(notebook: dict[str, Any]) -> str:
    """Return a notebook as the text of its file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def execute(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook with the outputs of its code cells.

    >>> cell = {"cell_type": "code", "source": ["x = 2\\n", "print(x)\\n", "x + 1"]}
    >>> [cell] = execute({"cells": [cell]})["cells"]
    >>> [output.get("text") or output["data"] for output in cell["outputs"]]
    ['2\\n', {'text/plain': '3'}]
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            outputs = run_cell("".join(cell["source"]), namespace)
            cell = cell | {"execution_count": count, "outputs": outputs}
        cells.append(cell)
    return notebook | {"cells": cells}


def run_cell(source: str, namespace: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the code of a cell and return its outputs."""
    tree, printed, value = ast.parse(source), io.StringIO(), None
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(
                compile(ast.Expression(last.value), "<cell>", "eval"), namespace
            )
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        stream = {"output_type": "stream", "name": "stdout"}
        outputs.append(stream | {"text": printed.getvalue()})
    if value is not None:
        result = {"output_type": "display_data", "metadata": {}}
        outputs.append(result | {"data": mime_bundle(value)})
    return outputs


def mime_bundle(value: Any) -> dict[str, str]:
    """Return a value by media type."""
    if isinstance(value, Figure):
        svg = io.StringIO()
        value.savefig(svg, format="svg", metadata={"Date": None})
        text = svg.getvalue()
        return {"image/svg+xml": text[text.index("<svg") :]}
    if hasattr(value, "_repr_html_"):
        return {"text/html": value._repr_html_(), "text/plain": repr(value)}
    return {"text/plain": repr(value)}


def to_markdown(path: Path) -> str:
    """Return a notebook with its stored outputs as a page."""
    parts = []
    for cell in load(path)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {"text/plain": output.get("text", "")})
            rich = data.get("image/svg+xml") or data.get("text/html")
            text = data.get("text/plain", "").rstrip()
            block = f'<div class="output">{rich}</div>' if rich else f"```\n{text}\n```"
            parts.append("\n".join(line for line in block.splitlines() if line.strip()))
    parts.append(f"[Download the notebook]({path.name})")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
