"""Adding an activation takes exactly the changes of the diff in CONTRIBUTING.md."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
(DIFF,) = re.findall(r"^```diff\n(.*?)^```", TEXT, re.M | re.S)
HUNKS = [
    (path, "".join(f"{line[1:]}\n" for line in lines.splitlines()))
    for path, lines in re.findall(r"^--- (\S+)\n((?:\+.*\n)+)", DIFF, re.M)
]


def test_the_diff_is_an_export_a_function_and_a_reference():
    (family, export), (source, function), (references, _) = HUNKS
    assert family == source
    assert Path(family).parent == Path("jax_acts/functional")
    assert export == '    "isrlu",\n'
    assert "\ndef isrlu(" in function
    assert references == "jax_acts/references.bib"


@pytest.mark.parametrize("hunk", HUNKS, ids=lambda hunk: hunk[0])
def test_every_hunk_matches_its_file(hunk):
    path, lines = hunk
    text = (ROOT / path).read_text(encoding="utf-8")
    assert text.count(lines) == 1, f"{path}: copy the current lines to CONTRIBUTING.md"


def test_reverting_the_diff_removes_the_function(tmp_path):
    shutil.copytree(ROOT / "jax_acts", tmp_path / "jax_acts")
    for path, lines in HUNKS:
        if path.endswith(".py"):
            file = tmp_path / path
            file.write_text(file.read_text("utf-8").replace(lines, ""), "utf-8")
    sources = "".join(f.read_text("utf-8") for f in tmp_path.rglob("*.py"))
    assert "isrlu" not in sources
    lookup = "from jax_acts._registry.lookup import FUNCTIONS as f"
    check = f"{lookup}; print('isru' in f, 'isrlu' in f)"
    command = [sys.executable, "-c", check]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.stdout == "True False\n", process.stderr
