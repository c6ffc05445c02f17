"""The repository uses the vocabulary of the field.

Each pattern is a word of version 0.1 that a JAX engineer would not write, with its
replacement.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLD = {
    r"\b(told|said)\b": "message, record or result",
    r"\bfound\b *(=|:|\.|\[|\))": "result, match or records",
    r"\bkept\b *(=|:|\.|\[|\))": "records or residuals",
    r"in two parts": "double-word",
    r"(?<!units in the )\blast place": "ulp",
    r"\bkeeping\b": "with_residuals",
    r"behind the best": "Δ vs best",
    r"not told apart": "not significantly different",
    r"\bpictures?\b": "image or plot",
    r"\b(oracle|facts)\b": "reference, spec",
    r"\bBROKEN\b": "FAILED",
    r"\b(anew|meanwhile)\b": "delete the adverb",
    r"\bso many\b": "the number of",
    r"def _\(": "a named rule",
    r"\bno such word\b": "unknown",
    r"\bperceptrons?\b": "MLP",
    r"\bslope_sweep\b(?!-)|\bvanishing\b(?! grad|-)|\byours\b": "the new study names",
}
EXEMPT = (
    "CHANGELOG.md",  # lists the renames
    "jax_acts/references.bib",
    "tests/docs/test_vocabulary.py",
    "LICENSE",
)
SUFFIXES = {".py", ".md", ".toml", ".html", ".js", ".cfg", ""}


def tracked() -> list[str]:
    """Return the paths of the text files of the checkout."""
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [
        name
        for name in listing.stdout.splitlines()
        if Path(name).suffix in SUFFIXES and not name.startswith(EXEMPT)
    ]


def test_no_old_vocabulary_is_left():
    matches = [
        f"{name}:{number}: {match[0]!r} -> {replacement}: {line.strip()[:80]}"
        for name in tracked()
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1)
        for pattern, replacement in OLD.items()
        if (match := re.search(pattern, line))
    ]
    assert not matches, "\n".join(matches)
