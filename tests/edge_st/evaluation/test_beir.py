"""Retrieval sets in BEIR's layout."""

import json
import re
from pathlib import Path

import pytest

from edge_st.evaluation.datasets import RetrievalData, read_beir, read_dataset
from edge_st_runtime.errors import InputError, OptionError

HEADER = "query-id\tcorpus-id\tscore\n"
CORPUS = [
    {"_id": "d1", "title": "Cats", "text": "They purr. ", "metadata": {}},
    {"_id": "d2", "title": "", "text": "Dogs bark."},
    {"_id": "d3", "text": ""},
    {"_id": "d4", "title": None, "text": "a\u2028b"},
]
QUERIES = [{"_id": name, "text": f"query {name}"} for name in ("q1", "q2", "q3", "q4")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set with the split "test"."""
    made = tmp_path / "pets"
    (made / "qrels").mkdir(parents=True)
    for name, rows in (("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES)):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (made / name).write_text("\n".join(lines), encoding="utf-8")
    judge(made, "test", "q3\td2\t2\nq1\td1\t1\nq1\td2\t0\nq1\td4\t1\nq2\td1\t0\nq2\td2\t-1\n")
    return made


def judge(folder: Path, split: str, lines: str, header: str = HEADER) -> Path:
    path = folder / "qrels" / f"{split}.tsv"
    path.write_bytes((header + lines).encode())
    return path


def test_queries_with_a_relevant_document_are_kept_in_their_order(folder: Path) -> None:
    found = read_dataset(folder)
    assert found == RetrievalData(
        name="pets-test",
        queries={"q1": "query q1", "q3": "query q3"},
        corpus={"d1": "Cats They purr.", "d2": "Dogs bark.", "d3": "", "d4": "a\u2028b"},
        grades={"q1": {"d1": 1, "d2": 0, "d4": 1}, "q3": {"d2": 2}},
    )
    assert isinstance(found, RetrievalData)
    assert list(found.queries) == list(found.grades) == ["q1", "q3"]
    assert found.relevant_docs == {"q1": {"d1", "d4"}, "q3": {"d2"}}


def test_texts_without_titles_are_left_as_they_are(folder: Path) -> None:
    assert read_beir(str(folder), titles=False).corpus["d1"] == "They purr. "


def test_byte_order_marks_carriage_returns_and_blank_lines_do_no_harm(folder: Path) -> None:
    expected = read_beir(folder)
    for path in folder.rglob("*.*"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert read_beir(folder) == expected


def test_a_split_is_the_only_one_or_test_or_named(folder: Path) -> None:
    train = judge(folder, "train", "q4\td3\t1\n")
    assert read_dataset(folder).name == "pets-test"
    assert read_dataset(train) == read_beir(folder, "train")
    assert read_beir(folder, "train").relevant_docs == {"q4": {"d3"}}
    (folder / "qrels" / "test.tsv").unlink()
    assert read_dataset(folder).name == "pets-train"


@pytest.mark.parametrize(("split", "wanted"), [(None, "test"), ("validation", "validation")])
def test_another_split_is_refused_with_those_there_are(folder: Path, split: str | None, wanted: str) -> None:
    (folder / "qrels" / "test.tsv").rename(folder / "qrels" / "train.tsv")
    dev = judge(folder, "dev", "")
    message = f"{folder} has the splits dev, train, but no {wanted}; name one by its file: {dev}"
    with pytest.raises(OptionError, match=re.escape(message)):
        read_beir(folder, split)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_an_incomplete_folder_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    missing = name.replace("test", "SPLIT")
    with pytest.raises(OptionError, match=re.escape(f"{folder} has no {missing}; a folder is read in BEIR's layout")):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("q1\td1\t1\nq9\td1\t1\n", "{file}:3: 'q9' is no _id in {folder}/queries.jsonl; expected one that is"),
        ("q1\td9\t1\n", "{file}:2: 'd9' is no _id in {folder}/corpus.jsonl; expected one that is"),
        ("q1\td1\t0.5\n", "{file}:2: score '0.5' is not an integer; expected 1, 0 or another grade"),
        ("q1\td1\n", "{file}:2: 2 columns; expected query-id TAB corpus-id TAB score"),
        ("q1\t0\td1\t1\n", "{file}:2: 4 columns; expected query-id TAB corpus-id TAB score"),
        ("", "{file}: no query has a relevant document; expected lines with a score above 0"),
        ("q1\td1\t0\n", "{file}: no query has a relevant document; expected lines with a score above 0"),
    ],
)
def test_wrong_judgements_are_refused(folder: Path, lines: str, message: str) -> None:
    file = judge(folder, "test", lines)
    with pytest.raises(InputError) as caught:
        read_dataset(file)
    assert str(caught.value) == message.format(file=file, folder=folder)


@pytest.mark.parametrize(
    ("header", "found"), [("q1\td1\t1\n", ":1: found the columns 'q1', 'd1', '1'"), ("", ": found the columns none")]
)
def test_judgements_need_their_header(folder: Path, header: str, found: str) -> None:
    file = judge(folder, "test", "", header)
    with pytest.raises(InputError) as caught:
        read_dataset(folder)
    assert str(caught.value) == f"{file}{found}; expected the header query-id TAB corpus-id TAB score"


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            b'{"_id": "x", "text": "twice"}',
            "_id 'x' is already in {file}:2; expected a different one in every line",
        ),
        (b'{"text": "a"}', "no field '_id'; it has text"),
        (b'{"_id": 7, "text": "a"}', "field '_id' is int; expected a string"),
        (b'{"_id": "y"}', "no field 'text'; it has _id"),
        (b'{"_id": "y", "text": null}', "field 'text' is NoneType; expected a string"),
        (b'["y"]', 'a JSON list; expected an object such as {{"_id": "an id", "text": "a text"}}'),
        (b'{"_id": "\xff"}', "byte 10 is not UTF-8; convert the file, for example with iconv"),
    ],
)
def test_a_wrong_line_is_refused(folder: Path, name: str, line: bytes, message: str) -> None:
    file = folder / name
    file.write_bytes(b'\n{"_id": "x", "text": "a"}\n\n' + line + b"\n")
    with pytest.raises(InputError) as caught:
        read_dataset(folder)
    assert str(caught.value) == f"{file}:4: {message.format(file=file)}"


def test_a_title_is_a_text(folder: Path) -> None:
    (folder / "corpus.jsonl").write_text('{"_id": "d1", "title": ["Cats"], "text": "a"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"corpus\.jsonl:1: field 'title' is list; expected a string"):
        read_beir(folder)
