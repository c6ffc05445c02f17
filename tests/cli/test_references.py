"""References are parsed from the `references.bib` that the package contains."""

import pytest

from jax_acts._registry.lookup import FUNCTIONS, names
from jax_acts.cli.references import format_reference, parse_bibtex, references


def test_every_cited_key_has_a_complete_reference():
    for name in names():
        for key in FUNCTIONS[name].spec.cite.split():
            entry, text = references()[key], format_reference(key)
            assert entry["title"].rstrip(".") in text
            assert f"({entry['year']})" in text
            assert not set(text) & set("{}\\")


def test_authors_and_identifiers_are_formatted():
    assert format_reference("ramachandran2017") == (
        "Ramachandran, P., Zoph, B., & Le, Q. V. (2017). Searching for Activation "
        "Functions. arXiv:1710.05941"
    )


def test_accents_and_ampersands_are_decoded():
    text = "@misc{a,\n  author = {Solja{\\v{c}}i{\\'c} and Gigu\\`ere \\& Co},\n}\n"
    assert parse_bibtex(text)["a"]["author"] == "Soljačić and Giguère & Co"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@misc{a,\n  title = {A},\n}\n" * 2, "expected unique keys, got 'a' twice"),
        ('@misc{a,\n  title = "A",\n}\n', "got '  title = \"A\",'"),
        ("not an entry\n", "got 'not an entry'"),
    ],
)
def test_other_bibtex_is_an_error(text, message):
    with pytest.raises(ValueError, match=message):
        parse_bibtex(text)
