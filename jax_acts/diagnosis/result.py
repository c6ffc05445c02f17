"""The result of a diagnosis: a table, a figure, a DataFrame, findings."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jax_acts.diagnosis.findings import Finding, gradient_ratio
from jax_acts.diagnosis.output import OutputCheck
from jax_acts.diagnosis.program import Row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MAX_LINES = 40
COLUMNS = {
    "dead": "dead (%)",
    "saturated": "saturated (%)",
    "pre_mean": "pre mean",
    "pre_std": "pre std",
    "post_mean": "post mean",
    "post_std": "post std",
    "pre_grad_rms": "gradient RMS",
}


@dataclass(frozen=True)
class Diagnosis:
    """Statistics of the activation sites of a model on a batch, and findings.

    `print(result)` shows the table and the findings in a terminal.
    """

    rows: list[Row]
    """One per site and iteration of a scan, in the order of execution."""
    loss: float | None
    """The mean loss, None without a loss."""
    output: OutputCheck | None
    """The output activation, checked against loss and targets; None without a loss."""
    findings: list[Finding]
    """What is wrong, empty if nothing is."""

    @property
    def gradient_ratio(self) -> float | None:
        """The gradient norm of the first site over that of the last."""
        return gradient_ratio(self.rows)

    @property
    def table(self) -> "pd.DataFrame":
        """One row per site: path, function, source, units, rows and the statistics.

        Histograms are arrays of counts between the minimum and the maximum, those of
        gradients between -max and max. Requires pandas.
        """
        import pandas as pd

        keys = ("site", "function", "source", "units", "rows", "is_output")
        records = [
            dict(zip(keys, row[:-1], strict=True)) | row.values for row in self.rows
        ]
        return pd.DataFrame.from_records(records).set_index("site")

    def figure(self, path: str | Path | None = None) -> "Figure":
        """Return a figure of the statistics along the sites; write it to `path`.

        Requires Matplotlib.
        """
        from jax_acts.diagnosis.figure import draw

        return draw(self.rows, path)

    def __str__(self) -> str:
        from rich.console import Console

        stream = io.StringIO()
        # A fixed width: paths are not shortened, whatever the terminal.
        Console(file=stream, width=240).print(self._table())
        lines = [line.rstrip() for line in stream.getvalue().splitlines()]
        return "\n".join([*filter(None, lines), *self._lines()])

    __repr__ = __str__

    def _table(self) -> Any:
        from rich import box
        from rich.table import Table

        columns = {k: v for k, v in COLUMNS.items() if k in self.rows[0].values}
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in ("site", "source", "units", *columns.values()):
            table.add_column(title, no_wrap=True)
        for column in table.columns[2:]:
            column.justify = "right"
        rows = self.rows
        half = MAX_LINES // 2
        for row in rows if len(rows) <= MAX_LINES else [*rows[:half], *rows[-half:]]:
            values = [
                f"{100 * row.values[key]:.1f}"
                if title.endswith("(%)")
                else f"{row.values[key]:.3g}"
                for key, title in columns.items()
            ]
            table.add_row(row.site, row.source, str(row.units), *values)
        return table

    def _lines(self) -> list[str]:
        lines = []
        if len(self.rows) > MAX_LINES:
            lines.append(f"{len(self.rows)} rows, {MAX_LINES} shown; .table has all")
        if self.loss is not None:
            ratio = self.gradient_ratio
            text = (
                f"; gradient norm first/last {ratio:.3g}" if ratio is not None else ""
            )
            lines.append(f"loss {self.loss:.4g}{text}")
        if self.output is not None:
            lines.append(
                f"output: activation {self.output.activation}, the loss expects "
                f"{self.output.expects}"
            )
        lines.append(f"findings: {len(self.findings) or 'none'}")
        return [*lines, *(f"  {finding}" for finding in self.findings)]
