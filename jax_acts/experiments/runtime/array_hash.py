"""Hash of the arrays of a pytree: the data of a run, the state in a checkpoint."""

import hashlib
from typing import Any

import jax
import numpy as np


def hash_arrays(tree: Any) -> str:
    """Return the SHA-256 hash of the names, dtypes, shapes and values of a pytree.

    Args:
        tree: Arrays, scalars and strings in dicts, lists or named tuples.
    """
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        if array.dtype.hasobject:
            raise TypeError(f"hash_arrays: expected numbers or strings, got {leaf!r}")
        header = jax.tree_util.keystr(path), array.dtype.str, array.shape
        digest.update(repr(header).encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()
