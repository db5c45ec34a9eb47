"""``edge-st index`` on an index that is there: search, delete, info, compact, migrate, verify."""

import io
import json
import sys
from pathlib import Path

import pytest

from edge_st import Index, SentenceTransformer
from tests.support.index_command import IndexCommand, content, texts_of, write_jsonl

ROWS = [
    {"id": "bread", "text": "Knead the dough before you bake the bread.", "lang": "en", "year": 2024},
    {"id": "orbit", "text": "The satellite circles the earth in a low orbit.", "lang": "en", "year": 2023},
    {"id": "Brot", "text": "Erst den Teig kneten, dann das Brot backen.", "lang": "de", "year": 2024, "old": True},
]


@pytest.fixture
def index(command: IndexCommand, tmp_path: Path) -> Path:
    """An index of three rows of rows.jsonl, and a document of several pieces."""
    write_jsonl(tmp_path / "rows.jsonl", *ROWS)
    (tmp_path / "taxes.txt").write_text("Income tax returns must reach the office in July. " * 8)
    command("build", "index", "rows.jsonl", "taxes.txt", "--max-tokens", "30")
    return tmp_path / "index"


def ids(found: dict[str, list[dict[str, list[dict[str, object]]]]]) -> list[object]:
    """Those of the hits of the only query."""
    (query,) = found["queries"]
    return [hit["id"] for hit in query["hits"]]


def test_search_is_that_of_python(index: Path, command: IndexCommand) -> None:
    queries = ["how to bake", "tax office"]
    found = command("search", index, "-q", queries[0], "-q", queries[1], "-k", "2")
    expected = Index.open(index, model=SentenceTransformer()).search(queries, 2)
    assert found["rows"] == len(content(index))
    assert [each["query"] for each in found["queries"]] == queries
    for each, hits in zip(found["queries"], expected, strict=True):
        assert each["hits"] == [
            {"score": hit["score"], "id": hit["corpus_id"], "text": hit["text"], "metadata": hit["metadata"]}
            for hit in hits
        ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["lang=de"], {"Brot"}),
        (["lang=de", "lang=en"], {"bread", "orbit", "Brot"}),
        (["year=2024"], {"bread", "Brot"}),
        (["year=2024", "lang=en"], {"bread"}),
        (["old=true"], {"Brot"}),
        (["path=rows.jsonl"], {"bread", "orbit", "Brot"}),
        (["line=2"], {"orbit"}),
        (["lang="], set[str]()),
    ],
)
def test_filters(options: list[str], expected: set[str], index: Path, command: IndexCommand) -> None:
    arguments = [word for option in options for word in ("--filter", option)]
    assert set(ids(command("search", index, "-q", "bread", "-k", "9", *arguments))) == expected


def test_scores_below_the_least_are_left_out(index: Path, command: IndexCommand) -> None:
    (query,) = command("search", index, "-q", "bake bread", "-k", "9")["queries"]
    scores = [hit["score"] for hit in query["hits"]]
    assert ids(command("search", index, "-q", "bake bread", "--min-score", str(scores[0] - 0.01))) == ["bread"]
    assert ids(command("search", index, "-q", "bake bread", "--min-score", "1.1")) == []
    nothing = command.says("search", index, "-q", "bake bread", "--top-k", "1", "--min-score", "1.1")
    assert nothing.split() == ["bake", "bread", "nothing", "found"]


def test_search_prints_score_id_place_and_snippet(index: Path, command: IndexCommand) -> None:
    query, first, text, *_ = command.says("search", index, "-q", "satellite", "-k", "1").splitlines()
    assert query == "satellite"
    assert first.split()[1:] == ["orbit", "rows.jsonl:2"]
    assert text.strip() == ROWS[1]["text"]


def test_delete_by_id(index: Path, command: IndexCommand) -> None:
    before = content(index)
    assert command("delete", index, "bread", "orbit", "bread") == {
        "path": str(index),
        "rows": len(before) - 2,
        "deleted": 2,
    }
    assert content(index) == {name: row for name, row in before.items() if name not in ("bread", "orbit")}


def test_delete_of_a_split_text_takes_all_its_pieces(index: Path, command: IndexCommand) -> None:
    pieces = [name for name in content(index) if str(name).startswith("taxes.txt")]
    assert len(pieces) > 2
    assert command("delete", index, "taxes.txt#2")["deleted"] == 1
    command("add", index, "taxes.txt", "--max-tokens", "30")
    assert command.says("delete", index, "taxes.txt") == f"{index}: {len(pieces)} deleted; 3 rows now\n"


def test_delete_by_file(index: Path, command: IndexCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("delete", index, "--path", "./rows.jsonl")["deleted"] == 3
    assert {row["metadata"]["path"] for row in content(index).values()} == {"taxes.txt"}
    assert "comes from rows.jsonl" in command.fails("delete", index, "--path", "rows.jsonl")


def test_delete_by_ids_in_a_file(
    index: Path, command: IndexCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ids.txt").write_text("bread\n\nBrot\n")
    assert command("delete", index, "--ids-from", "ids.txt")["deleted"] == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"orbit\n")))
    assert command("delete", index, "--ids-from", "-")["deleted"] == 1


def test_an_id_that_is_not_there_deletes_nothing(index: Path, command: IndexCommand) -> None:
    before = content(index)
    assert "'butter', which" in command.fails("delete", index, "bread", "butter")
    assert "nothing to delete; expected an ID" in command.fails("delete", index)
    assert content(index) == before


def test_an_integer_is_found_where_there_is_no_such_string(command: IndexCommand) -> None:
    Index.build(SentenceTransformer(), ["a", "b", "c", "d"], "index", [7, "8", 8, -9]).close()
    command("delete", "index", "7", "8", "--", "-9")
    assert texts_of(Path("index")) == {8: "c"}


def test_info(index: Path, command: IndexCommand) -> None:
    assert command("info", index) == Index.open(index).info()
    lines = dict(line.split(":", 1) for line in command.says("info", index).splitlines())
    model = SentenceTransformer()
    shown = {name: lines[name].strip() for name in ("rows", "precision", "texts", "rescore", "fingerprint")}
    expected = {"rows": str(len(content(index))), "precision": "float32", "texts": "yes", "rescore": "no"}
    assert shown == {**expected, "fingerprint": model.fingerprint}


def test_compact_gives_the_space_back(index: Path, command: IndexCommand) -> None:
    command("delete", index, "--path", "taxes.txt")
    before, rows = Index.open(index).info(), content(index)
    assert "bytes" in command.says("compact", index)
    after = Index.open(index).info()
    assert (after["deleted"], after["segments"]) == (0, 1)
    assert after["bytes"] < before["bytes"]
    assert content(index) == rows


def test_migrate_moves_to_the_other_model_which_is_then_found_by_its_path(
    index: Path, command: IndexCommand, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(index)
    (tmp_path / "model").symlink_to(tiny_folder)
    assert f"{len(before)} rows of {tiny_folder.resolve()}" in command.says("migrate", index, "--model", "model")
    assert content(index) == before
    assert command("info", index)["model"]["name"] == str(tiny_folder.resolve())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert len(ids(command("search", index, "-q", "fox"))) == 5
    write_jsonl(elsewhere / "more.jsonl", {"id": "fox", "text": "the quick brown fox"})
    assert command("add", index, "more.jsonl")["added"] == 1


def test_verify_tells_of_a_file_that_changed(index: Path, command: IndexCommand) -> None:
    assert "all checksums are right" in command.says("verify", index)
    (segment,) = index.glob("segment-*")
    content_before = segment.read_bytes()
    segment.write_bytes(content_before[:-1] + bytes([content_before[-1] ^ 1]))
    assert str(segment) in command.fails("verify", index)
    segment.write_bytes(content_before[:-1])
    for action in ("info", "verify", "compact"):
        assert str(segment) in command.fails(action, index)
    manifest = index / "index.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "added": 0}))
    assert "was changed since it was written" in command.fails("info", index)
