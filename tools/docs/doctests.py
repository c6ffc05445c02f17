"""Fence the doctests of docstrings, which are Markdown on the site."""

import re

_DOCTEST = re.compile(r"^( *)>>> .*\n?(?:^\1(?! *$).*\n?)*", re.M)


def fence_doctests(text: str) -> str:
    r"""Put every block of `>>>` lines and their output into a code block.

    >>> fence_doctests("Sum.\n\n>>> 1 + 1\n2\n").splitlines()
    ['Sum.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    fence = lambda m: f"{m[1]}```pycon\n{m[0].rstrip()}\n{m[1]}```\n"
    return _DOCTEST.sub(fence, text)
