"""Fence the doctests of docstrings, which are Markdown on the site."""

import re
from typing import Any

import griffe

_DOCTEST = re.compile(r"^( *)>>> .*\n?(?:^\1(?! *$).*\n?)*", re.M)


def fence_doctests(text: str) -> str:
    r"""Put every block of `>>>` lines and their output into a code block.

    >>> print(fence_doctests("Sum.\n\n>>> 1 + 1\n2\n\nEnd."))
    Sum.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    <BLANKLINE>
    End.
    """
    fence = lambda m: f"{m[1]}```pycon\n{m[0].rstrip()}\n{m[1]}```\n"
    return _DOCTEST.sub(fence, text)


class FenceDoctests(griffe.Extension):
    """Apply `fence_doctests` to every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = fence_doctests(obj.docstring.value)
