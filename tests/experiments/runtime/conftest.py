"""No process outlives the test that started it."""

from collections.abc import Iterator

import pytest

from tests.experiments.runtime import helpers


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    yield
    helpers.end_started()
