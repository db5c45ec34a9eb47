"""``edge-st index build``: what Python makes of the same texts, from every format, whole or in pieces."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from tests.support.index_command import LONG, TEXTS, IndexCommand, content, texts_of, write_jsonl
from tests.support.tiny_models import LIMIT
from tests.support.tiny_tokenizers import random_texts


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
    for ending, delimiter, written in (("csv", ",", quoted), ("tsv", "\t", plain.values())):
        lines = [delimiter.join(("lang", "key", "body"))]
        lines += [delimiter.join(("en", key, text)) for key, text in zip(plain, written, strict=True)]
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


def test_integers_and_strings_are_different_ids(command: IndexCommand, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", {"id": 7, "text": "one"}, {"id": "7", "text": "two"})
    command("build", "index", "in.jsonl")
    assert texts_of(tmp_path / "index") == {7: "one", "7": "two"}
