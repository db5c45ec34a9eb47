"""What is left where int8 misses the gate, or where the search for it is interrupted."""

import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main
from edge_st.models.classes import open_model
from edge_st_export import Int8, Int8MissedError, export_model
from edge_st_export.int8 import fitted_graphs
from edge_st_export.int8.fit import fit_group
from edge_st_export.int8.gate import Gate
from edge_st_export.original.texts import ORDINARY
from edge_st_runtime.vectors.parity import cosines
from tests.export.int8.int8_models import MODELS

PERFECT = "cosine=1,p1=1,agreement=1"
#: the groups of the small BERT
GROUPS = 8


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return MODELS["bert"](tmp_path)


def kept_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache" / "edge-st" / "int8-search").rglob("*") if path.is_file()]


class TestBelowTheGate:
    def test_float32_is_written_and_the_command_told(
        self, original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        assert main(["export", str(original), str(out), "--engine", "onnx", "--dtype", "int8", "--gate", PERFECT]) == 1
        captured = capsys.readouterr()
        assert [line.split()[1] for line in captured.out.splitlines() if " of 8" in line] == ["0", "1", "2", "4"]
        last = captured.err.splitlines()[-1]
        assert last.startswith(f"edge-st: error: no int8 variant reaches the gate {PERFECT}, so {out} has float32")
        assert open_model(out).info()["dtype"] == "float32"
        assert not list(out.rglob("*int8*"))

        program, *command = shlex.split(last.rpartition(": ")[2])
        assert program == "edge-st"
        assert main(command) == 0
        assert f"{GROUPS} of {GROUPS} products were fitted before" in capsys.readouterr().err
        assert open_model(out, dtype="int8").info()["dtype"] == "int8"
        assert kept_files(tmp_path) == []

    def test_the_command_lowers_the_shares_of_metrics_too(
        self, original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = tmp_path / "sts.tsv"
        same = [f"{score}\t{text}\t{text}" for score, text in enumerate(ORDINARY[:3], 2)]
        others = [f"{place % 3 / 2}\t{one}\t{two}" for place, (one, two) in enumerate(pairwise(ORDINARY))]
        data.write_text("\n".join([*same, *others]), encoding="utf-8")
        argv = [
            "export",
            str(original),
            str(tmp_path / "out"),
            "--engine",
            "onnx",
            "--dtype",
            "int8",
            "--eval",
            str(data),
        ]
        assert main([*argv, "--gate", f"{PERFECT},spearman=1"]) == 1
        captured = capsys.readouterr()
        assert "sts spearman kept" in captured.out
        assert main(shlex.split(captured.err.splitlines()[-1].rpartition(": ")[2])[1:]) == 0

    def test_an_existing_folder_is_kept_until_the_new_one_is_whole(self, original: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        export_model(original, out, engines=["onnx"], int8=Int8(Gate(0.5, 0.5, 0.1)), quiet=True)
        with pytest.raises(Int8MissedError) as caught:
            export_model(original, out, engines=["onnx"], int8=Int8(Gate(1, 1, 1)), quiet=True, force=True)
        assert open_model(out).info()["dtype"] == "float32"
        assert [graph.dtype for graph in caught.value.report.graphs] == ["float32"]
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


class TestInterrupted:
    def test_the_same_command_goes_on(
        self,
        original: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        fitted: list[Any] = []

        def interrupted(*given: Any) -> Any:
            if len(fitted) == GROUPS // 2:
                raise KeyboardInterrupt
            fitted.append(given)
            return fit_group(*given)

        argv = ["export", str(original), str(tmp_path / "out"), "--engine", "onnx", "--dtype", "int8"]
        argv += ["--gate", "cosine=0.5,p1=0.5,agreement=0.1"]
        with monkeypatch.context() as patched:
            patched.setattr(fitted_graphs, "fit_group", interrupted)
            assert main(argv) == 130
        assert not (tmp_path / "out").exists()
        assert len(kept_files(tmp_path)) == GROUPS // 2

        assert main(argv) == 0
        assert f"{GROUPS // 2} of {GROUPS} products were fitted before" in capsys.readouterr().err
        argv[2] = str(tmp_path / "at once")
        assert main(argv) == 0
        resumed, at_once = (
            SentenceTransformer(str(tmp_path / name), dtype="int8").encode(list(ORDINARY))
            for name in ("out", "at once")
        )
        assert cosines(resumed, at_once).min() > 0.9999

    def test_a_damaged_fit_is_made_again(self, original: Path, tmp_path: Path) -> None:
        with pytest.raises(Int8MissedError):
            export_model(original, tmp_path / "out", engines=["onnx"], int8=Int8(Gate(1, 1, 1)), quiet=True)
        for path in kept_files(tmp_path):
            path.write_bytes(path.read_bytes()[:100])
        lowered = Int8(Gate(0.5, 0.5, 0.1))
        report = export_model(original, tmp_path / "out", engines=["onnx"], int8=lowered, quiet=True, force=True)
        assert [graph.dtype for graph in report.graphs] == ["float32", "int8"]
