"""``edge-st doctor``: probes that survive a crash, and the advice on a report."""

import json
from dataclasses import replace

import pytest

from edge_st.cli import main
from edge_st.cli.advice import advise
from edge_st.cli.findings import Report, System
from edge_st.cli.probes import probe, probe_package, run_probe
from edge_st_runtime.errors import INSTALL_EXPORT
from edge_st_runtime.machine import cpu

FINE: dict[str, object] = {"version": "1", "devices": ["CPU"], "error": None}
MISSING: dict[str, object] = {"error": "not installed"}
LINUX = System("linux", "x86_64", "glibc 2.36", 8 << 30, no_cache=None, no_semaphores=None)
HEALTHY = Report(
    edge_st="1",
    python="3",
    platform="Linux",
    packages={"numpy": FINE, "tokenizers": FINE},
    engines={"onnxruntime": FINE, "openvino": FINE},
    onnxruntime_distributions=["onnxruntime"],
    cpu_features=[],
    fast_dtypes={},
    threads={"chosen": 2, "error": None},
    system=LINUX,
    bundled_model={"dimension": 8, "seconds": 0.1, "error": None},
    installed_models=[],
    edge_st_export="1",
)


def fixes(report: Report) -> list[tuple[str, str]]:
    return [(advice.level, advice.fix) for advice in advise(report)]


def test_a_probe_reports_what_the_child_printed_or_why_it_ended() -> None:
    assert run_probe("print('noise'); print('{\"version\": \"1\"}')").found == {"version": "1"}
    assert run_probe("raise ImportError('libfoo.so is missing')").error == "ImportError: libfoo.so is missing"
    assert run_probe("import time; time.sleep(60)", timeout=0.5).error == "no answer within 0.5 seconds"
    assert run_probe("raise SystemExit(3)").error == "ended with code 3"
    assert probe_package("no_such_package_anywhere").error == "not installed"


def test_a_crash_of_the_probed_package_is_survived_and_named() -> None:
    pytest.importorskip("resource", reason="signals end a process in other ways on Windows")
    crash = "import os, signal; os.kill(os.getpid(), signal.{0})"
    assert "illegal instruction" in str(run_probe(crash.format("SIGILL")).error)
    assert run_probe(crash.format("SIGSEGV")).error == "crashed: Segmentation fault"


def test_a_healthy_machine_needs_no_advice() -> None:
    assert advise(HEALTHY) == []


def test_what_is_missing_comes_with_its_command() -> None:
    one = replace(HEALTHY, engines={"onnxruntime": FINE, "openvino": MISSING}, edge_st_export=None)
    assert fixes(one) == [
        ("note", 'pip install "edge-st[openvino]"'),
        ("note", INSTALL_EXPORT),
    ]
    none = replace(HEALTHY, engines={"onnxruntime": MISSING, "openvino": MISSING})
    assert fixes(none) == [("warning", 'pip install "edge-st[onnx]"')]


def test_what_is_broken_comes_with_its_command() -> None:
    crashed: dict[str, object] = {"error": "crashed: illegal instruction (…)"}
    assert fixes(replace(HEALTHY, engines={"onnxruntime": crashed, "openvino": MISSING}))[0] == (
        "warning",
        'pip uninstall -y onnxruntime && pip install "edge-st[openvino]"',
    )
    board = replace(
        HEALTHY, engines={"onnxruntime": crashed, "openvino": FINE}, system=replace(LINUX, machine="aarch64")
    )
    assert fixes(board) == [("warning", 'pip install --upgrade "onnxruntime>=1.26"')]
    both = replace(HEALTHY, onnxruntime_distributions=["onnxruntime", "onnxruntime-gpu"])
    assert fixes(both) == [("warning", "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu")]
    numpy_broken = replace(HEALTHY, packages={"numpy": {"error": "x"}}, bundled_model={"error": "y"})
    assert fixes(numpy_broken) == [("error", "pip install --force-reinstall numpy")]


@pytest.mark.parametrize(
    ("system", "engine", "fix"),
    [
        (replace(LINUX, libc="musl"), "onnxruntime", "use an image with glibc, such as python:3.13-slim"),
        (replace(LINUX, machine="armv7l"), "onnxruntime", "install the 64-bit system"),
        (replace(LINUX, libc="glibc 2.26"), "onnxruntime", "use a newer system or image"),
        (replace(LINUX, machine="aarch64", libc="glibc 2.34"), "openvino", 'pip install "edge-st[openvino]"'),
        (replace(LINUX, machine="aarch64", libc="glibc 2.26"), "openvino", "use a newer system or image"),
        (replace(LINUX, machine="aarch64"), "openvino", 'pip install "edge-st[openvino]"'),
        (replace(LINUX, name="win32", machine="ARM64", libc=None), "openvino", 'pip install "edge-st[onnx]"'),
        (replace(LINUX, name="darwin", machine="arm64", libc=None), "openvino", 'pip install "edge-st[openvino]"'),
    ],
)
def test_an_engine_without_a_wheel_for_this_system(system: System, engine: str, fix: str) -> None:
    engines = (
        dict.fromkeys(HEALTHY.engines, MISSING) if engine == "onnxruntime" else HEALTHY.engines | {engine: MISSING}
    )
    (advice,) = advise(replace(HEALTHY, engines=engines, system=system))
    assert advice.fix == fix
    assert ("newest wheel" in advice.message) == (system.libc in {"glibc 2.26", "glibc 2.34"})


def test_what_the_system_lacks() -> None:
    lacking = replace(LINUX, memory=400 << 20, no_cache="/root/.cache is read-only", no_semaphores="no /dev/shm")
    found = advise(replace(HEALTHY, system=lacking, cpu_features=["avx2", "fma"]))
    assert [advice.level for advice in found] == ["note"] * 4
    for advice, words in zip(
        found, ("400 MiB", "/root/.cache is read-only", "no /dev/shm", "by avx2 alone"), strict=True
    ):
        assert words in advice.message
    assert advise(replace(HEALTHY, cpu_features=["avx2", "avx_vnni"])) == []


def test_a_program_without_an_interpreter_looks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.frozen", True, raising=False)
    monkeypatch.setattr("sys.executable", "/no/such/program")
    assert probe_package("onnxruntime").found["devices"]
    assert probe("bundled_model").found["dimension"] == 256
    assert "ModuleNotFoundError" in str(probe("no_such_package_anywhere").error)


def test_the_report_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["bundled_model"]["dimension"] > 0
    assert report["threads"]["chosen"] >= 1
    assert report["packages"]["numpy"]["version"]
    assert set(report["engines"]) == {"onnxruntime", "openvino"}


@pytest.mark.parametrize(
    ("features", "dtypes", "text"),
    [
        ("avx2 fma", {"int8": ["onnx"]}, "int8 (onnx)"),
        ("avx2 avx512f avx512_bf16", {"bfloat16": ["openvino"], "int8": ["onnx", "openvino"]}, "bfloat16 (openvino), "),
    ],
)
def test_what_is_faster_than_float32(
    features: str,
    dtypes: dict[str, list[str]],
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "cpu_features", lambda: frozenset(features.split()))
    main(["doctor", "--json"])
    assert json.loads(capsys.readouterr().out)["fast_dtypes"] == dtypes
    main(["doctor"])
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("faster than float32"))
    assert text in row


def test_the_text_names_everything_and_a_bad_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_ST_NUM_THREADS", "many")
    main(["doctor"])
    out = capsys.readouterr().out
    for word in (
        "edge-st",
        "Python",
        "numpy",
        "tokenizers",
        "onnxruntime",
        "openvino",
        "CPU features",
        "bundled model",
    ):
        assert word in out
    assert "EDGE_ST_NUM_THREADS is 'many'" in out
    assert "fix: unset EDGE_ST_NUM_THREADS" in out
