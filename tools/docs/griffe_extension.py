"""The extension of griffe that mkdocs.yml names."""

from typing import Any

import griffe

from tools.docs.doctests import fence_doctests


class FenceDoctests(griffe.Extension):
    """Apply `fence_doctests` to every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = fence_doctests(obj.docstring.value)
