"""The limits of cgroups of both versions."""

from pathlib import Path

import pytest

from edge_st_runtime.machine.cgroup import cgroup_memory, cgroup_quota

DOTTED = {
    "cpu_max": "cpu.max",
    "cfs_quota_us": "cpu.cfs_quota_us",
    "cfs_period_us": "cpu.cfs_period_us",
    "memory_max": "memory.max",
    "memory_limit": "memory.limit_in_bytes",
}


def made(folder: Path, membership: str, **files: str) -> tuple[Path, Path]:
    """A cgroup tree; ``files`` map "group__file_name" to contents, with two underscores for a slash."""
    (folder / "membership").write_text(membership, encoding="utf-8")
    for name, content in files.items():
        path = folder / "cgroup" / name.replace("__", "/")
        path = path.with_name(DOTTED.get(path.name, path.name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "cgroup", folder / "membership"


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
    assert cgroup_quota(*made(tmp_path, membership, **files)) == quota


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        ("0::/\n", {"memory_max": "536870912\n"}, 2**29),
        ("0::/\n", {"memory_max": "max\n"}, None),
        ("0::/a/b\n", {"a__b__memory_max": "max", "a__memory_max": "1000000", "memory_max": "max"}, 1_000_000),
        ("9:memory:/docker/abc\n", {"memory__memory_limit": "536870912\n"}, 2**29),
        ("9:memory:/job\n", {"memory__memory_limit": str(2**63 - 4096), "memory__job__memory_limit": "2000"}, 2000),
        ("0::/\n", {"memory_max": "garbage"}, None),
    ],
)
def test_memory(membership: str, files: dict[str, str], limit: int | None, tmp_path: Path) -> None:
    assert cgroup_memory(*made(tmp_path, membership, **files)) == limit


def test_no_cgroups(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path / "cgroup", tmp_path / "membership") is None
    assert cgroup_memory(tmp_path / "cgroup", tmp_path / "membership") is None
