"""``edge-st index build`` and ``add``: what Python makes of the same texts, resumed, updated, and nothing twice."""

import contextlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from edge_st_runtime.errors import FolderError
from tests.support.index_command import IndexCommand, content, texts_of, write_jsonl
from tests.support.tiny_models import LIMIT
from tests.support.tiny_tokenizers import WORDS, random_texts

TEXTS = {
    "bread": "Knead the dough and let it rise before you bake the bread in a hot oven.",
    "orbit": "The satellite circles the earth once every ninety minutes in a low orbit.",
    "taxes": 'Income tax returns, "all of them",\nmust reach the tax office in July.',
}
LONG = " ".join(f"{' '.join(WORDS[at : at + 5])}." for at in range(0, 25, 5))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IndexCommand:
    monkeypatch.chdir(tmp_path)
    return IndexCommand(capsys)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "rows.jsonl", *({"id": name, "text": text} for name, text in TEXTS.items()))


@pytest.mark.parametrize("precision", [["float32"], ["float16"], ["int8", "--rescore", "float16"], ["binary"]])
def test_it_is_what_python_makes_of_the_same_texts(precision: list[str], command: IndexCommand, tmp_path: Path) -> None:
    texts = [text for text in dict.fromkeys(random_texts(1500, 12)) if text]
    metadata = [{"n": number, "path": "in.jsonl", "line": number + 1} for number in range(len(texts))]
    ids = [f"row {number}" for number in range(len(texts))]
    write_jsonl(
        tmp_path / "in.jsonl",
        *({"id": name, "text": text, "n": number} for number, (name, text) in enumerate(zip(ids, texts, strict=True))),
    )
    counts = command("build", "index", "in.jsonl", "--precision", *precision)
    assert counts == {
        "path": "index",
        "rows": len(texts),
        "added": len(texts),
        **dict.fromkeys(("updated", "removed", "skipped", "blank"), 0),
    }
    rescore = precision[-1] if len(precision) > 1 else None
    model = SentenceTransformer()
    expected = Index.build(model, texts, "python", ids, metadata, precision=precision[0], rescore=rescore)
    assert content(Path("index")) == content(Path("python"))
    found, settings = Index.open("index", model=model), {**expected.info(), "path": str(tmp_path / "index")}
    assert found.info() == settings
    for query in texts[:5]:
        assert found.search(query) == expected.search(query)


def test_the_same_rows_in_four_formats(command: IndexCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {name: text.replace("\n", " ") for name, text in TEXTS.items()}
    write_jsonl(tmp_path / "in.ndjson", *({"key": key, "body": text, "lang": "en"} for key, text in plain.items()))
    quoted = [f'"{text.replace(chr(34), chr(34) * 2)}"' for text in plain.values()]
    for ending, delimiter in (("csv", ","), ("tsv", "\t")):
        lines = [delimiter.join(("lang", "key", "body"))]
        lines += [delimiter.join(("en", key, text)) for key, text in zip(plain, quoted, strict=True)]
        (tmp_path / f"in.{ending}").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    (tmp_path / "in.txt").write_text("\n".join(plain.values()))
    for ending in ("ndjson", "csv", "tsv"):
        command("build", ending, f"in.{ending}", "--field", "body", "--id-field", "key")
        found = content(tmp_path / ending)
        assert {name: row["text"] for name, row in found.items()} == plain
        places = [{**row["metadata"], "line": None} for row in found.values()]
        assert places == [{"lang": "en", "path": f"in.{ending}", "line": None}] * 3
    command("build", "lines", "in.txt", "--format", "lines")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "in.txt").read_bytes())))
    command("build", "stdin", "-")
    vectors = [_vectors(tmp_path / name) for name in ("ndjson", "csv", "tsv", "lines", "stdin")]
    assert all(np.array_equal(vectors[0], other) for other in vectors)
    assert list(texts_of(tmp_path / "lines")) == ["in.txt:1", "in.txt:2", "in.txt:3"]
    assert content(tmp_path / "stdin")["<stdin>:3"]["metadata"] == {"path": "<stdin>", "line": 3}


def _vectors(path: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    queries = SentenceTransformer().encode(list(TEXTS.values()))
    return np.array([[hit["score"] for hit in hits] for hits in Index.open(path).search(queries)])


def test_quoted_fields_may_have_line_ends(command: IndexCommand, tmp_path: Path) -> None:
    long = "word " * 60_000
    (tmp_path / "in.csv").write_text(f'id,text\na,"one\ntwo ""2"""\n\nb,three\nc,{long}\n')
    command("build", "index", "in.csv", "--no-chunks")
    assert texts_of(tmp_path / "index") == {"a": 'one\ntwo "2"', "b": "three", "c": long}
    assert [row["metadata"]["line"] for row in content(tmp_path / "index").values()] == [2, 5, 6]


def test_documents_of_folders_are_split(command: IndexCommand, tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / ".hidden.txt").write_text(LONG)
    (tmp_path / "notes" / "code.py").write_text(LONG)
    (tmp_path / "notes" / "deep" / "short.md").write_text("\n# a fox\n")
    text = LONG.replace(". ", ".\n\n")
    (tmp_path / "notes" / "long.rst").write_bytes(text.replace("\n", "\r\n").encode())
    command("build", "index", "notes", "notes/long.rst", "--model", str(tiny_folder), "--max-tokens", "14")
    found = content(tmp_path / "index")
    pieces = SentenceTransformer(tiny_folder).split(text, 14)
    assert len(pieces) == 3
    name = "notes/long.rst"
    assert [row["text"] for row in found.values()] == [*(piece.text for piece in pieces), "# a fox"]
    assert list(found) == [name, *(f"{name}#{number}" for number in range(2, len(pieces) + 1)), "notes/deep/short.md"]
    for number, (piece, row) in enumerate(zip(pieces, found.values(), strict=False)):
        line = 1 + text[: piece.start].count("\n")
        belongs = {"of": name} if number else {"pieces": 3}
        assert row["metadata"] == {"path": name, "line": line, "start": piece.start, "end": piece.end, **belongs}
    assert found["notes/deep/short.md"]["metadata"] == {"path": "notes/deep/short.md", "line": 1}


def test_long_fields_are_split_unless_they_shall_not(command: IndexCommand, tmp_path: Path, tiny_folder: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", {"text": "a fox", "id": 1}, {"text": LONG, "id": 2, "lang": "en"})
    model = ["--model", str(tiny_folder)]
    command("build", "whole", "in.jsonl", "--no-chunks", *model)
    assert texts_of(tmp_path / "whole") == {1: "a fox", 2: LONG}
    command("build", "split", "in.jsonl", "--overlap", "4", *model)
    pieces = SentenceTransformer(tiny_folder).split(LONG, LIMIT, 4)
    names = [2, *(f"2#{number}" for number in range(2, len(pieces) + 1))]
    found = content(tmp_path / "split")
    assert texts_of(tmp_path / "split") == {1: "a fox", **dict(zip(names, (p.text for p in pieces), strict=True))}
    place = {"path": "in.jsonl", "line": 2, "start": pieces[-1].start, "end": pieces[-1].end}
    last = {"lang": "en", **place, "of": 2}
    assert found[names[-1]]["metadata"] == last


def test_blank_texts_are_left_out_and_counted(command: IndexCommand, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n\n \t\ntwo\n")
    assert command("build", "index", "in.txt", "--format", "lines")["blank"] == 2
    assert texts_of(tmp_path / "index") == {"in.txt:1": "one", "in.txt:4": "two"}
    assert "no text in blank.txt" in _nothing(command, tmp_path)
    assert not (tmp_path / "other").exists()


def _nothing(command: IndexCommand, tmp_path: Path) -> str:
    (tmp_path / "blank.txt").write_text("\n \n")
    return command.fails("build", "other", "blank.txt")


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


def test_integers_and_strings_are_different_ids(command: IndexCommand, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", {"id": 7, "text": "one"}, {"id": "7", "text": "two"})
    command("build", "index", "in.jsonl")
    assert texts_of(tmp_path / "index") == {7: "one", "7": "two"}


def test_what_was_built_in_python_is_added_to(command: IndexCommand, rows: Path, tmp_path: Path) -> None:
    Index.build(SentenceTransformer(), ["one", TEXTS["bread"]], "index", [1, "bread"]).close()
    counts = command("add", "index", rows)
    assert (counts["added"], counts["skipped"]) == (2, 1)


def test_a_killed_build_goes_on(command: IndexCommand, tmp_path: Path) -> None:
    lines = [f"text number {number}\n" for number in range(3000)]
    feed = tmp_path / "in.txt"
    os.mkfifo(feed)
    arguments = ["index", "in.txt", "--format", "lines", "--precision", "int8"]
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_st", "index", "build", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=tmp_path,
    )
    with feed.open("w") as file:
        file.writelines(lines[:2500])
        file.flush()
        rows = _first_rows(tmp_path / "index")
        child.kill()
        assert child.wait() < 0
    assert 0 < rows < 2500
    assert rows % 1024 == 0
    feed.unlink()
    feed.write_text("".join(lines))
    counts = command("build", *arguments)
    assert (counts["skipped"], counts["added"]) == (rows, 3000 - rows)
    command("build", "whole", *arguments[1:])
    assert content(tmp_path / "index") == content(tmp_path / "whole")
    assert list(content(tmp_path / "index")) == [f"in.txt:{number}" for number in range(1, 3001)]
    assert command.says("verify", "index")


def _first_rows(path: Path) -> int:
    """How many rows there are when a writer has written some; 0 where that takes too long."""
    for _ in range(600):
        with contextlib.suppress(FolderError):
            if rows := len(Index.open(path)):
                return rows
        time.sleep(0.05)
    return 0
