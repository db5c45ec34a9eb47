"""``edge-st embed``: the vectors of the API, in order, streamed; and what is refused."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main

TEXTS = ["A short text.", "", "Ein Satz auf Deutsch.", "one more, " * 200, "日本語"]


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture
def lines(tmp_path: Path) -> str:
    path = tmp_path / "in.txt"
    path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return str(path)


def stdin(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))


def test_lines_to_npy(
    lines: str, tmp_path: Path, model: SentenceTransformer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npy"
    assert main(["embed", lines, "-o", str(out)]) == 0
    assert np.load(out).dtype == np.float32
    np.testing.assert_allclose(np.load(out), model.encode(TEXTS), atol=1e-6)
    assert capsys.readouterr() == ("", f"{out}: {len(TEXTS)} embeddings\n")


def test_several_files_and_options(lines: str, tmp_path: Path, model: SentenceTransformer) -> None:
    more, out = tmp_path / "more.jsonl", tmp_path / "out.npy"
    more.write_text("\n".join(json.dumps({"body": text}) for text in reversed(TEXTS)))
    options = ["--field", "body", "--normalize", "--truncate-dim", "32", "--batch-size", "2"]
    assert main(["embed", lines, str(more), "-o", str(out), *options]) == 0
    expected = model.encode([*TEXTS, *reversed(TEXTS)], normalize_embeddings=True, truncate_dim=32)
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
def test_binary_precisions(lines: str, tmp_path: Path, model: SentenceTransformer, precision: str) -> None:
    expected = model.encode(TEXTS, precision=precision)
    for ending in ("npy", "jsonl"):
        out = tmp_path / f"out.{ending}"
        assert main(["embed", lines, "-o", str(out), "--precision", precision]) == 0
        if ending == "npy":
            found = np.load(out)
            assert found.dtype == expected.dtype
        else:
            found = np.array([json.loads(line)["embedding"] for line in out.read_text().splitlines()])
        np.testing.assert_array_equal(found, expected)


def test_jsonl_from_stdin_to_stdout_keeps_ids(
    model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, '{"text": "first", "id": "a"}\n{"text": "second"}\n')
    assert main(["embed", "-o", "-", "--format", "jsonl"]) == 0
    captured = capsys.readouterr()
    first, second = map(json.loads, captured.out.splitlines())
    assert (first["id"], second["index"]) == ("a", 1)
    found = np.array([first["embedding"], second["embedding"]])
    np.testing.assert_allclose(found, model.encode(["first", "second"]), atol=1e-6)
    assert captured.err == ""


def test_no_text_gives_an_empty_array(
    tmp_path: Path, model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, "")
    assert main(["embed", "-", "-o", str(tmp_path / "out.npy")]) == 0
    assert np.load(tmp_path / "out.npy").shape == (0, model.get_embedding_dimension())


def test_a_stream_is_encoded_before_it_ends(tmp_path: Path, model: SentenceTransformer) -> None:
    count = 5000
    path, out = tmp_path / "in.txt", tmp_path / "out.npy"
    path.write_text("".join(f"text {number}\n" for number in range(count)))
    assert main(["embed", str(path), "-o", str(out)]) == 0
    found = np.load(out)
    assert len(found) == count
    sample = [0, 1, 999, 1000, 4095, 4096, count - 1]
    np.testing.assert_allclose(found[sample], model.encode([f"text {number}" for number in sample]), atol=1e-6)


@pytest.mark.parametrize("output", ["out.csv", "out", "out.NPZ"])
def test_an_output_of_another_kind_is_wrong_usage(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "-o", output]) == 2
    assert f"'{output}' ends neither in .npy nor in .jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_precisions_that_need_all_embeddings_are_refused_with_the_reason(
    precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["embed", "-o", "out.npy", "--precision", precision]) == 2
    assert "needs the range of all embeddings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt", "-o", "out.npy"], "no such file or folder: missing.txt"),
        ([".", "-o", "out.npy"], ". is a folder"),
        (["missing.txt", "-o", "no/out.npy"], "no such file or folder: missing.txt"),
        (["in.txt", "-o", "no/out.npy"], "the folder of the output does not exist"),
        (["in.jsonl", "-o", "in.jsonl"], "is both input and output"),
        (["in.jsonl", "-o", "out.npy"], "in.jsonl:2: no field 'text'; it has body"),
        (["in.txt", "-o", "out.npy", "--prompt-name", "poem"], "poem"),
    ],
)
def test_what_cannot_be_done_is_1_and_leaves_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = {"in.txt": "text\n", "in.jsonl": '{"text": "a"}\n{"body": "b"}\n'}
    for name, content in inputs.items():
        Path(name).write_text(content)
    assert main(["embed", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("edge-st: error: ")
    assert message in captured.err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == inputs
