"""The number of cores that this process may use: by affinity, cgroups of both versions and the user's settings."""

import os
from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import OptionError
from edge_st_runtime.machine import threads
from edge_st_runtime.machine.threads import available_cores, cgroup_quota, thread_count


def tree(folder: Path, membership: str, **files: str) -> float | None:
    """The quota of a cgroup tree; ``files`` map "group__file_name" to contents, with two underscores for a slash."""
    (folder / "membership").write_text(membership, encoding="utf-8")
    for name, content in files.items():
        path = folder / "cgroup" / name.replace("__", "/").replace("cpu_max", "cpu.max").replace("cfs", "cpu.cfs")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return cgroup_quota(folder / "cgroup", folder / "membership")


def v1(quota: str, period: str = "100000", group: str = "cpu") -> dict[str, str]:
    return {f"{group}__cfs_quota_us": quota, f"{group}__cfs_period_us": period}


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/\n", {"cpu_max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu_max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a__b__cpu_max": "max 100000", "a__cpu_max": "200000 100000", "cpu_max": "max 100000"}, 2.0),
        ("0::/a/b\n", {"a__b__cpu_max": "300000 100000", "a__cpu_max": "50000 100000"}, 0.5),
        ("0::/a\n", {"a__cpu_max": "max 100000", "other__cpu_max": "10000 100000"}, None),
        ("0::/gruppe-ü\n", {"cpu_max": "200000 100000"}, 2.0),
        ("0::/../../elsewhere\n", {"cpu_max": "200000 100000"}, 2.0),
        ("4:cpu,cpuacct:/\n", v1("250000"), 2.5),
        ("4:cpu,cpuacct:/\n", v1("-1"), None),
        ("4:cpuacct,cpu:/docker/abc\n", v1("200000"), 2.0),
        ("4:cpu:/slice/job\n3:memory:/\n", v1("-1") | v1("100000", group="cpu__slice__job"), 1.0),
        ("4:cpu:/\n0::/\n", v1("300000") | {"cpu_max": "max 100000"}, 3.0),
        ("", {}, None),
        ("garbage\n", {"cpu_max": "garbage"}, None),
        ("0::/\n", {"cpu_max": "100000 0"}, None),
        ("0::/\n", {"cpu_max": ""}, None),
    ],
)
def test_quota(membership: str, files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    assert tree(tmp_path, membership, **files) == quota


def test_no_cgroups(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path / "cgroup", tmp_path / "membership") is None


@pytest.mark.parametrize(("quota", "cores"), [(None, 4), (8.0, 4), (1.5, 2), (0.1, 1), (3.0, 3)])
def test_cores_are_the_smaller_of_affinity_and_quota(
    quota: float | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2, 4, 6}, raising=False)
    monkeypatch.setattr(threads, "cgroup_quota", lambda: quota)
    assert available_cores() == cores


def test_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    monkeypatch.setattr(threads, "cgroup_quota", lambda: None)
    assert available_cores() == 3


def test_argument_wins_over_variable_over_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    assert thread_count() == available_cores()
    monkeypatch.setenv(threads.VARIABLE, " 7 ")
    assert thread_count() == 7
    assert thread_count(3) == 3
    monkeypatch.setenv(threads.VARIABLE, "")
    assert thread_count() == available_cores()


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "1e1"])
def test_wrong_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.VARIABLE, value)
    with pytest.raises(OptionError, match=f"EDGE_ST_NUM_THREADS is '{value}'; expected a whole number of at least 1"):
        thread_count()


@pytest.mark.parametrize("value", [0, -3, 2.5, "2"])
def test_wrong_argument(value: Any) -> None:
    with pytest.raises(OptionError, match=f"num_threads is {value!r}"):
        thread_count(value)
