"""The gallery shows every function."""

from pathlib import Path

import numpy as np
import pytest

from jax_acts import get
from jax_acts._registry.lookup import FUNCTIONS, names
from tools import gallery

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_is_the_one_that_the_command_writes():
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page()


def test_the_page_has_every_function_and_a_picture_of_each_family():
    text = gallery.PAGE.read_text(encoding="utf-8")
    for name in names():
        assert text.count(f"\n| `{name}` |") == 1, name
    for family in gallery.families():
        assert f"](gallery/{family}.png)" in text
        assert (DOCS / "gallery" / f"{family}.png").stat().st_size > 5000
    assert len(list((DOCS / "gallery").iterdir())) == len(gallery.families())


def test_what_is_shown_with_arguments_is_the_function_of_its_row():
    for name, spec in gallery.SHOWN.items():
        assert get(spec).function is FUNCTIONS[name]


def test_a_picture_is_drawn_with_a_row_for_each_function(tmp_path):
    gallery.draw(["relu"], tmp_path / "a.png")
    gallery.draw(["relu"], tmp_path / "b.png")
    first, second = ((tmp_path / f"{n}.png").read_bytes() for n in "ab")
    assert first.startswith(b"\x89PNG")
    assert first == second


@pytest.mark.parametrize(
    ("name", "count", "x", "want"),
    [
        ("swiglu", 3, 6.0, np.array([-1, 1, 4]) * 6 / (1 + np.exp(-6))),
        ("softmax", 3, 0.0, np.exp([0, 0, 1]) / np.exp([0, 0, 1]).sum()),
        ("logsumexp", 1, 0.0, [np.log(2 + np.e)]),
    ],
)
def test_gates_and_rows_are_drawn_by_their_values(name, count, x, want):
    assert not gallery.is_curve(name)
    drawn = [y for _, y in gallery.lines(name)]
    assert len(drawn) == count
    at = np.abs(gallery.X - x).argmin()
    np.testing.assert_allclose([y[at] for y in drawn], want, rtol=1e-5)
