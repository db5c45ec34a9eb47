"""The dtypes that a CPU computes fast."""

import sys

import pytest

from edge_st_runtime.machine import cpu


@pytest.mark.parametrize(
    ("features", "used", "openvino"),
    [
        ("avx2 fma", "avx2", False),
        ("avx2 avx512f", "avx512f", True),
        ("asimd", "asimd", False),
        ("avx2 avx_vnni", "avx_vnni", True),
        ("avx2 avx512f avx512_vnni avx_vnni", "avx512_vnni avx_vnni", True),
        ("avx512f amx_int8", "amx_int8", True),
        ("asimd asimddp", "asimddp", True),
        ("asimd i8mm", "i8mm", True),
        ("", "", True),  # the system does not tell, or the CPU has none of them
    ],
)
def test_int8(features: str, used: str, openvino: bool) -> None:
    known = frozenset(features.split())
    assert cpu.int8_features(known) == set(used.split())
    assert cpu.gains_from_int8("openvino", known) is openvino
    assert cpu.gains_from_int8("onnx", known)


def test_int8_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for features, expected in ((frozenset({"avx2"}), False), (frozenset({"i8mm"}), True)):
        monkeypatch.setattr(cpu, "cpu_features", lambda found=features: found)
        assert cpu.gains_from_int8("openvino") is expected


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/cpuinfo")
def test_this_cpu_has_a_name() -> None:
    assert cpu.cpu_name()
    assert cpu.cpu_features() <= set(cpu.RELEVANT)
