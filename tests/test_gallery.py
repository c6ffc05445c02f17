"""The gallery shows every elementwise function."""

from pathlib import Path

from jax_acts import ActivationFunction, get
from jax_acts.registry import FUNCTIONS, names
from tools import gallery

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_is_the_one_that_the_command_writes():
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page()


def test_the_page_has_every_elementwise_function_and_a_picture_of_each_family():
    text = gallery.PAGE.read_text(encoding="utf-8")
    for name in names():
        if isinstance(FUNCTIONS[name], ActivationFunction):
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
