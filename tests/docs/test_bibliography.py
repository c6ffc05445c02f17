"""Entries of references.bib are complete, sorted and cited."""

import re
import unicodedata
from pathlib import Path

from tests.conftest import check_each

ROOT = Path(__file__).parents[2]
ENTRY = re.compile(r"^@\w+\{(?P<key>[^,]+),\n(?P<body>.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.M)

TEXT = (ROOT / "jax_acts" / "references.bib").read_text(encoding="utf-8")
KEYS = [entry["key"] for entry in ENTRY.finditer(TEXT)]
ENTRIES = {e["key"]: dict(FIELD.findall(e["body"])) for e in ENTRY.finditer(TEXT)}
SOURCES = "".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "jax_acts").rglob("*.py")
)


def test_the_file_contains_entries_and_comments_only():
    assert len(KEYS) == TEXT.count("@") > 0
    other = [line for line in ENTRY.sub("", TEXT).splitlines() if line.strip()]
    assert [line for line in other if not line.startswith("%")] == []


def test_keys_are_unique_and_sorted():
    assert sorted(set(KEYS)) == KEYS


def test_an_entry_has_author_title_year_and_identifier():
    check_each(is_complete, ENTRIES)


def is_complete(key):
    entry = ENTRIES[key]
    assert entry.keys() >= {"author", "title", "year"}
    assert entry.keys() & {"eprint", "doi", "url"}
    assert all(entry.values()), "a field is empty"


def test_an_identifier_is_well_formed():
    check_each(has_a_well_formed_identifier, ENTRIES)


def has_a_well_formed_identifier(key):
    patterns = {
        "eprint": r"\d{4}\.\d{4,5}",
        "doi": r"10\.\d{4,}/\S+",
        "url": r"https?://\S+",
    }
    for name in patterns.keys() & ENTRIES[key].keys():
        assert re.fullmatch(patterns[name], ENTRIES[key][name])
    assert ("eprint" in ENTRIES[key]) == ("archiveprefix" in ENTRIES[key])


def test_a_key_is_first_author_and_year():
    check_each(is_author_and_year, ENTRIES)


def is_author_and_year(key):
    first = ENTRIES[key]["author"].split(" and ")[0].split(",")[0]
    ascii_name = unicodedata.normalize("NFKD", first).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z]", "", ascii_name.lower())
    assert name.startswith(key[:-4])
    assert key[-4:] == ENTRIES[key]["year"]


def test_every_entry_is_cited():
    uncited = {key for key in KEYS if not re.search(rf"\b{key}\b", SOURCES)}
    assert not uncited


def test_every_citation_has_an_entry():
    cited = re.findall(r'cite="([^"]*)"', SOURCES)
    assert {key for keys in cited for key in keys.split()} <= set(KEYS)
