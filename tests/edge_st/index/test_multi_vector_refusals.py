"""What a multi-vector index refuses: before any work, saying what was found and expected, and changing nothing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import MultiVectorIndex, SentenceTransformer
from edge_st_runtime.errors import DamagedFileError, EdgeSTError, FolderError, InputError, InputTypeError, OptionError
from tests.support.damage import flip
from tests.support.tiny_models import TinyModel
from tests.support.tiny_multi_vector import DIM, save_multi_vector

pytestmark = pytest.mark.usefixtures("quick_disk")
VECTORS = [np.random.default_rng(count).standard_normal((count, DIM)).astype(np.float32) for count in (3, 0, 2)]
Wrong = tuple[dict[str, Any], type[EdgeSTError], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    return save_multi_vector(place / "model", TinyModel().save(place / "tiny"))


@pytest.fixture
def index(folder: Path, tmp_path: Path) -> Iterator[MultiVectorIndex]:
    with MultiVectorIndex.build(folder, ["the quick fox", "a lazy dog"], tmp_path / "index") as found:
        yield found


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    return {"texts": ["a", "b", "c"], **given}


def with_at(value: float) -> Any:
    found = [vectors.copy() for vectors in VECTORS]
    found[2][1, 5] = value
    return found


ROWS: list[Wrong] = [
    ({"texts": "text"}, InputTypeError, r"texts is str \('text'\); expected a list of str"),
    ({"texts": ["a", "b", 5]}, InputTypeError, r"texts\[2\] is int \(5\); expected a str"),
    ({"texts": None}, InputError, "texts and embeddings are both None"),
    ({"ids": ["x"]}, InputError, "ids has 1 items for 3 rows"),
    ({"ids": [7, 8, 7]}, InputError, r"ids\[0\] and ids\[2\] are both 7"),
    ({"metadata": [{}, {}, {"a": {1}}]}, InputError, r"metadata\[2\] cannot be written as JSON"),
    ({"embeddings": VECTORS[:2]}, InputError, "embeddings has 2 rows for 3 texts; expected one for each"),
    ({"embeddings": [found[:, :7] for found in VECTORS]}, InputError, "embeddings of 7 dimensions; expected 8"),
    (
        {"embeddings": [VECTORS[0], VECTORS[1], VECTORS[2][:, :7]]},
        InputError,
        r"embeddings\[2\] has 7 dimensions, embeddings\[0\] has 8; expected the same for all",
    ),
    ({"embeddings": with_at(np.nan)}, InputError, r"embeddings\[2\] holds NaN or infinity at token 1 \(1 of 2 tokens"),
    ({"embeddings": with_at(np.inf)}, InputError, r"embeddings\[2\] holds NaN or infinity"),
    ({"embeddings": VECTORS[0]}, InputError, r"embeddings has shape \(3, 8\); expected a list of arrays \(tokens, dim"),
    ({"embeddings": [VECTORS[0][0]] * 3}, InputError, r"embeddings\[0\] has shape \(8,\); expected \(tokens, dim\)"),
    ({"embeddings": [VECTORS[0] > 0] * 3}, InputTypeError, r"embeddings\[0\] has dtype bool; expected numbers"),
    ({"embeddings": "abc"}, InputTypeError, r"embeddings is str \('abc'\); expected a list of arrays"),
    ({"embeddings": 5}, InputTypeError, r"embeddings is int \(5\); expected a list of arrays"),
    ({"embeddings": VECTORS, "texts": None}, InputError, "texts is None, but this index stores texts"),
    ({"embeddings": VECTORS, "texts": iter("abc")}, InputTypeError, "texts is an iterator; expected a list of texts"),
]


@pytest.mark.parametrize(("given", "error", "message"), ROWS)
def test_wrong_rows(index: MultiVectorIndex, given: dict[str, Any], error: type[EdgeSTError], message: str) -> None:
    before = index.info()
    with pytest.raises(error, match=message):
        index.add(**arguments(given))
    assert index.info() == before
    assert len(index.search("fox")) == 2


@pytest.mark.parametrize(("given", "error", "message"), [row for row in ROWS if "stores texts" not in row[2]])
def test_wrong_rows_make_no_folder(
    tmp_path: Path, folder: Path, given: dict[str, Any], error: type[EdgeSTError], message: str
) -> None:
    with pytest.raises(error, match=message):
        MultiVectorIndex.build(folder, path=tmp_path / "new", **arguments(given))
    assert list(tmp_path.iterdir()) == []


CALLS: list[tuple[Callable[[Any], object], type[EdgeSTError], str]] = [
    (lambda index: index.search(5), InputTypeError, r"query is int \(5\); expected a list of arrays"),
    (lambda index: index.search(["a", 5]), InputTypeError, r"query\[1\] is int \(5\)"),
    (lambda index: index.search(np.ones(DIM)), InputError, r"query has shape \(8,\); expected a list of arrays"),
    (lambda index: index.search(np.ones((2, 7))), InputError, "embeddings of 7 dimensions; expected 8"),
    (lambda index: index.search([np.ones((2, 8)), np.ones((1, 9))]), InputError, r"embeddings\[1\] has 9 dimensions"),
    (lambda index: index.search(np.full((2, 8), np.nan)), InputError, r"query\[0\] holds NaN or infinity at token 0"),
    (lambda index: index.search("a", 0), OptionError, "top_k must be a positive integer, got 0"),
    (lambda index: index.search("a", candidates=0), OptionError, "candidates must be a positive integer, got 0"),
    (lambda index: index.search("a", filter=5), OptionError, r"filter is int \(5\)"),
    (lambda index: index.search("a", ids=[99]), InputError, r"ids\[0\] is 99, which .* does not hold"),
    (lambda index: index.search("a", score_threshold="x"), OptionError, "score_threshold"),
    (lambda index: index.update([0, 77], ["a", "b"]), InputError, r"ids\[1\] is 77, which .* does not hold"),
    (lambda index: index.delete(["0"]), InputError, r"ids\[0\] is '0', which"),
    (lambda index: index.migrate(None), OptionError, "model is None; expected the MultiVectorEncoder to move to"),
]


@pytest.mark.parametrize(("call", "error", "message"), CALLS)
def test_wrong_calls(
    index: MultiVectorIndex, call: Callable[[Any], object], error: type[EdgeSTError], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(index)
    assert len(index) == 2


BUILDS: list[Wrong] = [
    ({"model": None}, OptionError, "model is None; expected a MultiVectorEncoder, or embeddings"),
    ({"model": 5}, OptionError, r"model is int \(5\); expected a MultiVectorEncoder, or a folder or name of one"),
    ({"model": SentenceTransformer()}, OptionError, "expected a MultiVectorEncoder, or a folder or name of one"),
    ({"precision": "binary"}, OptionError, "precision is 'binary'; expected one of 'int8', 'int4', 'int2'"),
    ({"model": None, "texts": None, "embeddings": []}, InputError, "embeddings is empty and model is None"),
    ({"path": 5}, OptionError, r"path is int \(5\); expected the folder of an index"),
]


@pytest.mark.parametrize(("given", "error", "message"), BUILDS)
def test_wrong_builds(
    tmp_path: Path, folder: Path, given: dict[str, Any], error: type[EdgeSTError], message: str
) -> None:
    with pytest.raises(error, match=message):
        MultiVectorIndex.build(**({"model": folder, "texts": ["a"], "path": tmp_path / "new"} | given))
    assert list(tmp_path.iterdir()) == []


def test_one_writer_and_readers_that_only_read(index: MultiVectorIndex, folder: Path) -> None:
    path = index.info()["path"]
    with pytest.raises(FolderError, match="open for writing elsewhere"):
        MultiVectorIndex.open(path, "a")
    with pytest.raises(FolderError, match=r"already holds an index; add to it with MultiVectorIndex\.open"):
        MultiVectorIndex.build(folder, ["a"], path)
    reader = MultiVectorIndex.open(path)
    with pytest.raises(OptionError, match=r"open to read; open it to write: MultiVectorIndex\.open\(.*mode='a'\)"):
        reader.add(["a"])
    with pytest.raises(OptionError, match=r"which a query that is a text needs: MultiVectorIndex\.open\("):
        reader.search("a")


def test_damaged_files_are_named(index: MultiVectorIndex, folder: Path) -> None:
    path = Path(index.info()["path"])
    index.close()
    manifest = json.loads((path / "index.json").read_text())
    codec, (segment,) = manifest["codec"]["name"], [entry["name"] for entry in manifest["segments"]]
    flip(path / segment, (path / segment).stat().st_size - 3)
    with pytest.raises(DamagedFileError, match=rf"{segment} has sha256 .*; build the index again"):
        MultiVectorIndex.open(path).verify()
    with pytest.raises(DamagedFileError, match=f"{segment} has sha256"), MultiVectorIndex.open(path, "a") as opened:
        opened.compact()
    flip(path / codec, (path / codec).stat().st_size - 1)
    for mode in ("r", "a"):
        with pytest.raises(DamagedFileError, match=rf"{codec} has sha256 .*; build the index again"):
            MultiVectorIndex.open(path, mode)  # type: ignore[arg-type]
    (path / codec).unlink()
    with pytest.raises(FolderError, match=rf"{codec} is missing; build the index again"):
        MultiVectorIndex.open(path, model=folder)
