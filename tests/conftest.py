"""Gives every test that takes `f` all activation functions, one after the other."""

import jax
import jax.numpy as jnp
import psutil
import pytest

from jax_acts._activation import ActivationFunction
from jax_acts.registry import FUNCTIONS

ACTIVATIONS = {
    f.__name__: f for f in FUNCTIONS.values() if isinstance(f, ActivationFunction)
}
FULL = 3 * 2**30  # bytes of one process


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that takes `f` once for every activation; `-k silu` picks one.

    In parallel all tests of one activation go to one process, which compiles it once.
    """
    if "f" in metafunc.fixturenames:
        group = pytest.mark.xdist_group
        values = [pytest.param(f, id=n, marks=group(n)) for n, f in ACTIVATIONS.items()]
        metafunc.parametrize("f", values)


@pytest.fixture(autouse=True)
def _few_programs_in_memory() -> None:
    """Forgets compiled programs before they fill the memory."""
    if psutil.Process().memory_info().rss > FULL:
        jax.clear_caches()


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(jax=jax, jnp=jnp)
