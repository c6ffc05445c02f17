import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import jax_acts
from jax_acts.experiments.models.mlp import MLP
from jax_acts.experiments.runtime.source_hash import hash_source

FILES = {
    "__init__.py": "from .exported import depth as depth, other as other\n",
    "exported.py": "def depth():\n    return 4\n\ndef other():\n    return 6\n",
    "models.py": '''
"""Models of a project."""
import math

import numpy as np

import project
from . import layers
from .rules import *
from project.constants import WIDTH, UNUSED


@decorate
def make_model(activation, num_classes):
    """Return the model."""
    np.zeros(0)
    return layers.Block(WIDTH), scale(num_classes), project.depth()


def other():
    return UNUSED
''',
    "layers.py": """
def rule(of):
    return lambda f: f

class Base:
    size = 1

class Block(Base):
    def __call__(self, x):
        return x + helper(self.size)

def helper(x):
    return x

@rule(helper)
def helper_dx(x):
    return 1

def unused():
    return 2
""",
    "rules.py": """
def decorate(f):
    return f

def scale(x):
    from project import late
    return late.value
""",
    "late.py": "value = 1\n",
    "constants.py": "WIDTH = 8\nUNUSED = 3\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    for name, text in FILES.items():
        (directory / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return directory


class make_model:  # stands for the function, whose module need not be imported
    pass


make_model.__module__ = "project.models"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models.py", "scale(num_classes)", "scale(2)"),
        ("models.py", "@decorate\n", ""),
        ("constants.py", "8", "9"),
        ("layers.py", "size = 1", "size = 2"),
        ("layers.py", "    return x\n", "    return 2 * x\n"),
        ("layers.py", "return 1", "return 3"),
        ("layers.py", "class Base:", "import os\nos.getcwd()\nclass Base:"),
        ("rules.py", "return f", "return g"),
        ("late.py", "1", "2"),
        ("exported.py", "return 4", "return 5"),
        ("models.py", "import numpy as np", "import math as np"),
    ],
)
def test_a_change_of_what_a_function_uses_changes_the_hash(project, file, old, new):
    before = hash_source(make_model)
    edit(project / file, old, new)
    assert hash_source(make_model) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models.py", '"""Return the model."""', '"""Return another."""'),
        ("models.py", "import math", "import math  # a comment\nimport cmath"),
        ("models.py", "layers.Block(WIDTH), scale", "layers.Block( WIDTH ), scale"),
        ("models.py", "return UNUSED", "return 0"),
        ("constants.py", "UNUSED = 3", "UNUSED = 4"),
        ("layers.py", "return 2", "return 5"),
        ("exported.py", "return 6", "return 7"),
    ],
)
def test_comments_docstrings_and_other_definitions_do_not(project, file, old, new):
    before = hash_source(make_model)
    edit(project / file, old, new)
    assert hash_source(make_model) == before


def test_a_class_an_object_and_a_module_have_a_hash(project):
    assert hash_source(MLP) != hash_source(make_model)
    assert hash_source(MLP("relu", 1, 2, 3)) == hash_source(MLP)
    module = importlib.import_module("project.layers")
    before = hash_source(module)
    edit(project / "layers.py", "return 2", "return 5")
    assert hash_source(module) != before, "all of a module counts"


EDIT_PACKAGE = """
from pathlib import Path
import jax_acts
from jax_acts.experiments.runtime.source_hash import hash_source

functional = Path(jax_acts.__file__).parent / "functional"
print(hash_source(jax_acts.silu))
for name, old, new in [
    ("logistic.py", "1 / (1 + m.exp(-x))", "1 - 1 / (1 + m.exp(x))"),
    ("rectified.py", "INF = ", "x = 1; INF = "),
    ("logistic.py", "def silu_dx(", "def silu_dx(  # derivative\\n    "),
    ("logistic.py", "coeffs.SILU_1, -lo)", "coeffs.SILU_1, lo)"),
]:
    text = (functional / name).read_text()
    assert old in text, old
    (functional / name).write_text(text.replace(old, new))
    print(hash_source(jax_acts.silu))
"""


def test_an_activation_depends_on_its_own_rules_only(tmp_path):
    """Edits a copy of the package, in a process that imports the copy."""
    root = Path(jax_acts.__file__).parent
    shutil.copytree(root, tmp_path / "jax_acts", ignore=shutil.ignore_patterns("__py*"))
    command = [sys.executable, "-c", EDIT_PACKAGE]
    process = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    *before, after = process.stdout.split()
    assert len(before) == 4
    assert {*before} == {before[0]} != {after}


def test_a_function_without_a_file_is_hashed_with_what_it_uses():
    def define(scale: int, body: str = "x") -> object:
        names = {"__name__": "notebook"}
        source = f"SCALE = {scale}\ndef helper(x): return {body}\n"
        exec(f"{source}def model(x): return SCALE * helper(x)", names)
        return names["model"]

    assert hash_source(define(2)) == hash_source(define(2))
    assert hash_source(define(2)) != hash_source(define(3))
    assert hash_source(define(2)) != hash_source(define(2, "-x"))
