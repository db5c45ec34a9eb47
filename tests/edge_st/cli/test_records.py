"""Reading texts and writing embeddings, without a model."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from edge_st.cli.embedding_files import write_jsonl, write_npy
from edge_st.cli.records import Record, read_records
from edge_st_runtime.errors import InputError
from edge_st_runtime.files.writing import replacing


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def test_lines_end_at_newlines_only_and_blank_ones_are_texts(tmp_path: Path) -> None:
    name = write(tmp_path / "a.txt", "\ufeffone\r\n\n two\u2028two \nlast".encode())
    assert list(read_records([name], "auto", "text")) == [Record(t) for t in ("one", "", " two\u2028two ", "last")]


def test_jsonl_by_ending_or_by_name_keeps_ids_and_skips_blank_lines(tmp_path: Path) -> None:
    content = b'{"text": "a", "id": 7, "more": [1]}\n\n  \n{"text": "b", "id": "x"}\n{"text": "c"}'
    expected = [Record("a", 7), Record("b", "x"), Record("c")]
    assert list(read_records([write(tmp_path / "a.JSONL", content)], "auto", "text")) == expected
    assert list(read_records([write(tmp_path / "a.txt", content)], "jsonl", "text")) == expected
    assert len(list(read_records([str(tmp_path / "a.JSONL")], "lines", "text"))) == 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "a"', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["a"]', "a JSON list"),
        (b'{"body": "a"}', "no field 'text'; it has body"),
        (b'{"text": null}', "field 'text' is NoneType"),
        (b'{"text": "a", "id": [1]}', "'id' is list"),
        (b'{"text": "a", "id": "\\ud800"}', "field 'id' holds a lone surrogate"),
        (b'{"text": "\xff"}', "byte 11 is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path: Path, line: bytes, message: str) -> None:
    name = write(tmp_path / "a.jsonl", b'{"text": "fine"}\n\n' + line + b"\n")
    with pytest.raises(InputError) as caught:
        list(read_records([name], "auto", "text"))
    assert str(caught.value).startswith(f"{name}:3: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("count", [0, 1, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_npy_written_row_by_row_is_what_numpy_loads(tmp_path: Path, count: int, dtype: type[np.generic]) -> None:
    rows = np.random.default_rng(0).integers(-100, 100, (count, 5)).astype(dtype)
    with (tmp_path / "a.npy").open("xb") as file:
        assert write_npy(file, iter(rows), rows[:0]) == count
    loaded = np.load(tmp_path / "a.npy")
    assert loaded.dtype == dtype
    np.testing.assert_array_equal(loaded, rows)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), rows)


def test_jsonl_keeps_float32_exactly_and_integers_as_such() -> None:
    row = np.random.default_rng(0).standard_normal(64).astype(np.float32) * np.float32(1e-6)
    file = StringIO()
    assert write_jsonl(file, iter([(("id", 'a"b'), row), (("index", 1), np.array([-3, 127], np.int8))])) == 2
    first, second = map(json.loads, file.getvalue().splitlines())
    assert first["id"] == 'a"b'
    np.testing.assert_array_equal(np.array(first["embedding"], np.float32), row)
    assert second == {"index": 1, "embedding": [-3, 127]}


def test_a_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")

    def interrupted() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out.txt": "old"}
    with replacing(target) as part:
        part.write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out.txt": "new"}


@pytest.mark.parametrize("letter", ["a", "é", "日", "😀"])
@pytest.mark.parametrize("end", ["\n", "", "\r\n"], ids=repr)
def test_of_a_long_line_the_beginning_and_the_end_are_kept(letter: str, end: str, tmp_path: Path) -> None:
    size = len(letter.encode())
    for count in (9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 100):
        line = f"12{letter * count}34"
        name = write(tmp_path / "a.txt", f"one\n{line}{end}".encode())
        first, found = [record.text for record in read_records([name], "auto", "text", 24, cut=True)]
        assert first == "one"
        if len((line + end).encode()) <= 24:
            assert found == line
        assert found.startswith("12")
        assert found.endswith("34")
        assert len(found.encode()) <= 24
        assert len(found.encode()) > 24 - 4 * size or found == line
        assert set(found) <= set(line)


@pytest.mark.parametrize("ending", ["txt", "jsonl"])
def test_a_long_line_is_refused_where_it_counts_whole(ending: str, tmp_path: Path) -> None:
    name = write(tmp_path / f"a.{ending}", b'{"text": "a"}\n{"text": "' + b"b" * 40 + b'"}\n')
    with pytest.raises(InputError, match=rf"a.{ending}:2: a line of more than 32 bytes; expected shorter ones"):
        list(read_records([name], "auto", "text", 32, cut=ending == "jsonl"))
