"""Parametrize tests over all activation functions, and bound compile time and memory.

Set JAX_COMPILATION_CACHE_DIR to keep compiled programs between runs.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import psutil
import pytest

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry.lookup import FUNCTIONS
from jax_acts.testing.evaluation import QUICK
from tests.browser import start

# Without optimizations XLA compiles in a third of the time. `jax_acts.testing` asks for
# the optimizations where it measures accuracy; `XLA_FLAGS= make test` for all programs.
os.environ.setdefault("XLA_FLAGS", " ".join(f"--{n}={v}" for n, v in QUICK.items()))

if jax.config.jax_compilation_cache_dir:
    # By default only programs that take a second to compile are stored.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

ACTIVATIONS = {
    f.__name__: f for f in FUNCTIONS.values() if isinstance(f, ActivationFunction)
}
MEMORY_LIMIT = psutil.virtual_memory().total // 5  # bytes of one process
MEMORY_STEP = 2**29


def check_each(check: Callable[[Any], None], cases: Iterable[Any]) -> None:
    """Run a check on every case; fail with all cases that fail.

    One test per case would cost more than most checks of text do.
    """
    errors = []
    for case in cases:
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:
            errors.append(f"{case}: {type(error).__name__}: {error}")
    assert not errors, "\n".join([f"{len(errors)} cases failed", *errors])


def pytest_configure() -> None:
    """Receive Ctrl-C: a shell that starts the tests in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Collect garbage rarely: traces allocate much, and a full collection is slow."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `f` once for every activation; `-k silu` selects one.

    With xdist, all tests of one activation run in one process, which compiles it once.
    """
    if "f" in metafunc.fixturenames:
        group = pytest.mark.xdist_group
        values = [pytest.param(f, id=n, marks=group(n)) for n, f in ACTIVATIONS.items()]
        metafunc.parametrize("f", values)


_limit = [MEMORY_LIMIT]


@pytest.fixture(autouse=True)
def _clear_caches_when_memory_is_full() -> None:
    """Drop compiled programs above a memory limit.

    The process keeps the memory and reuses it, so that the next limit is higher.
    """
    process = psutil.Process()
    if process.memory_info().rss > _limit[0]:
        jax.clear_caches()
        _limit[0] = max(MEMORY_LIMIT, process.memory_info().rss + MEMORY_STEP)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Yield a driver of headless Chromium."""
    yield from start()


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(jax=jax, jnp=jnp)
