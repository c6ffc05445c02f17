"""Run property tests on several versions of Python, JAX and Flax: `make matrix`.

    python -m tools.matrix [--python 3.12] [--jax newest] [--tests "-k silu"]

Writes the rows of docs/versions.md for the combinations that were tried, and keeps the
others. Environments are kept in .venv/matrix; a missing interpreter is skipped.
"""

import argparse
import datetime
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.pages import markdown_table

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / ".venv" / "matrix"
PAGE = ROOT / "docs" / "versions.md"
PYTHONS = ("3.11", "3.12", "3.13")
FLAX = {"0.7.2": "flax==0.12.0", "0.10.2": "flax", "newest": "flax"}
"""The Flax that is installed with each JAX."""
TESTS = (
    "tests/functional/test_properties.py tests/core tests/flax -n auto "
    "-k 'silu or tanh or sine'"
)
"""Three functions and those named after them: all would take an hour and a half."""
HEAD = """# Versions

Written by `make matrix`: property tests of some functions, and tests of the core and of
the layers, on each version of Python and JAX, with the Flax that is installed with it.
The tests of a row are `pytest -m "not slow"` with its arguments.

"""
_VERSIONS = """
import platform, flax, jax
print(platform.python_version(), jax.__version__, flax.__version__)
"""


class Row(NamedTuple):
    """The result of one combination."""

    python: str
    jax: str
    flax: str
    date: str
    tests: str
    result: str


def main() -> None:
    """Run the combinations and write or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", choices=PYTHONS, action="append")
    parser.add_argument("--jax", choices=FLAX, action="append")
    parser.add_argument("--tests", default=TESTS, help="arguments of pytest")
    options = parser.parse_args()
    combinations = [
        (python, jax)
        for python in options.python or PYTHONS
        for jax in options.jax or FLAX
    ]
    rows = []
    for number, (python, jax) in enumerate(combinations, start=1):
        title = f"Python {python}, JAX {jax} ({number} of {len(combinations)})"
        print(f"{title}: installing and testing", flush=True)
        rows.append(run(python, jax, options.tests))
        print(f"{title}: {rows[-1].result}", flush=True)
    before = PAGE.read_text("utf-8") if PAGE.exists() else ""
    PAGE.write_text(page(merge(stored(before), rows)), encoding="utf-8")
    if any(row.result.startswith("failed") for row in rows):
        sys.exit(1)


def page(rows: list[Row]) -> str:
    """Return the page, with one row per combination."""
    return HEAD + "\n".join(markdown_table(Row._fields, rows)) + "\n"


def stored(text: str) -> list[Row]:
    """Return the rows of a page.

    >>> row = Row("3.11.7", "0.10.2", "0.12.8", "2026-11-30", "`tests`", "9 passed")
    >>> stored(page([row])) == [row]
    True
    """
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [Row(*map(str.strip, line.split("|")[1:-1])) for line in lines]


def merge(before: list[Row], rows: list[Row]) -> list[Row]:
    """Return the rows of before and those that replace or follow them, sorted.

    >>> old = Row("3.11.7", "0.10.2", "0.12.8", "2026-11-29", "`tests`", "failed")
    >>> new = old._replace(date="2026-11-30", result="9 passed")
    >>> merge([old], [new]) == [new]
    True
    """
    return sorted({row[:3]: row for row in (*before, *rows)}.values())


def run(python: str, jax: str, tests: str) -> Row:
    """Install a combination and run the tests."""
    interpreter, today = find_python(python), datetime.date.today().isoformat()
    if interpreter is None:
        skipped = f"skipped: no python{python} on this machine"
        return Row(python, jax, "", today, "", skipped)
    environment = ENVIRONMENTS / f"{python}-{jax}" / "bin" / "python"
    if error := install(interpreter, environment, jax):
        return Row(python, jax, "", today, "", f"failed: {error}")
    versions = call(environment, "-c", _VERSIONS)
    arguments = ["-m", "pytest", "-q", "-m", "not slow", *shlex.split(tests)]
    tested = call(environment, *arguments)
    last = (tested.stdout.strip().splitlines() or [tested.stderr])[-1]
    result = last if tested.returncode == 0 else f"failed: {last}"
    full_python, full_jax, flax = versions.stdout.split()
    return Row(full_python, full_jax, flax, today, f"`{tests}`", result)


def find_python(version: str) -> str | None:
    """Return the interpreter of a version: on the path, or of pyenv."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    on_path = shutil.which(f"python{version}")
    candidates = [*([on_path] if on_path else []), *map(str, installed)]
    runs = lambda p: subprocess.run([p, "-c", ""], capture_output=True).returncode == 0
    return next(filter(runs, candidates), None)


def install(interpreter: str, environment: Path, jax: str) -> str:
    """Create an environment with a version of JAX; return an error, or ""."""
    if not environment.exists():
        call(interpreter, "-m", "venv", environment.parents[1])
    call(environment, "-m", "pip", "install", "-qq", "--upgrade", "pip")
    requirements = ["jax" if jax == "newest" else f"jax=={jax}", FLAX[jax]]
    upgrade = ["--upgrade", "--upgrade-strategy", "eager"] if jax == "newest" else []
    done = call(
        *(environment, "-m", "pip", "install", "-qq", *upgrade, *requirements),
        *("--editable", ".[cli,flax,testing]", "--group", "tests"),
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def call(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout and capture its output."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


if __name__ == "__main__":
    main()
