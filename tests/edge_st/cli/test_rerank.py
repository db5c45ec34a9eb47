"""``edge-st rerank``: lines and JSONL in the order of a cross-encoder's scores."""

import io
import json
import sys
from pathlib import Path

import pytest

from edge_st.cli import main
from tests.support.tiny_rerankers import TinyReranker

LINES = ["seven small boats", "", "the quick brown fox", "  ", "a green door"]


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> str:
    model = TinyReranker({"fox": 9.0, "boats": -5.0})
    return str(model.save(tmp_path_factory.mktemp("models") / "reranker"))


@pytest.fixture
def lines(tmp_path: Path) -> str:
    (tmp_path / "lines.txt").write_text("\n".join(LINES))
    return str(tmp_path / "lines.txt")


def test_lines_best_first_without_blank_ones(lines: str, reranker: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rerank", "-q", "animals", lines, "--model", reranker]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in out[1::2]] == [LINES[2], LINES[4], LINES[0]]
    assert [line.split()[::2] for line in out[::2]] == [
        [str(rank), f"{lines}:{n}"] for rank, n in enumerate((3, 5, 1), 1)
    ]
    scores = [float(line.split()[1]) for line in out[::2]]
    assert scores == sorted(scores, reverse=True)


def test_json_of_jsonl_has_ids(tmp_path: Path, lines: str, reranker: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text('{"body": "boats", "id": "b"}\n\n{"body": "fox", "id": 7}\n{"body": " "}\n{"body": "door"}\n')
    arguments = ["rerank", "-q", "animals", str(path), "--field", "body", "--model", reranker, "--json", "-k", "2"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    first, second = document["hits"]
    assert (document["query"], document["documents"]) == ("animals", 3)
    assert first | {"score": 0} == {"rank": 1, "score": 0, "path": str(path), "line": 3, "id": 7, "text": "fox"}
    assert second | {"score": 0} == {"rank": 2, "score": 0, "path": str(path), "line": 5, "text": "door"}
    assert first["score"] > second["score"]
    assert main(arguments[:-3]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()[::2]] == ["7", f"{path}:5", "b"]


def test_the_standard_input(reranker: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"boats\nfox\n")))
    assert main(["rerank", "-q", "animals", "--model", reranker, "-k", "1"]) == 0
    assert capsys.readouterr().out.split()[2:] == ["<stdin>:2", "fox"]


def test_what_cannot_be_done_is_one_line_and_1(
    tmp_path: Path, lines: str, reranker: str, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "blank.txt").write_text("\n \n")
    several = TinyReranker(labels=2).save(tmp_path / "several")
    for file, model, message in (
        (tmp_path / "blank.txt", reranker, f"no text in {tmp_path / 'blank.txt'}"),
        (tmp_path / "missing.txt", reranker, "no such file or folder"),
        (tmp_path, reranker, "is a folder; name its files"),
        (lines, tiny_folder, "CrossEncoder"),
        (lines, several, "This model has 2"),
    ):
        assert main(["rerank", "-q", "animals", str(file), "--model", str(model)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("edge-st: error: ")
        assert message in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-q", "fox"], "argument --model: no reranker is bundled; give a folder or a model on the Hub"),
        (["-q", " ", "--model", "m"], "argument -q/--query: the query is empty"),
        (["--model", "m"], "the following arguments are required: -q/--query"),
        (["-q", "fox", "--model", "m", "-k", "0"], "argument -k"),
    ],
)
def test_wrong_usage_is_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rerank", *arguments]) == 2
    assert f"edge-st rerank: error: {message}" in capsys.readouterr().err
