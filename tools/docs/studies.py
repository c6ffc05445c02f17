"""Writes `docs/studies`: reports of finished runs, as Markdown with pictures.

    python -m experiments run configs/collapse/mlp.toml --out runs/collapse
    python -m tools.studies runs/collapse

Each run must be of a config under `configs/`, whose command the report names. With
`--busy` it says that other programs ran on the machine.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.catalogue import STUDIES
from jax_acts.experiments.config.load import Source, read as read_config
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.report.charts import of, svg
from jax_acts.experiments.report.model import Chart
from jax_acts.experiments.report.render import markdown, ran
from jax_acts.experiments.report.theme import FONT, LIGHT
from jax_acts.experiments.runtime.records import CONFIG, read

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "studies"
SCHEMAS = {name: study.config for name, study in STUDIES.items()}


BUSY = "Other programs ran on the machine, so the times are longer than they need be."


def write(run: Path, target: Path = TARGET, *, busy: bool = False) -> Path:
    """Writes the report of a run and its pictures, and returns the path of the report.

    Args:
        run: The directory of the run.
        target: Where to write.
        busy: Whether other programs ran on the machine, which the report then says.

    Raises:
        SystemExit: The run is not finished, or of no config under `configs/`.
    """
    config = read_config(Source(run / CONFIG), SCHEMAS)
    study = STUDIES[config.study]
    records, _ = read(run, study.record)
    planned = len(study.members(config))
    if len(records) < planned:
        sys.exit(f"{run} is not finished: {len(records)} of {planned} members")
    source = command(config)
    page = study.page(config, records)
    stem = source.with_suffix("").relative_to(ROOT / "configs").as_posix()
    stem = stem.replace("/", "-")
    pictures = target / stem
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    (pictures / "legend.svg").write_text(legend(page.series), encoding="utf-8")
    shown = [f"![The colours of the series]({stem}/legend.svg)"]
    for n, chart in enumerate(page.charts):
        name = f"{n}.svg"
        (pictures / name).write_text(standalone(chart), encoding="utf-8")
        shown.append(f"**{chart.title}.** {chart.caption}\n")
        shown.append(f"![{chart.title}]({stem}/{name})")
    told = f"Made by `python -m experiments run {source.relative_to(ROOT)}`."
    report = target / f"{stem}.md"
    parts = "\n\n".join([told, *([BUSY] if busy else []), *shown])
    report.write_text(markdown(page, [ran(run, config.name)], parts), encoding="utf-8")
    return report


def command(config: StudyConfig) -> Path:
    """Returns the file under `configs/` that a config was read from."""
    for path in sorted((ROOT / "configs").rglob("*.toml")):
        if read_config(Source(path), SCHEMAS).digest() == config.digest():
            return path
    sys.exit(f"no file under configs/ is the config of {config.name}")


def standalone(chart: Chart) -> str:
    """Returns the chart as a file of its own, in the light colours of the page."""
    colors = LIGHT | {"font": FONT.replace('"', "'")}
    drawn = svg(chart.picture, places=False)
    drawn = re.sub(r"var\(--([\w-]+)\)", lambda name: colors[name[1]], drawn)
    head = '<svg xmlns="http://www.w3.org/2000/svg" style="background: #ffffff"'
    return drawn.replace("<svg", head, 1)


def legend(series: Sequence[str]) -> str:
    """Returns a picture of the names of the series, each with its colour."""
    height, columns = 22, 3
    rows = -(-len(series) // columns)
    lines = []
    for n, name in enumerate(series):
        x, y = 12 + n % columns * 250, 14 + n // columns * height
        color = LIGHT[of(n)]
        lines.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{color}"/>')
        escaped = name.replace("&", "&amp;").replace("<", "&lt;")
        lines.append(f'<text x="{x + 12}" y="{y + 5}">{escaped}</text>')
    size = f'width="{columns * 250}" height="{rows * height + 6}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="background: '
            f'#ffffff" font-family="sans-serif" font-size="13">',
            *lines,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    busy = "--busy" in sys.argv
    folders = [Path(name) for name in sys.argv[1:] if name != "--busy"]
    for folder in folders:
        print(write(folder, busy=busy))
