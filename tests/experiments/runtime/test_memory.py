from pathlib import Path
from types import SimpleNamespace

import pytest

from jax_acts.experiments.datasets import host_memory
from jax_acts.experiments.runtime import memory

CPU = SimpleNamespace(platform="cpu", memory_stats=lambda: None)


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host_memory, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(host_memory, "CGROUP_OF_PROCESS", tmp_path / "cgroup")
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_smallest_limit_of_nested_cgroups_counts(cgroups):
    put(cgroups / "cgroup", "0::/user.slice/job\n")
    put(cgroups / "fs/user.slice/memory.max", "4000000\n")
    put(cgroups / "fs/user.slice/job/memory.max", "max\n")
    assert memory.available_bytes(CPU, 2) == 2_000_000


def test_cgroup_v1_has_a_hierarchy_of_its_own(cgroups):
    put(cgroups / "cgroup", "5:cpu,cpuacct:/job\n4:memory:/job\n")
    put(cgroups / "fs/memory/job/memory.limit_in_bytes", "6000000\n")
    assert memory.available_bytes(CPU, 3) == 2_000_000


def test_a_container_that_sees_only_its_own_root_has_its_limit(cgroups):
    put(cgroups / "cgroup", "0::/docker/1234\n")
    put(cgroups / "fs/memory.max", "1000000\n")
    assert memory.available_bytes(CPU, 1) == 1_000_000


def test_without_cgroups_the_memory_of_the_machine_counts(cgroups):
    assert (memory.available_bytes(CPU, 1) or 0) > 2**28


@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_the_limits_of_the_process_count(cgroups, monkeypatch, kind):
    resource = pytest.importorskip("resource", reason="only POSIX limits a process")
    limits = {getattr(resource, kind): (3_000_000, -1)}
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda k: limits.get(k, unlimited))
    assert memory.available_bytes(CPU, 3) == 1_000_000
    with pytest.raises(ValueError, match=r"expected at most 1.5 MB.*got 1.6 MB \(x\)"):
        host_memory.check_memory(1_600_000, "x")
    host_memory.check_memory(1_500_000, "x")


def test_an_accelerator_has_the_limit_that_it_reports(cgroups):
    gpu = SimpleNamespace(platform="gpu", memory_stats=lambda: {"bytes_limit": 5})
    assert memory.available_bytes(gpu, 2) == 5
    unknown = SimpleNamespace(platform="tpu", memory_stats=lambda: None)
    assert memory.available_bytes(unknown, 2) is None
