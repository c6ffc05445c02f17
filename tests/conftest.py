"""Gives every test that takes `f` all activation functions, one after the other."""

import jax
import jax.numpy as jnp
import pytest

from jax_acts._activation import ActivationFunction
from jax_acts.registry import FUNCTIONS

ACTIVATIONS = {
    f.__name__: f for f in FUNCTIONS.values() if isinstance(f, ActivationFunction)
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that takes `f` once for every activation; `-k silu` picks one.

    In parallel all tests of one activation go to one process, which compiles it once.
    """
    if "f" in metafunc.fixturenames:
        group = pytest.mark.xdist_group
        values = [pytest.param(f, id=n, marks=group(n)) for n, f in ACTIVATIONS.items()]
        metafunc.parametrize("f", values)


_latest: dict[str, object] = {}


@pytest.fixture(autouse=True)
def _few_programs_in_memory(request: pytest.FixtureRequest) -> None:
    """Forgets compiled programs with every function and file: they fill the memory."""
    callspec = getattr(request.node, "callspec", None)
    place = request.path, callspec.params.get("f") if callspec else None
    if _latest.setdefault("place", place) != place:
        _latest["place"] = place
        jax.clear_caches()


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(jax=jax, jnp=jnp)
