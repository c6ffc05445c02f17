from collections import namedtuple

import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.runtime.array_hash import hash_arrays

DATA = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.array([0, 1])}


@pytest.mark.parametrize(
    "other",
    [
        DATA | {"x": DATA["x"] + 1e-6},
        DATA | {"x": DATA["x"].reshape(3, 2)},
        DATA | {"x": DATA["x"].astype(np.float64)},
        DATA | {"y": np.array([1, 0])},
        {"x": DATA["x"], "z": DATA["y"]},
        DATA | {"names": ["cat", "dog"]},
    ],
)
def test_values_shapes_dtypes_and_names_change_the_hash(other):
    assert hash_arrays(other) != hash_arrays(DATA)


def test_equal_data_have_equal_hashes():
    transposed = np.asfortranarray(DATA["x"])
    assert hash_arrays(DATA | {"x": transposed}) == hash_arrays(DATA)
    on_device = {"x": jnp.asarray(DATA["x"]), "y": DATA["y"]}
    assert hash_arrays(on_device) == hash_arrays(DATA)
    Pair = namedtuple("Pair", "a b")
    assert hash_arrays(Pair(1, "cat")) == hash_arrays(Pair(np.int64(1), "cat"))
    assert hash_arrays(np.zeros((0, 3))) != hash_arrays(np.zeros((0, 4)))


def test_arrays_of_objects_are_refused():
    with pytest.raises(TypeError, match="expected numbers or strings"):
        hash_arrays(np.array([object()]))
