"""``edge-st index`` refuses: with file and line, what was expected, code 1, and nothing half-written."""

from pathlib import Path

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from tests.support.index_command import IndexCommand, texts_of, write_jsonl


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("in.jsonl", b'{"text": "a"}\n{"text": 3}', [], "in.jsonl:2: field 'text' is int; expected a string"),
        ("in.jsonl", b'{"text": "a"}\n{"text"', [], "in.jsonl:2: not JSON"),
        ("in.jsonl", b'{"body": "a"}', [], "in.jsonl:1: no field 'text'; it has body (choose with --field)"),
        ("in.jsonl", b'{"text": "a"}', ["--id-field", "key"], "in.jsonl:1: no field 'key'; it has text"),
        ("in.jsonl", b'{"text": "a", "id": 1.5}', [], "in.jsonl:1: 'id' is 1.5 of type float"),
        ("in.jsonl", b'{"text": "a", "id": true}', [], "in.jsonl:1: 'id' is True of type bool"),
        ("in.jsonl", b'{"text": "a", "id": ""}', [], "in.jsonl:1: 'id' is empty"),
        ("in.jsonl", b'{"text": "a", "id": null}', ["--id-field", "id"], "in.jsonl:1: 'id' is None"),
        ("in.jsonl", b'{"text": "a", "n": NaN}', [], "in.jsonl:1: NaN, which JSON cannot hold; expected null or"),
        (
            "in.jsonl",
            b'{"text": "a"}\n{"text": "b", "n": [1, {"m": 1e999}]}',
            [],
            "in.jsonl:2: 1e999, which JSON cannot",
        ),
        ("in.jsonl", b'{"text": "a"}\n{"text": "b", "n": ["\\ud800"]}', [], "in.jsonl:2 holds a lone surrogate"),
        ("in.jsonl", b'{"text": "a", "\\uDFFF": 1}', [], "in.jsonl:1 holds a lone surrogate"),
        ("in.jsonl", b'{"text": "a", "id": "\\udfff"}', [], "in.jsonl:1 holds a lone surrogate"),
        ("in.jsonl", b'{"text": "a", "path": "b"}', [], "leave it out with --drop path"),
        ("in.jsonl", b'{"text": "\\ud800"}', [], "in.jsonl:1 holds a lone surrogate; remove it"),
        ("in.csv", b"id,text\na,b\nc\n", [], "in.csv:3: 1 fields, the header has 2 (id, text)"),
        ("in.csv", b"id,text\na,b,c\n", [], "in.csv:2: 3 fields, the header has 2 (id, text)"),
        ("in.csv", b"id,text\n\na,b\n,c\n", [], "in.csv:4: 'id' is empty"),
        ("in.csv", b"id;text\n", [], "in.csv:1: no field 'text'; it has id;text (choose with --field)"),
        ("in.csv", b"id,text,id\n", [], "in.csv:1: two columns are called 'id'"),
        ("in.csv", b"text,start\n", [], "in.csv:1: the field 'start' has a name that the index itself uses"),
        ("in.csv", b"", [], "in.csv:1: no header"),
        ("in.csv", b'id,text\na,b\nc,"d', [], "in.csv:3: no row of CSV (unexpected end of data)"),
        ("in.csv", b'id,text\nc,"d"e\n', [], "in.csv:2: no row of CSV"),
        ("in.csv", b"id,text\ra,b\rc,d", [], "in.csv:1: a carriage return without a line feed"),
        ("in.csv", b"id,text\na,b\rc,d\n", [], "in.csv:2: a carriage return without a line feed"),
        ("in.tsv", b"id\ttext\ra\tb\r", [], "in.tsv:1: a carriage return without a line feed"),
        ("in.tsv", b'id\ttext\na\t"b\tc"\n', [], "in.tsv:2: 3 fields, the header has 2"),
        ("in.tsv", b"id\ttext\na\tb\n\xff\tc\n", [], "in.tsv:3: byte 1 is not UTF-8"),
        ("in.txt", b"one\n\xfftwo\n", [], "in.txt:2: byte 1 is not UTF-8"),
        ("in.txt", b"one\ntwo\n", ["--format", "jsonl"], "in.txt:1: not JSON"),
        ("in.txt", b"one", ["--max-tokens", "1", "--overlap", "1"], "overlap is 1; expected less than"),
        ("in.txt", b"one", ["--no-chunks", "--overlap", "1"], "--no-chunks leaves texts whole"),
        ("in.txt", b"one", ["--precision", "int8", "--model", "no/such/model"], "no/such/model"),
        ("in.txt", b" ", [], "no text in in.txt"),
    ],
)
def test_wrong_input_makes_no_index(
    name: str, content: bytes, options: list[str], message: str, command: IndexCommand, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in command.fails("build", "index", name, *options)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_field_in_the_way_is_dropped(command: IndexCommand, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", {"text": "a", "path": "b", "lang": "en", "line": 9})
    command("build", "index", "in.jsonl", "--drop", "path", "--drop", "line", "--drop", "lang")
    (row,) = Index.open("index").get(["in.jsonl:1"])
    assert row["metadata"] == {"path": "in.jsonl", "line": 1}


def test_zero_bytes_are_characters_like_others(command: IndexCommand, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"id,text\na,b\x00c\n")
    (tmp_path / "in.txt").write_bytes(b"d\x00e")
    command("build", "index", "in.csv", "in.txt")
    assert texts_of(tmp_path / "index") == {"a": "b\x00c", "in.txt": "d\x00e"}


def test_a_later_header_is_checked_before_any_work(command: IndexCommand, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "b.csv").write_text("body\nb\n")
    assert "b.csv:1: no field 'text'" in command.fails("build", "index", "a.csv", "b.csv")
    assert not (tmp_path / "index").exists()


def test_what_comes_before_a_wrong_line_stays_and_is_told(command: IndexCommand, tmp_path: Path) -> None:
    good = [{"id": number, "text": f"text {number}"} for number in range(1500)]
    write_jsonl(tmp_path / "in.jsonl", *good, {"id": 0})
    error = command.fails("build", "index", "in.jsonl")
    assert "note: index: 1024 added, 0 updated, 0 removed, 0 skipped, 0 blank before it stopped" in error
    assert "in.jsonl:1501: no field 'text'" in error
    write_jsonl(tmp_path / "in.jsonl", *good)
    counts = command("build", "index", "in.jsonl")
    assert (counts["skipped"], counts["added"]) == (1024, 476)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--precision", "int8"], "precision float32, not int8"),
        (["--rescore", "int8"], "rescore None, not int8"),
        (["--no-texts"], "texts True, not False"),
    ],
)
def test_build_goes_on_with_the_same_settings_only(
    options: list[str], message: str, command: IndexCommand, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one")
    command("build", "index", "in.txt")
    (tmp_path / "in.txt").write_text("two")
    error = command.fails("build", "index", "in.txt", *options)
    assert f"index holds an index already, with {message}. Add to that index with: edge-st index add" in error
    assert texts_of(tmp_path / "index") == {"in.txt": "one"}


@pytest.mark.parametrize("action", ["build", "add", "search"])
def test_another_model_is_refused_by_name_and_fingerprint(
    action: str, command: IndexCommand, tmp_path: Path, tiny_folder: Path
) -> None:
    (tmp_path / "in.txt").write_text("one")
    command("build", "index", "in.txt")
    arguments = ["-q", "one"] if action == "search" else ["in.txt"]
    error = command.fails(action, "index", *arguments, "--model", tiny_folder)
    bundled, other = SentenceTransformer(), SentenceTransformer(tiny_folder)
    assert (
        f"was built with static-all-MiniLM-L6-v2 (fingerprint {bundled.fingerprint}), not with {tiny_folder}" in error
    )
    assert other.fingerprint in error
    assert f"edge-st index migrate index --model {tiny_folder}" in error


def test_a_model_that_is_gone_is_asked_for(command: IndexCommand, tmp_path: Path, tiny_folder: Path) -> None:
    Index.build(SentenceTransformer(tiny_folder), ["one"], "index").close()
    (tmp_path / tiny_folder.name).write_text("no folder")
    error = command.fails("search", "index", "-q", "fox")
    assert f"index was built with {tiny_folder.name} (fingerprint" in error
    assert "say where it is with --model" in error
    assert command("search", "index", "-q", "fox", "--model", tiny_folder)["rows"] == 1


def test_an_index_without_a_model_has_no_texts_to_search_by(command: IndexCommand, tmp_path: Path) -> None:
    Index.build(None, ["one"], "index", embeddings=np.eye(1, 8)).close()
    (tmp_path / "in.txt").write_text("one")
    for arguments in (["search", "index", "-q", "one"], ["add", "index", "in.txt"]):
        assert "built from embeddings without a model" in command.fails(*arguments)
    assert "none: embeddings were given" in command.says("info", "index")


def test_folders_that_are_no_index(command: IndexCommand, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "in.txt").write_text("one")
    (tmp_path / "in.txt").write_text("one")
    assert "full holds no index but in.txt" in command.fails("build", "full", "in.txt")
    assert "in.txt is a file; expected the folder of the index" in command.fails("build", "in.txt", "full")
    for action in (
        ["add", "full", "in.txt"],
        ["search", "full", "-q", "one"],
        ["delete", "full", "a"],
        ["info", "full"],
    ):
        assert "full has no index.json" in command.fails(*action)
    for action in (["add", "none", "in.txt"], ["compact", "none"], ["verify", "none"]):
        assert "none is not there" in command.fails(*action)
    assert "no such file or folder: gone.txt" in command.fails("build", "index", "gone.txt")
    assert "full is a folder, of which" in command.fails("build", "index", "full", "--format", "csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "in.txt"]


def test_one_writer_at_a_time(command: IndexCommand, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one")
    command("build", "index", "in.txt")
    with Index.open("index", "a"):
        for action in (["add", "index", "in.txt"], ["delete", "index", "in.txt"], ["compact", "index"]):
            assert "open for writing elsewhere" in command.fails(*action)
        assert command("search", "index", "-q", "one")["rows"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["remove", "index"],
        ["build", "index"],
        ["build", "index", "in.txt", "--precision", "uint8"],
        ["build", "index", "in.txt", "--rescore", "binary"],
        ["add", "index", "in.txt", "--precision", "int8"],
        ["add", "index", "in.txt", "--overlap", "-1"],
        ["add", "index", "in.txt", "--max-tokens", "0"],
        ["search", "index"],
        ["search", "index", "-q", "one", "--filter", "lang"],
        ["search", "index", "-q", "one", "--min-score", "high"],
        ["migrate", "index"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], command: IndexCommand) -> None:
    action, *more = arguments or ["--json"]
    assert "usage: edge-st" in command.fails(action, *more, code=2)
