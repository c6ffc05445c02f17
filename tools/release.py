"""Build the distributions in dist/ and check what a user gets: `make release-check`.

    python -m tools.release [--tag v0.2.0]

With a tag, its version must be that of the package, and of a dated section of the
changelog.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

from jax_acts import __version__

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
IN_WHEEL = {
    "jax_acts/__init__.py",
    "jax_acts/py.typed",
    "jax_acts/references.bib",
    "jax_acts/experiments/report/templates/report.html",
    "jax_acts/experiments/report/templates/report.js",
}
IN_SDIST = {
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
    "tests/conftest.py",
}
PROGRAM = """
import importlib.util, jax, jax_acts
assert importlib.util.find_spec("flax") is None, "flax is an extra"
assert importlib.util.find_spec("typer") is None, "typer is an extra"
assert float(jax.grad(jax_acts.silu)(0.0)) == 0.5
try:
    import jax_acts.linen
except ImportError as error:
    assert "jax-acts[flax]" in str(error), error
else:
    raise AssertionError("jax_acts.linen was imported without flax")
print(jax_acts.__version__)
"""


def main() -> None:
    """Run every check; the first that fails ends the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="the tag of the release, such as v0.2.0")
    tag = parser.parse_args().tag
    check_version(tag, (ROOT / "CHANGELOG.md").read_text("utf-8"))
    wheel, sdist = build()
    check_contents(wheel, sdist)
    check_readme(description(wheel))
    call(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    check_install(wheel)
    print(f"jax-acts {__version__}: all checks passed; {wheel.name}, {sdist.name}")


def check_version(tag: str | None, changelog: str) -> None:
    """Check that the changelog has the version; with a tag, that it is released.

    >>> check_version(None, "## [0.1.0] (not released)")
    >>> check_version("v9", "## [0.1.0] (not released)")
    Traceback (most recent call last):
    ...
    SystemExit: tag: expected v0.1.0, got v9
    """
    heading = re.search(rf"^## \[{re.escape(__version__)}\](.*)$", changelog, re.M)
    if tag is not None and tag != f"v{__version__}":
        sys.exit(f"tag: expected v{__version__}, got {tag}")
    if heading is None:
        sys.exit(f"CHANGELOG.md: expected a section [{__version__}]")
    if tag is not None and not re.fullmatch(r" \(\d{4}-\d\d-\d\d\)", heading[1]):
        sys.exit(f"CHANGELOG.md: expected a date after [{__version__}]")


def description(wheel: Path) -> str:
    """Return the README as the wheel has it."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("dist-info/METADATA"))
        return archive.read(name).decode()


def check_readme(text: str) -> None:
    """Check that links and images are absolute, so that an index shows them.

    >>> check_readme("![plot](https://example.org/plot.png) [top](#top)")
    >>> check_readme("![plot](docs/plot.png)")
    Traceback (most recent call last):
    ...
    SystemExit: description of the wheel: expected absolute links, got docs/plot.png
    """
    links = re.findall(r"\]\(([^)]+)\)", text)
    if not links:
        sys.exit("description of the wheel: expected the README")
    if relative := [link for link in links if not re.match("https?:|#", link)]:
        sys.exit(
            f"description of the wheel: expected absolute links, "
            f"got {', '.join(relative)}"
        )


def build() -> tuple[Path, Path]:
    """Build the wheel and the source distribution; return their paths."""
    shutil.rmtree(DIST, ignore_errors=True)
    call(sys.executable, "-m", "hatchling", "build", "-d", DIST)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, sdist


def check_contents(wheel: Path, sdist: Path) -> None:
    """Check that the distributions have the files of the package and no others."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    missing = IN_WHEEL - names
    foreign = {
        n for n in names if not re.match(r"jax_acts(/|-[\d.a-z]+\.dist-info/)", n)
    }
    if missing or foreign:
        sys.exit(f"{wheel.name}: missing {sorted(missing)}, foreign {sorted(foreign)}")
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    if missing := (IN_SDIST | IN_WHEEL) - files:
        sys.exit(f"{sdist.name}: missing {sorted(missing)}")


def check_install(wheel: Path) -> None:
    """Install the wheel without extras in an empty environment, and use it."""
    environment = ROOT / "build" / "release"
    venv.create(environment, clear=True, with_pip=True)
    python = environment / "bin" / "python"
    constraints = ("--constraint", ROOT / "constraints.txt")
    call(python, "-m", "pip", "install", "-qq", *constraints, wheel)
    call(python, "-c", PROGRAM, cwd=environment)
    command = subprocess.run(
        [environment / "bin" / "jax-acts"], capture_output=True, text=True
    )
    if "pip install 'jax-acts[cli]'" not in command.stderr:
        sys.exit(f"jax-acts: expected the name of the extra, got {command.stderr}")


def call(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command; a failure ends the program."""
    if subprocess.run(command, cwd=cwd).returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}")


if __name__ == "__main__":
    main()
