"""The dtypes that a CPU computes fast."""

import sys

import pytest

from edge_st_runtime.machine import cpu


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("avx2 fma", False),
        ("avx2 avx512f", False),
        ("asimd", False),
        ("avx2 avx_vnni", True),
        ("avx512f avx512_vnni", True),
        ("amx_int8", True),
        ("asimd asimddp", True),
        ("asimd i8mm", True),
        ("", True),  # the system does not tell
    ],
)
def test_int8(features: str, expected: bool) -> None:
    assert cpu.has_int8(frozenset(features.split())) is expected


def test_int8_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for features, expected in ((frozenset({"avx2"}), False), (frozenset({"i8mm"}), True)):
        monkeypatch.setattr(cpu, "cpu_features", lambda found=features: found)
        assert cpu.has_int8() is expected


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/cpuinfo")
def test_this_cpu_has_a_name() -> None:
    assert cpu.cpu_name()
    assert cpu.cpu_features() <= set(cpu.RELEVANT)
