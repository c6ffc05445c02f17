"""Time and memory of many runs: linear time; the export holds one chunk at a time."""

import time
import tracemalloc

import numpy as np
import pytest

from jax_acts.experiments.report import export
from jax_acts.experiments.report.comparisons import group_runs
from jax_acts.experiments.report.files import write_report
from jax_acts.experiments.runtime import files
from jax_acts.experiments.runtime.fingerprint import Fingerprint, load_fingerprint
from jax_acts.experiments.runtime.run_directory import open_journal, read_records
from jax_acts.experiments.study import concat_grids
from tests.experiments.report.synthetic import STUDIES, Config, record, write_run

pytestmark = pytest.mark.slow

SIZES = (500, 2000)
NAMES = [f"f{n}" for n in range(10)]


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    return [write_runs(tmp_path_factory.mktemp("runs"), size) for size in SIZES]


def write_runs(directory, size):
    """Write records of a size at once: `Journal.append` flushes each to the disk."""
    write_run(directory, [])
    digest = load_fingerprint(directory).digest
    random = np.random.default_rng(0)
    with (directory / "records.jsonl").open("w") as file:
        for n in range(size):
            axes = {"activation": NAMES[n % 10], "seed": n // 10}
            one = record(random.uniform(0.8, 0.99), **axes)
            one = one.model_copy(update={"fingerprint": digest})
            print(files.seal(one.model_dump_json()), file=file)
    return directory


def resume(directory):
    config = Config()
    current = Fingerprint(
        config=config.digest(), data="0" * 64, model=None, settings=""
    )
    with open_journal(directory, config, current, {"jax": "1"}) as journal:
        return journal.records


PHASES = {
    "read": lambda directory: read_records(directory),
    "resume": resume,
    "csv": lambda directory: export.export_records(directory, STUDIES, export.Sink.CSV),
    "report": lambda directory: write_report(directory, STUDIES),
}


@pytest.mark.parametrize("phase", PHASES)
def test_time_is_linear_in_the_number_of_runs(directories, phase):
    repeats = 1 if phase == "report" else 2
    times = [[seconds(PHASES[phase], d) for d in directories] for _ in range(repeats)]
    small, large = np.min(times, axis=0)
    # Four times the runs; twice that for a busy machine. Quadratic time is 16 ×.
    assert large < 8 * small, (small, large)


def test_time_to_find_equal_runs_is_linear():
    halves = lambda n: [{"a": NAMES, "seed": range(i, n, 2)} for i in (0, 1)]
    times = [
        [seconds(lambda n: concat_grids(*halves(n)), n) for n in (500, 2000)]
        for _ in range(3)
    ]
    small, large = np.min(times, axis=0)
    assert large < 8 * small, (small, large)


def test_memory_of_an_export_is_that_of_a_chunk(directories, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 250)
    small, large = (peak(PHASES["csv"], d) for d in directories)
    names = 200 * (SIZES[1] - SIZES[0])  # bytes, in a set
    assert large < small + names, (small, large)


def test_memory_of_the_tables_of_a_report_is_linear(directories):
    small, large = (
        peak(lambda d: group_runs(read_records(d)[0]), d) for d in directories
    )
    per_run = (large - small) / (SIZES[1] - SIZES[0])
    # Measured: 7 KB per run; its record, with 19 values, has 4.4 KB of them.
    assert per_run < 10_000, per_run


def seconds(function, argument):
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def peak(function, argument):
    """Return the largest number of bytes allocated at a time."""
    tracemalloc.start()
    try:
        function(argument)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
