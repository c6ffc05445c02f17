"""Write `docs/studies`: reports of finished runs, as Markdown with SVG charts.

    jax-acts run configs/collapse/mlp.toml --out runs/collapse
    python -m tools.docs.studies runs/collapse

Each run must have a config under `configs/`, whose command the report names. With
`--busy` the report states that other programs ran on the machine.
"""

import shutil
import sys
from pathlib import Path

from experiments.catalogue import STUDIES
from jax_acts.experiments.config.load import Source, load_config
from jax_acts.experiments.report.files import load_run
from jax_acts.experiments.report.render import markdown
from jax_acts.experiments.report.theme import file_svg
from jax_acts.experiments.runtime.run_directory import read_records

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "studies"
BUSY = "Other programs ran on the machine: the times are upper bounds."


def write(run: Path, target: Path = TARGET, *, busy: bool = False) -> Path:
    """Write the report of a run directory with its charts; return its path.

    Raises:
        SystemExit: The run is not finished, or its config is not under `configs/`.
    """
    loaded = load_run(run, STUDIES)
    total = len(STUDIES[loaded.config.study].runs(loaded.config))
    finished = len(read_records(run)[0])
    if finished < total:
        sys.exit(f"{run}: expected {total} runs, got {finished}")
    schemas = {name: study.config for name, study in STUDIES.items()}
    digest = loaded.config.digest()
    for source in sorted((ROOT / "configs").rglob("*.toml")):
        if load_config(Source(source), schemas).digest() == digest:
            break
    else:
        sys.exit(f"{run}: expected a config under configs/, got another")
    stem = "-".join(source.with_suffix("").relative_to(ROOT / "configs").parts)
    directory = target / stem
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    parts = [f"Made by `jax-acts run {source.relative_to(ROOT)}`."]
    parts += [BUSY] if busy else []
    for n, chart in enumerate(loaded.report.charts):
        (directory / f"{n}.svg").write_text(file_svg(chart.spec), encoding="utf-8")
        parts.append(f"**{chart.title}.** {chart.caption}")
        parts.append(f"![{chart.title}]({stem}/{n}.svg)")
    path = target / f"{stem}.md"
    text = markdown(loaded.report, [loaded.info], "\n\n".join(parts))
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        if argument != "--busy":
            print(write(Path(argument), busy="--busy" in sys.argv))
