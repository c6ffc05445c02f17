"""The gallery page shows every function of the catalogue."""

from pathlib import Path

import numpy as np
import pytest

from jax_acts import get
from jax_acts._registry.lookup import FUNCTIONS, names
from tools.docs import gallery

DOCS = Path(__file__).parents[2] / "docs"


def test_page_equals_the_output_of_its_command():
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page()


def test_page_lists_every_function_once_and_an_image_per_family():
    text = gallery.PAGE.read_text(encoding="utf-8")
    for name in names():
        assert text.count(f"\n| `{name}` |") == 1, name
    for family in gallery.families():
        assert f"](gallery/{family}.png)" in text
        assert (DOCS / "gallery" / f"{family}.png").stat().st_size > 5000
    assert len(list((DOCS / "gallery").iterdir())) == len(gallery.families())


def test_specs_with_arguments_resolve_to_their_function():
    for name, spec in gallery.SPECS.items():
        assert get(spec).function is FUNCTIONS[name]


def test_images_are_deterministic(tmp_path):
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
def test_gated_units_and_axis_functions_are_drawn_by_value(name, count, x, want):
    assert not gallery.is_curve(name)
    curves = [y for _, y in gallery.lines(name)]
    assert len(curves) == count
    at = np.abs(gallery.X - x).argmin()
    np.testing.assert_allclose([y[at] for y in curves], want, rtol=1e-5)
