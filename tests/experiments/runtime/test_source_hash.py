import importlib
import shutil
import subprocess
import sys
from functools import partial
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
    "unused.py": "value = 1\n",
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
        ("layers.py", "return 2", "return 5"),
    ],
)
def test_a_change_of_a_module_that_a_function_uses_changes_the_hash(
    project, file, old, new
):
    before = hash_source(make_model)
    edit(project / file, old, new)
    assert hash_source(make_model) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models.py", '"""Return the model."""', '"""Return another."""'),
        ("models.py", "import math", "import math  # a comment"),
        ("models.py", "layers.Block(WIDTH), scale", "layers.Block( WIDTH ), scale"),
        ("unused.py", "value = 1", "value = 2"),
    ],
)
def test_comments_docstrings_and_other_modules_do_not(project, file, old, new):
    before = hash_source(make_model)
    edit(project / file, old, new)
    assert hash_source(make_model) == before


def test_lazy_imports_are_not_executed(project):
    edit(project / "late.py", "value = 1", "raise SystemExit")
    hash_source(make_model)
    assert not any(name.startswith("project") for name in sys.modules)


def test_a_class_and_an_object_have_a_hash(project):
    assert hash_source(MLP) != hash_source(make_model)
    assert hash_source(MLP("relu", 1, 2, 3)) == hash_source(MLP)
    assert hash_source(partial(MLP, "relu")) == hash_source(MLP)


EDIT_PACKAGE = """
from pathlib import Path
import jax_acts
from jax_acts.experiments.models import MLP
from jax_acts.experiments.runtime.source_hash import hash_source

package = Path(jax_acts.__file__).parent
roots = jax_acts.silu, MLP
print(hash_source(*roots))
for name, old, new in [
    ("functional/rectified.py", "INF = ", "x = 1; INF = "),
    ("functional/logistic.py", "def silu_dx(", "def silu_dx(  # derivative\\n    "),
    ("functional/logistic.py", "coeffs.GELU_QUICK, x)", "coeffs.GELU_QUICK, -x)"),
    ("experiments/models/mlp.py", "import jax", "import math; import jax"),
]:
    text = (package / name).read_text()
    assert old in text, old
    (package / name).write_text(text.replace(old, new))
    print(hash_source(*roots))
jax_acts.__version__ = "1000"
print(hash_source(*roots))
"""


def test_of_this_package_activations_models_and_the_version_count(tmp_path):
    """Edits a copy of the package, in a process that imports the copy."""
    root = Path(jax_acts.__file__).parent
    shutil.copytree(root, tmp_path / "jax_acts", ignore=shutil.ignore_patterns("__py*"))
    command = [sys.executable, "-c", EDIT_PACKAGE]
    process = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    start, other, comment, *changed = process.stdout.split()
    assert start == other == comment
    assert len({start, *changed}) == 4


def test_a_function_without_a_file_is_hashed_with_what_it_uses():
    def define(scale: int, body: str = "x") -> object:
        names = {"__name__": "notebook"}
        source = f"SCALE = {scale}\ndef helper(x): return {body}\n"
        exec(f"{source}def model(x): return SCALE * helper(x)", names)
        return names["model"]

    assert hash_source(define(2)) == hash_source(define(2))
    assert hash_source(define(2)) != hash_source(define(3))
    assert hash_source(define(2)) != hash_source(define(2, "-x"))
