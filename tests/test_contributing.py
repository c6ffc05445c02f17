"""To add an activation is what CONTRIBUTING.md says, and no more."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
(DIFF,) = re.findall(r"^```diff\n(.*?)^```", TEXT, re.M | re.S)
CHANGES = {
    path: "".join(f"{line[1:]}\n" for line in lines.splitlines())
    for path, lines in re.findall(r"^--- (\S+)\n((?:\+.*\n)+)", DIFF, re.M)
}


def test_it_is_one_file_of_sources_and_export_lines():
    family, *exports, source = CHANGES
    assert Path(family).parent == Path("jax_acts/functional")
    assert exports == ["jax_acts/functional/__init__.py", "jax_acts/__init__.py"]
    assert all(CHANGES[path].count("\n") == 1 for path in exports)
    assert source == "jax_acts/references.bib"


@pytest.mark.parametrize("path", CHANGES)
def test_the_diff_is_what_the_files_have(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert text.count(CHANGES[path]) == 1, f"{path} has other lines; copy them"


def test_nothing_is_left_without_it(tmp_path):
    shutil.copytree(ROOT / "jax_acts", tmp_path / "jax_acts")
    for path, lines in CHANGES.items():
        if path.endswith(".py"):
            file = tmp_path / path
            file.write_text(file.read_text("utf-8").replace(lines, ""), "utf-8")
    left = "".join(f.read_text("utf-8") for f in tmp_path.rglob("*.py"))
    assert "isrlu" not in left
    lookup = "from jax_acts._registry.lookup import FUNCTIONS as f"
    check = f"{lookup}; print('isru' in f, 'isrlu' in f)"
    command = [sys.executable, "-c", check]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "True False\n", done.stderr
