"""Gives every test that takes `f` all activation functions, one after the other."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import psutil
import pytest

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry.lookup import FUNCTIONS

ACTIVATIONS = {
    f.__name__: f for f in FUNCTIONS.values() if isinstance(f, ActivationFunction)
}
FULL = psutil.virtual_memory().total // 5  # bytes of one process
MORE = 2**29


def quickly(program: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the program compiled for what it computes, and not for its speed."""
    options = {
        "xla_backend_optimization_level": 0,
        "xla_llvm_disable_expensive_passes": True,
    }
    return jax.jit(program, compiler_options=options)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that takes `f` once for every activation; `-k silu` picks one.

    In parallel all tests of one activation go to one process, which compiles it once.
    """
    if "f" in metafunc.fixturenames:
        group = pytest.mark.xdist_group
        values = [pytest.param(f, id=n, marks=group(n)) for n, f in ACTIVATIONS.items()]
        metafunc.parametrize("f", values)


_room = [FULL]


@pytest.fixture(autouse=True)
def _few_programs_in_memory() -> None:
    """Forgets compiled programs before they fill the memory.

    What they leave is used again, though the process keeps it: it has more room then.
    """
    process = psutil.Process()
    if process.memory_info().rss > _room[0]:
        jax.clear_caches()
        _room[0] = max(FULL, process.memory_info().rss + MORE)


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(jax=jax, jnp=jnp)


@pytest.fixture
def quickly_compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compiles without what makes programs fast, in processes that are started too.

    Most of the time of a small training is compilation, which so takes half as long.
    """
    option = "jax_disable_most_optimizations"
    monkeypatch.setenv(option.upper(), "true")
    before = jax.config.read(option)
    jax.config.update(option, True)
    yield
    jax.config.update(option, before)
