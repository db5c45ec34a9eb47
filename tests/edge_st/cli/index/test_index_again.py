"""``edge-st index build`` and ``add`` again: resumed, updated, and nothing twice."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_st import Index, SentenceTransformer
from tests.support.index_command import LONG, TEXTS, IndexCommand, content, first_rows, texts_of, write_jsonl


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "rows.jsonl", *({"id": name, "text": text} for name, text in TEXTS.items()))


def test_the_same_command_again_changes_nothing(command: IndexCommand, rows: Path, tmp_path: Path) -> None:
    command("build", "index", rows)
    before = Index.open("index").info()
    assert command("build", "index", rows)["skipped"] == 3
    assert command("add", "index", rows, "--update")["skipped"] == 3
    assert Index.open("index").info() == before
    assert (
        command.says("add", "index", rows) == "index: 0 added, 0 updated, 0 removed, 3 skipped, 0 blank; 3 rows now\n"
    )


def test_another_text_by_the_same_id_is_named_or_replaces(command: IndexCommand, rows: Path, tmp_path: Path) -> None:
    command("build", "index", rows)
    before = content(tmp_path / "index")
    other = write_jsonl(tmp_path / "other.jsonl", {"id": "new", "text": "new"}, {"id": "orbit", "text": "changed"})
    error = command.fails("add", "index", other)
    assert f"{other}:2: {tmp_path / 'index'} holds another text under the id 'orbit', from {rows}:2" in error
    assert "--update" in error
    assert content(tmp_path / "index") == before
    assert command("add", "index", other, "--update")["updated"] == 1
    assert texts_of(tmp_path / "index") == {**TEXTS, "orbit": "changed", "new": "new"}
    assert content(tmp_path / "index")["orbit"]["metadata"] == {"path": str(other), "line": 2}


def test_update_replaces_metadata_that_changed(command: IndexCommand, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", {"id": "a", "text": "one", "lang": "en"})
    command("build", "index", "in.jsonl")
    write_jsonl(tmp_path / "in.jsonl", {"id": "a", "text": "one", "lang": "de"})
    assert command("add", "index", "in.jsonl")["skipped"] == 1
    assert command("add", "index", "in.jsonl", "--update")["updated"] == 1
    assert content(tmp_path / "index")["a"]["metadata"]["lang"] == "de"


@pytest.mark.parametrize(("there", "coming"), [("a#2", "a"), ("1", 1)], ids=["a row", "another type"])
def test_a_piece_never_takes_the_place_of_another_document(
    there: str, coming: str | int, command: IndexCommand, tmp_path: Path
) -> None:
    long = "Some sentence about cats is here. " * 20
    write_jsonl(tmp_path / "there.jsonl", {"id": there, "text": "two" if "#" in there else long})
    command("build", "index", "there.jsonl", "--max-tokens", "60")
    before = content(tmp_path / "index")
    write_jsonl(tmp_path / "coming.jsonl", {"id": coming, "text": long.replace("cats", "dogs")})
    error = command.fails("add", "index", "coming.jsonl", "--update", "--max-tokens", "60")
    assert "a row of another document under the id" in error
    assert content(tmp_path / "index") == before


def test_a_gap_among_the_pieces_leaves_none_behind(command: IndexCommand, tmp_path: Path, tiny_folder: Path) -> None:
    options = ["--model", str(tiny_folder), "--max-tokens", "8"]
    (tmp_path / "a.txt").write_text(LONG)
    assert command("build", "index", "a.txt", *options)["added"] > 4
    command("delete", "index", "a.txt#3")
    (tmp_path / "a.txt").write_text("a fox")
    assert command("add", "index", "a.txt", *options, "--update")["rows"] == 1
    (tmp_path / "a.txt").write_text(LONG)
    command("add", "index", "a.txt", *options, "--update")
    command("delete", "index", "a.txt#3")
    assert command("delete", "index", "a.txt")["rows"] == 0


def test_a_document_that_became_shorter(command: IndexCommand, tmp_path: Path, tiny_folder: Path) -> None:
    options = ["--model", str(tiny_folder), "--max-tokens", "8"]
    (tmp_path / "a.txt").write_text(LONG)
    pieces = command("build", "index", "a.txt", *options)["added"]
    first = texts_of(tmp_path / "index")["a.txt"]
    (tmp_path / "a.txt").write_text(first)
    error = command.fails("add", "index", "a.txt", *options)
    assert f"a.txt:1: {tmp_path / 'index'} holds another text under the id 'a.txt#2'" in error
    counts = command("add", "index", "a.txt", *options, "--update")
    assert (counts["removed"], counts["updated"], counts["rows"]) == (pieces - 1, 1, 1)
    (tmp_path / "a.txt").write_text(LONG)
    assert command("add", "index", "a.txt", *options, "--update")["rows"] == pieces
    assert command("add", "index", "a.txt", *options)["skipped"] == pieces


def test_a_row_that_is_called_like_a_piece_is_none(command: IndexCommand, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", {"id": "a", "text": "one"}, {"id": "a#2", "text": "two"})
    command("build", "index", "in.jsonl")
    write_jsonl(tmp_path / "in.jsonl", {"id": "a", "text": "changed"})
    command("add", "index", "in.jsonl", "--update")
    assert texts_of(tmp_path / "index") == {"a": "changed", "a#2": "two"}


def test_without_texts_changes_are_still_told(command: IndexCommand, rows: Path, tmp_path: Path) -> None:
    command("build", "index", rows, "--no-texts")
    assert all("text" not in row for row in content(tmp_path / "index").values())
    assert command("build", "index", rows, "--no-texts")["skipped"] == 3
    write_jsonl(rows, {"id": "bread", "text": "changed"})
    assert "another text under the id 'bread'" in command.fails("add", "index", rows)
    assert command("add", "index", rows, "--update")["updated"] == 1


@pytest.mark.parametrize("between", [0, 3000])
@pytest.mark.parametrize("more", [[], ["--update"]])
def test_an_id_twice_in_the_input_is_named_with_both_places(
    between: int, more: list[str], command: IndexCommand, tmp_path: Path
) -> None:
    others = [{"id": number, "text": f"text {number}"} for number in range(between)]
    write_jsonl(tmp_path / "a.jsonl", {"id": "x", "text": "one"}, *others)
    write_jsonl(tmp_path / "b.jsonl", {"id": "x", "text": "one"})
    error = command.fails("build", "index", "a.jsonl", "b.jsonl", *more)
    assert "b.jsonl:1: the id 'x' is also that of a.jsonl:1" in error
    assert (tmp_path / "index").exists() == bool(between)
    assert ("2048 added" in error) == bool(between)


def test_what_was_built_in_python_is_added_to(command: IndexCommand, rows: Path, tmp_path: Path) -> None:
    Index.build(SentenceTransformer(), ["one", TEXTS["bread"]], "index", [1, "bread"]).close()
    counts = command("add", "index", rows)
    assert (counts["added"], counts["skipped"]) == (2, 1)


def test_a_killed_build_goes_on(command: IndexCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"text number {number}\n" for number in range(3000)]
    arguments = ["-", "--format", "lines", "--precision", "int8"]
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_st", "index", "build", "index", *arguments],
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=tmp_path,
    )
    assert child.stdin
    child.stdin.writelines(lines[:2500])
    child.stdin.flush()
    rows = first_rows(tmp_path / "index")
    child.kill()
    child.communicate()
    assert child.returncode < 0
    assert 0 < rows < 2500
    assert rows % 1024 == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(lines).encode())))
    counts = command("build", "index", *arguments)
    assert (counts["skipped"], counts["added"]) == (rows, 3000 - rows)
    sys.stdin.seek(0)
    command("build", "whole", *arguments)
    assert content(tmp_path / "index") == content(tmp_path / "whole")
    assert list(content(tmp_path / "index")) == [f"<stdin>:{number}" for number in range(1, 3001)]
    assert command.says("verify", "index")
