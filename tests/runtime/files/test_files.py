"""File names that lead outside a folder, and files that are not the expected JSON."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from edge_st_runtime.errors import DamagedFileError, MissingFileError, UnsafePathError
from edge_st_runtime.files.reading import inside, read_json, read_json_list, read_optional_json, sha256
from edge_st_runtime.files.writing import replacing

OUTSIDE = [
    "..",
    "../x",
    "a/../../x",
    "/etc/passwd",
    "\\x",
    "..\\x",
    "a\\..\\..\\x",
    "C:x",
    "C:\\x",
    "c:/x",
    "//host/x",
    "a\0b",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_outside(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError) as refused:
        inside(tmp_path, name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", ["", "1_Pooling", "a/b.json", "..x", "a b", "模型"])
def test_names_inside(name: str, tmp_path: Path) -> None:
    assert inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("content", [b'{"a": ', b"\xff\xfe\x00", b"", b"[1]", b"3", b"null"])
def test_json_that_is_no_object(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    for read in (read_json, read_optional_json):
        with pytest.raises(DamagedFileError, match=r"x.json"):
            read(path)


def test_json_that_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DamagedFileError, match=r"dict; expected a JSON list"):
        read_json_list(tmp_path / "x.json")


def test_missing_json(tmp_path: Path) -> None:
    assert read_optional_json(tmp_path / "x.json") == {}
    for path in (tmp_path / "x.json", tmp_path / "no" / "x.json"):
        with pytest.raises(MissingFileError, match=r"x.json is missing"):
            read_json(path)


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_threads_write_one_file_at_once(tmp_path: Path) -> None:
    def write(text: str) -> None:
        with replacing(tmp_path / "x") as part:
            part.write_text(text)
            together.wait()

    together = Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert (tmp_path / "x").read_text() in set("abcd")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b'{"a": 1,\n "b": 2,\n}', r"line [23] column \d+ .*; correct line [23], or export or download"),
        (b'\xef\xbb\xbf{"a": 1}', r"; save it as UTF-8 without a byte order mark \(BOM\), or export or download"),
        ('{"a": 1}'.encode("utf-16"), r"; save it as UTF-8 without a byte order mark \(BOM\), or export or download"),
    ],
    ids=["a comma too many", "a byte order mark", "UTF-16"],
)
def test_json_that_was_edited_by_hand(content: bytes, advice: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(DamagedFileError, match=rf"config\.json cannot be read as JSON \(.*{advice}"):
        read_json(tmp_path / "config.json")
