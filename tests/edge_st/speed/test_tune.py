"""``edge-st tune`` saves the fastest setting, and models are loaded with it from then on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main
from edge_st.speed import measuring
from edge_st_runtime.engines import devices, ort_sessions
from edge_st_runtime.model import choosing, tuning
from edge_st_runtime.model.record import read_record
from tests.support.tiny_models import graph_entry
from tests.support.variants import FLOAT32, INT8, changed, save_variants, write_variants

GRAPHS = [
    graph_entry(FLOAT32, "onnx"),
    graph_entry(FLOAT32, "openvino"),
    graph_entry(INT8, "onnx", "int8", 0.97),
    graph_entry(INT8, "openvino", "int8", 0.97),
]


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a CPU that gains from int8, measurements that take no time; returns the folder of tunings."""
    monkeypatch.setattr(choosing, "cpu_features", lambda: frozenset({"avx_vnni"}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGE_ST_NUM_THREADS", raising=False)
    monkeypatch.setattr(measuring, "_SECONDS", 0.001)
    return tmp_path / "cache" / "edge-st" / "tuning"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with two engines in float32 and in int8."""
    return save_variants(tmp_path / "model", graphs=GRAPHS)


def tune(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["tune", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def keep(folder: Path, engine: str, dtype: str = "float32", asked: str = "auto", file: str = FLOAT32) -> None:
    """Save a tuning with one thread, as if it had been the fastest."""
    record = read_record(folder)
    assert record is not None
    tuning.keep_tuning(record, asked, tuning.Tuning(engine, file, dtype, 1, 384, "2026-01-31"))


def chosen(folder: Path, *keys: str, **options: Any) -> Sequence[Any]:
    info = SentenceTransformer(folder, **options).info()
    return [info[key] for key in keys]


def test_what_is_found_is_used(folder: Path, quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = tune(capsys, str(folder))
    assert {(row["engine"], row["dtype"]) for row in found["rows"]} == {("onnx", "float32"), ("openvino", "float32")}
    assert all(row["short_per_second"] > 0 and row["single_ms"] > 0 and row["cosine_min"] == 1 for row in found["rows"])
    assert {row["token_budget"] for row in found["rows"]} >= {128, 256, 512, 768, 1024}
    best = found["tuning"]
    assert [best[key] for key in ("engine", "file", "dtype", "num_threads", "token_budget")] in [
        [row[key] for key in ("engine", "graph", "dtype", "threads", "token_budget")] for row in found["rows"]
    ]
    assert Path(found["kept"]).parent == quick
    model = SentenceTransformer(folder)
    info = model.info()
    assert (info["engine"], info["graph"], info["threads"]) == (best["engine"], best["file"], best["num_threads"])
    assert info["reason"] == f"tuned on this machine on {best['date']}"
    assert model._runner.main_pipeline.backend.token_budget == best["token_budget"]


def test_the_table(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.txt").write_text("a lake\n\nseven small boats\nthe quick brown fox\n")
    assert main(["tune", str(folder), str(tmp_path / "texts.txt"), "--dtype", "int8"]) == 0
    out, err = capsys.readouterr()
    head, *rows = out.partition("\n\n")[0].splitlines()
    assert head.split()[:6] == ["variant", "graph", "threads", "batch", "short/s", "mixed/s"]
    assert {tuple(row.split()[:3]) for row in rows} == {("onnx", "int8", INT8), ("openvino", "int8", INT8)}
    assert f"chosen: {INT8} (" in out
    assert f"edge-st tune {folder} --dtype int8 --forget" in out
    assert len(err.splitlines()) >= len(rows)
    assert chosen(folder, "dtype", dtype="int8") == ["int8"]
    assert "tuned on this machine" in chosen(folder, "reason", dtype="int8")[0]
    assert chosen(folder, "reason") == ["fastest lossless variant for this CPU"]  # what was tuned is int8


def test_what_is_asked_for_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(folder, "openvino")
    keys = ("engine", "threads", "reason")
    assert chosen(folder, *keys) == ["openvino", 1, "tuned on this machine on 2026-01-31"]
    assert chosen(folder, *keys, num_threads=2) == ["openvino", 2, "tuned on this machine on 2026-01-31"]
    assert chosen(folder, "engine", backend="onnx") == ["onnx"]
    assert chosen(folder, "engine", dtype="float32") == ["onnx"]
    assert chosen(folder, "engine", model_kwargs={"file_name": FLOAT32}) == ["onnx"]
    model = SentenceTransformer(folder, model_kwargs={"token_budget": 64})
    assert model._runner.main_pipeline.backend.token_budget == 64
    assert model.info()["engine"] == "onnx"
    monkeypatch.setenv("EDGE_ST_NUM_THREADS", "3")
    assert chosen(folder, *keys[:2]) == ["openvino", 3]


@pytest.mark.parametrize(
    ("change", "with_what"),
    [
        ("graph", "another graph"),
        ("cpu", "another CPU"),
        ("features", "another CPU"),
        ("cores", "another number of cores"),
        ("engine", "another version of the engine"),
        ("not installed", "openvino, which is not installed"),
    ],
)
def test_a_tuning_that_does_not_hold_is_left_out_with_one_line(
    change: str, with_what: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(folder, "openvino")
    if change == "graph":
        golden = json.loads((folder / "edge_st.json").read_text())["golden"]
        changed(folder / FLOAT32, 1e-6)
        write_variants(folder, golden, graphs=GRAPHS)
    elif change == "cpu":
        monkeypatch.setattr(tuning, "cpu_name", lambda: "another CPU")
    elif change == "features":
        monkeypatch.setattr(tuning, "cpu_features", lambda: frozenset({"a new one"}))
    elif change == "cores":
        monkeypatch.setattr(tuning, "available_cores", lambda: 99)
    elif change == "engine":
        monkeypatch.setattr(tuning, "engine_version", lambda _: "another version")
    else:
        monkeypatch.setattr(tuning, "installed_engines", lambda: ["onnx"])
    engine, reason = chosen(folder, "engine", "reason")
    assert engine == "onnx"
    assert reason == (
        f"fastest lossless variant for this CPU; the tuning of 2026-01-31 was measured with {with_what} and is left "
        f"out. Measure again with: edge-st tune {folder}, or drop it with: edge-st tune {folder} --forget"
    )
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert chosen(folder, "engine", backend="openvino") == ["openvino"]  # who asks for an engine is not told
    assert main(["tune", str(folder), "--forget"]) == 0
    assert chosen(folder, "reason") == ["fastest lossless variant for this CPU"]
    assert len(caplog.records) == 1


@pytest.fixture
def another_device(monkeypatch: pytest.MonkeyPatch) -> str:
    """A device other than the CPU, whose name stands for the CPU's provider here."""
    mine = devices.Provider(devices.CPU, ("mine",), "no command")
    monkeypatch.setattr(ort_sessions, "PROVIDERS", (*devices.PROVIDERS, mine))
    monkeypatch.setattr(devices, "ONNX_DEVICES", (*devices.ONNX_DEVICES, "mine"))
    return "mine"


def test_a_device_is_tuned_by_itself(
    folder: Path, another_device: str, quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tune(capsys, str(folder), "--device", another_device)
    assert {row["engine"] for row in found["rows"]} == {"onnx"}
    assert {row["token_budget"] for row in found["rows"]} >= {1024, 8192, 65536}
    budget = found["tuning"]["token_budget"]
    model = SentenceTransformer(folder, device=another_device)
    assert model._runner.main_pipeline.backend.token_budget == budget
    assert model.info()["reason"].startswith("tuned on this machine")
    assert chosen(folder, "reason") == ["fastest lossless variant for this CPU"]  # the CPU was not tuned
    assert json.loads(next(quick.iterdir()).read_text())["device"] == another_device
    assert main(["tune", str(folder), "--device", another_device, "--forget"]) == 0
    assert not list(quick.iterdir())


def test_another_gpu_since_the_tuning(
    folder: Path, another_device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(capsys, str(folder), "--device", another_device)
    monkeypatch.setattr(tuning, "gpu_names", lambda: ["another one"])
    (reason,) = chosen(folder, "reason", device=another_device)
    assert f"measured with another GPU and is left out. Measure again with: edge-st tune {folder} --device" in reason


def test_a_device_that_is_not_here_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", str(folder), "--device", "cuda:1"]) == 1
    assert "CUDAExecutionProvider is not in this onnxruntime" in capsys.readouterr().err


def test_the_line_has_the_dtype_that_was_tuned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(folder, "onnx", "int8", asked="int8", file=INT8)
    monkeypatch.setattr(tuning, "cpu_name", lambda: "another CPU")
    engine, dtype, reason = chosen(folder, "engine", "dtype", "reason", dtype="int8")
    assert (engine, dtype) == ("onnx", "int8")
    assert f"edge-st tune {folder} --dtype int8 --forget" in reason


def test_a_damaged_tuning_is_ignored(folder: Path, quick: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(folder, "openvino")
    (path,) = quick.iterdir()
    for content in (
        '{"tuning": {"engine": 3}}',
        "no JSON",
        json.dumps({**json.loads(path.read_text()), "measured_on": 3}),
    ):
        path.write_text(content)
        assert chosen(folder, "engine", "reason") == ["onnx", "fastest lossless variant for this CPU"]
    assert not caplog.records


def test_another_folder_is_not_tuned(folder: Path, tmp_path: Path) -> None:
    keep(folder, "openvino")
    other = save_variants(tmp_path / "other", graphs=GRAPHS)
    assert chosen(other, "engine") == ["onnx"]


def test_auto_never_becomes_int8_by_tuning(folder: Path) -> None:
    keep(folder, "onnx", "int8", file=INT8)
    assert chosen(folder, "dtype") == ["float32"]


def test_int8_is_tuned_on_a_cpu_without_vnni_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(choosing, "cpu_features", lambda: frozenset({"avx2"}))
    found = tune(capsys, str(folder), "--dtype", "int8")
    assert {(row["engine"], row["dtype"]) for row in found["rows"]} == {("onnx", "int8"), ("openvino", "int8")}
    dtype, reason = chosen(folder, "dtype", "reason", dtype="int8")
    assert (dtype, reason) == ("int8", f"tuned on this machine on {found['tuning']['date']}")


def test_what_runs_instead_of_int8_is_tuned_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for_others = graph_entry(INT8, "onnx", "int8", 0.97, cpu_features=["amx_int8"])
    folder = save_variants(tmp_path / "model", graphs=[*GRAPHS[:2], for_others])
    keep(folder, "openvino", asked="int8")
    engine, reason = chosen(folder, "engine", "reason", dtype="int8")
    assert engine == "openvino"
    assert reason.startswith("dtype='int8' was requested, but this CPU lacks amx_int8")
    assert reason.endswith("; tuned on this machine on 2026-01-31")
    assert reason in caplog.records[0].getMessage()


def test_forget(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(folder, "openvino")
    assert main(["tune", str(folder), "--forget"]) == 0
    assert capsys.readouterr().out == f"forgot the tuning of {folder} for dtype auto\n"
    assert chosen(folder, "engine") == ["onnx"]
    assert main(["tune", str(folder), "--forget"]) == 0
    assert capsys.readouterr().out == f"there was no tuning of {folder} for dtype auto\n"
    assert main(["tune", str(folder), "--forget", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "dtype": "auto", "forgot": False}


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        ("no record", (), "has no edge_st.json, which records the accuracy of its graphs"),
        ("static", (), "is a static model, which runs on NumPy alone; there is nothing to tune"),
        ("", ("--dtype", "int4"), "dtype is 'int4'; expected one of"),
        ("no cache", (), "the tuning cannot be saved"),
        ("", ("empty.txt",), "empty.txt has no texts; expected one per line"),
        ("", ("one.txt",), "1 text(s) to measure with; expected at least 2"),
    ],
)
def test_refusals(
    change: str,
    words: Sequence[str],
    message: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "one.txt").write_text("one")
    model = folder
    if change == "no record":
        (folder / "edge_st.json").unlink()
    elif change == "static":
        model = Path(SentenceTransformer().info()["path"])
    elif change == "no cache":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "one.txt"))
    assert main(["tune", str(model), *words]) == 1
    assert message in capsys.readouterr().err
