"""The sources of `references.bib`, which is part of the package.

@article{key, author = {…}, title = {…}, year = {…}, …}  -->  one line of text
"""

import functools
import importlib.resources
import re
import unicodedata
from collections.abc import Mapping

_ENTRY = re.compile(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}\n?", re.M | re.S)
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},\n", re.M)
_ACCENT = re.compile(r"""\\(['`"^~]|v(?=\{))\{?(\w)\}?""")
_COMBINING = dict(zip("'`\"^~v", "\u0301\u0300\u0308\u0302\u0303\u030c", strict=True))
_PUBLISHED_IN = ("journal", "booktitle", "institution", "school", "howpublished")


def parse_bibtex(text: str) -> dict[str, dict[str, str]]:
    r"""Return the fields of each entry by its key.

    The accepted subset: one field per line, `  name = {value},`; in a value only
    braces, accents of letters and `\&`; lines outside entries start with `%`.

    >>> parse_bibtex("@misc{key2020,\n  title = {On {GELU}},\n}\n")
    {'key2020': {'title': 'On GELU'}}

    Raises:
        ValueError: The text has another form, or a key appears twice.
    """
    rest = [line for line in _ENTRY.sub("", text).splitlines() if line.strip()]
    invalid = [line for line in rest if not line.startswith("%")]
    entries = {}
    for _, key, body in _ENTRY.findall(text):
        invalid += _FIELD.sub("", body).splitlines()
        if key in entries:
            raise ValueError(f"BibTeX: expected unique keys, got {key!r} twice")
        fields = _FIELD.findall(body)
        entries[key] = {name: _to_unicode(value) for name, value in fields}
    if invalid:
        raise ValueError(f"BibTeX: expected '  name = {{value}},', got {invalid[0]!r}")
    return entries


def _to_unicode(value: str) -> str:
    r"""Decode accents and `\&`; drop the braces that protect capitals.

    >>> _to_unicode(r"{GELU} \& Solja{\v{c}}i{\'c}")
    'GELU & Soljačić'
    """
    combine = lambda m: unicodedata.normalize("NFC", m[2] + _COMBINING[m[1]])
    return re.sub(r"[{}]", "", _ACCENT.sub(combine, value)).replace(r"\&", "&")


@functools.cache
def references() -> Mapping[str, Mapping[str, str]]:
    """Return the entries of `references.bib`."""
    path = importlib.resources.files("jax_acts") / "references.bib"
    return parse_bibtex(path.read_text(encoding="utf-8"))


def format_reference(key: str) -> str:
    """Return the citation of a source as one line.

    >>> format_reference("elfwing2017")[:54]
    'Elfwing, S., Uchibe, E., & Doya, K. (2017). Sigmoid-We'
    """
    entry = references()[key]
    title = entry["title"].rstrip(".")
    published = next((entry[n] for n in _PUBLISHED_IN if n in entry), "")
    forms = {"eprint": "arXiv:{}", "doi": "https://doi.org/{}", "url": "{}"}
    identifiers = [f.format(entry[name]) for name, f in forms.items() if name in entry]
    parts = (f"{_format_authors(entry['author'])} ({entry['year']})", title, published)
    return " ".join([*(f"{part}." for part in parts if part), *identifiers])


def _format_authors(authors: str) -> str:
    """Return `Last, First and …` as `Last, F., & …`."""
    names = []
    for author in authors.split(" and "):
        last, _, first = author.partition(", ")
        initials = [f"{name[0]}." for name in re.split(r"[\s-]+", first) if name]
        names.append(", ".join([last, *([" ".join(initials)] if initials else [])]))
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])}, & {names[-1]}"
