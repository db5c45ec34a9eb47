"""``edge-st bench``: a table of every variant that runs on this machine."""

import json
import platform
import re
from pathlib import Path

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main
from edge_st.speed import measuring
from edge_st.speed.measuring import Speed, best
from edge_st.speed.sample_texts import sample_texts
from edge_st.speed.settings import Setting
from edge_st.version import __version__
from tests.support.tiny_models import graph_entry
from tests.support.tiny_pair_models import ONE
from tests.support.variants import FLOAT32, INT8, save_variants, write_variants

GRAPHS = [
    graph_entry(FLOAT32, "onnx", "float16"),
    graph_entry(FLOAT32, "onnx"),
    graph_entry(INT8, "onnx", "int8", 0.97),
    graph_entry(INT8, "onnx", "int8", 0.97, cpu_features=["a feature that no CPU has"]),
    graph_entry("onnx/model_that_is_not_there.onnx", "onnx"),
]


@pytest.fixture
def quick(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_SECONDS", 0.001)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_variants(tmp_path / "model", graphs=GRAPHS)


def test_the_table(quick: None, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(folder)]) == 0
    out, err = capsys.readouterr()
    head, *rows = out.splitlines()
    assert re.split(r"\s{2,}", head) == [
        *("variant", "graph", "threads", "batch", "short/s", "mixed/s", "single ms", "load ms", "memory", "cosine min")
    ]
    assert [row.split()[:3] for row in rows] == [["onnx", "float32", FLOAT32], ["onnx", "int8", INT8]]
    assert [row.split()[-1] for row in rows] == ["1.00000", "0.97000"]
    assert "onnx int8: " in err


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_json_dtype_texts_and_chart(
    ending: str, quick: None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("one\ntwo words\n")
    chart = tmp_path / f"chart.{ending}"
    words = ["--dtype", "int8", "--texts", str(tmp_path / "texts.txt"), "--chart", str(chart), "--json"]
    assert main(["bench", str(folder), *words]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["engine"], row["dtype"], row["graph"], row["cosine_min"]) == ("onnx", "int8", INT8, 0.97)
    assert min(row[key] for key in ("short_per_second", "mixed_per_second", "single_ms", "load_ms", "threads")) > 0
    content = chart.read_bytes()
    assert b"onnx int8" in content if ending == "svg" else content.startswith(b"\x89PNG")


def test_a_report_to_paste(quick: None, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(folder), "--report"]) == 0
    facts, table = capsys.readouterr().out.strip().split("\n\n")
    told = dict(line.removeprefix("- ").split(": ", 1) for line in facts.splitlines())
    assert {"model", "CPU", "cores", "system", "versions"} <= told.keys()
    assert told["model"] == "model"
    assert f"edge-st {__version__}, Python {platform.python_version()}, numpy {np.__version__}" in told["versions"]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    assert [row[:2] for row in rows] == [["onnx float32", FLOAT32], ["onnx int8", INT8]]
    assert {len(row) for row in rows} == {len(head)}


def test_a_process_of_its_own(folder: Path) -> None:
    speed = measuring.measure(folder, Setting("onnx", INT8, "int8", 1, 128), ["one", "two words"])
    assert (speed.num_threads, speed.token_budget) == (1, 128)
    assert speed.peak_memory is None or speed.peak_memory > 10_000_000


def test_models_of_other_kinds(quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    static = SentenceTransformer().info()["path"]
    plain = tmp_path / "pairs"
    ONE.save(plain)  # without a record
    for model, expected in ((static, {("numpy", None)}), (plain, {("onnx", None), ("openvino", None)})):
        assert main(["bench", str(model), "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert {(row["engine"], row["cosine_min"]) for row in rows} == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dtype", "bfloat16"], "has no variant in 'bfloat16' that runs here; it has float32, int8"),
        (["--dtype", "int4"], "dtype is 'int4'"),
        (["--chart", "chart.jpg"], "expected a name that ends with .svg or .png"),
        (["--chart", "no/chart.svg"], "there is no folder"),
        (["--original", "."], "--original is read by other libraries alone; add --peers"),
        (["--report", "--json"], "--report prints edge-st's variants as Markdown; leave out --peers and --json"),
        (["--peers", "--chart", "chart.svg"], "--chart draws edge-st's variants alone; leave out --peers"),
        (["--peers", "--original", "no"], "no such file or folder: no"),
        (["--peers"], "--peers needs another library in this environment: sentence-transformers, fastembed,"),
        (["--texts", "no.txt"], "no such file or folder: no.txt"),
        (["--texts", "latin.txt"], "latin.txt:2: byte 4 is not UTF-8"),
    ],
)
def test_refusals(
    words: list[str], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("latin.txt").write_bytes(b"tea\ncaf\xe9\n")
    assert main(["bench", str(folder), *words]) == 1
    assert message in capsys.readouterr().err


def test_nothing_to_draw(quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ONE.save(tmp_path)
    assert main(["bench", str(tmp_path), "--chart", str(tmp_path / "chart.svg")]) == 1
    assert "no variant has a recorded cosine" in capsys.readouterr().err
    assert not (tmp_path / "chart.svg").exists()


def test_no_variant_runs_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = json.loads((folder / "edge_st.json").read_text())["golden"]
    write_variants(folder, golden, graphs=GRAPHS[3:])
    assert main(["bench", str(folder)]) == 1
    assert "it has none that runs here" in capsys.readouterr().err


def test_best_of_several() -> None:
    found = best([Speed(10, 2, 3, 50, 100, 2, 256), Speed(8, 4, 5, 40, None, 2, 256)])
    assert found == Speed(10, 4, 3, 40, 100, 2, 256)
    assert Speed(1000, 1000, 1, 0, None, 1, 1).score == pytest.approx(1000)


def test_samples() -> None:
    built_in = sample_texts(None, pairs=False)
    short, mixed = ([len(str(text).split()) for text in texts] for texts in (built_in.short, built_in.mixed))
    assert max(short) < 20 < max(mixed)
    assert len(set(built_in.short)) == len(built_in.short)
    given = sample_texts(["aaaa", "b", "cc", "ddd"], pairs=True)
    assert given.short == [("b", "cc"), ("cc", "b")]
    assert len(given.mixed) == 4
    assert given.single == ("b", "cc")
