r"""Text from outside, made safe where it is shown.

Names of files, folders and classes, CSV columns, specs and messages of other libraries
may hold any character. Each output escapes them in one place:

    terminal, log    `one_line`, `escape_controls`: ESC becomes \x1b
    CSV              `csv_cell`: spreadsheets evaluate a cell that starts with "="
    Markdown         `markdown_text`: no HTML, links, emphasis or table cells
    HTML             autoescape of Jinja
    streams          `make_encodable`: "×" becomes "x" where ASCII is all there is
"""

import codecs
import re
import unicodedata
from typing import Any

_CONTROLS = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200b-\\u200f\\u2028-\\u202e"
    "\\u2060-\\u206f\\ufeff\\ud800-\\udfff]"
)


def escape_controls(text: str) -> str:
    r"""Return text with control and invisible characters as escapes; "\n", "\t" stay.

    >>> escape_controls("\x1b[2J cat\u202e")
    '\\x1b[2J cat\\u202e'
    """
    return _CONTROLS.sub(lambda match: _escape(match[0]), text)


def one_line(text: object) -> str:
    r"""Return text as one line without control characters.

    >>> one_line("a\nb\x1b[0m")
    'a\\nb\\x1b[0m'
    """
    return escape_controls(str(text).replace("\n", "\\n").replace("\t", "\\t"))


def _escape(character: str) -> str:
    return (
        character.encode("ascii", "backslashreplace").decode()
        if (ord(character) > 127)
        else f"\\x{ord(character):02x}"
    )


def csv_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet evaluates: strings such as "=1+1" get a "'".

    >>> csv_cell("=cmd()"), csv_cell("relu"), csv_cell(-0.5)
    ("'=cmd()", 'relu', -0.5)
    """
    if not isinstance(value, str):
        return value
    text = escape_controls(value)
    return f"'{text}" if value.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t") else text


_MARKDOWN = re.compile(
    r"""[\\`|] | ~(?=~)         # escapes, code, table cells, strikethrough
    | <(?=[A-Za-z/!?])         # HTML
    | &(?=\#?\w+;)             # entities
    | \](?=[(:\[])             # links
    | !(?=\[)                  # images
    | (?<!\S)[#>](?=\s|$)|^[>#=]  # headings, quotes
    | \*(?=\S)|(?<=\S)\*       # emphasis
    | (?<!\w)_(?=\S)|(?<=\S)_(?!\w)
    | ^(?:[-+](?=\s)|\d+(?=[.)]\s))""",  # lists
    re.X,
)


def markdown_text(text: object) -> str:
    """Return text as one line of Markdown that shows it as it is.

    >>> markdown_text("leaky_relu(negative_slope=0.2): p < 0.001, [1, 2]")
    'leaky_relu(negative_slope=0.2): p < 0.001, [1, 2]'
    >>> markdown_text("<b>|[x](y)")
    '\\\\<b>\\\\|[x\\\\](y)'
    """
    line = one_line(text)
    return _MARKDOWN.sub(_escape_markdown, line)


def _escape_markdown(match: re.Match[str]) -> str:
    text = match[0]
    return f"{text}\\" if text.isdigit() else f"\\{text}"


_ASCII = str.maketrans(
    {"×": "x", "−": "-", "–": "-", "…": "...", "Δ": "delta", "β": "beta", "σ": "sigma"}
    | {"→": "->", "≥": ">=", "≤": "<=", "·": "*", "“": '"', "”": '"', "²": "2"}
)


def _transliterate(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_ASCII)
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return plain.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error("jax_acts.transliterate", _transliterate)


def make_encodable(stream: Any) -> None:
    """Let a text stream replace characters that its encoding lacks.

    The encoding of a terminal may be ASCII (`LC_ALL=C`) or cp1252 (Windows), and file
    names may hold bytes that no encoding has.
    """
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="jax_acts.transliterate")
