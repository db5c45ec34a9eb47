"""The commands, as edge-st finds and runs them."""

import argparse
from pathlib import Path

import pytest

from edge_st import SentenceTransformer
from edge_st.manifest import TASKS, load_manifest
from edge_st_export import cli
from edge_st_export.original.manifest import select_models
from edge_st_runtime.errors import OptionError, PackageMissingError
from tests.export.folder.test_export import files_of, read_record
from tests.support.hub_server import HubServer


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    cli.add_export(subparsers)
    cli.add_distill(subparsers)
    args = parser.parse_args(argv)
    code: int = args.run(args)
    return code


def test_export(small_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("export", str(small_folder), str(out), "--engine", "onnx", "--optimize", "O1") == 0
    printed = capfd.readouterr()
    assert [line for line in printed.err.splitlines() if line] == [
        "[1/6] loading original in PyTorch …",
        "[2/6] encoding the comparison texts with the original …",
        "[3/6] converting to ONNX …",
        "[4/6] optimizing for ONNX Runtime (O1) …",
        "[5/6] comparing every variant with the original …",
        "[6/6] writing the record …",
    ]
    assert "onnx float32        onnx/model_O1.onnx" in printed.out
    assert SentenceTransformer(out).info()["graph"] == "onnx/model_O1.onnx"


@pytest.mark.parametrize("command", ["export", "distill"])
def test_without_pytorch(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    with pytest.raises(PackageMissingError, match=f"edge-st {command} needs PyTorch.*edge-st convert"):
        run(command, "model", str(tmp_path / "out"))


def test_distill(small_folder: Path, tmp_path: Path) -> None:
    assert run("distill", str(small_folder), str(tmp_path / "out"), "--dim", "8") == 0
    assert SentenceTransformer(tmp_path / "out").encode("the quick fox").shape == (8,)


def test_wrong_number_of_paths(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="MODEL and OUT"):
        run("export", "all-MiniLM-L6-v2")
    with pytest.raises(OptionError, match="OUT alone"):
        run("export", "all-MiniLM-L6-v2", str(tmp_path), "--manifest")


def test_manifest_entries_are_exported_at_their_revision(
    small_folder: Path, hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = next(entry for entry in load_manifest() if entry.name == "all-MiniLM-L6-v2")
    assert entry.revision is not None
    hub.add(entry.id, files_of(small_folder)).revisions = {entry.revision}
    argv = ("--engine", "onnx", "--quiet", "--manifest", entry.name, "all-mpnet-base-v2")
    assert run("export", str(tmp_path / "models"), *argv) == 1
    assert read_record(tmp_path / "models" / entry.name)["source"]["name"] == entry.id
    printed = capsys.readouterr()
    assert entry.id in printed.out
    assert "all-mpnet-base-v2: " in printed.err
    assert [path.name for path in (tmp_path / "models").iterdir()] == [entry.name]


def test_selection_from_the_manifest() -> None:
    everything, notes = select_models([], trust_remote_code=False)
    assert {entry.task for entry in everything} == set(TASKS)
    assert not any(entry.remote_code for entry in everything)
    trusted, none = select_models([*TASKS, "all-MiniLM-L6-v2"], trust_remote_code=True)
    assert len(trusted) == len(everything) + len(notes)
    assert none == []
    rerankers, _ = select_models(["cross-encoder"], trust_remote_code=False)
    assert {entry.task for entry in rerankers} == {"cross-encoder"}
    with pytest.raises(OptionError, match="nobody/nothing"):
        select_models(["nobody/nothing"], trust_remote_code=False)
