"""What an index refuses: before any work, saying what was found and expected, and changing nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from edge_st_runtime.errors import (
    EdgeSTError,
    FolderError,
    FolderNotFoundError,
    InputError,
    InputTypeError,
    NotAFolderError,
    OptionError,
)
from tests.support.indexed import TEXTS, check

pytestmark = pytest.mark.usefixtures("quick_disk")
VECTORS = np.random.default_rng(0).standard_normal((3, 256)).astype(np.float32)
HELD = dict(enumerate(TEXTS[:5]))
Wrong = tuple[dict[str, Any], type[EdgeSTError], str]
_deep: Any = {}
_deep["self"] = _deep


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture(scope="module")
def index(model: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.build(model, TEXTS[:5], tmp_path_factory.mktemp("index") / "x") as found:
        yield found


def arguments(given: dict[str, Any], **others: Any) -> dict[str, Any]:
    return others | given


def with_at(value: float) -> Any:
    found = VECTORS.copy()
    found[1, 7] = value
    return found


ROWS: list[Wrong] = [
    ({"texts": "text"}, InputTypeError, r"texts is str \('text'\); expected a list of str"),
    ({"texts": ["a", None]}, InputTypeError, r"texts\[1\] is None; expected a str"),
    ({"texts": ["a", 5]}, InputTypeError, r"texts\[1\] is int \(5\); expected a str"),
    ({"texts": [b"a"]}, InputTypeError, r"texts\[0\] is bytes"),
    ({"texts": {"a": 1}}, InputTypeError, "texts is dict"),
    ({"texts": 5}, InputTypeError, "texts is int"),
    ({"texts": {"a", "b"}}, InputTypeError, "texts is set"),
    ({"texts": ["a", "\ud800"]}, InputError, r"texts\[1\] holds a lone surrogate; remove it"),
    ({"texts": None}, InputError, "texts and embeddings are both None; expected one of them"),
    ({"ids": ["x"]}, InputError, "ids has 1 items for 3 rows; expected one for each"),
    ({"ids": [7, 8, 7]}, InputError, r"ids\[0\] and ids\[2\] are both 7; expected a different id"),
    ({"ids": [7, 8, 0]}, InputError, r"ids\[2\] is 0, which the index already holds; change that row with update"),
    ({"ids": [7, 8, 1.5]}, InputTypeError, r"ids\[2\] is 1.5 of type float; expected str or int"),
    ({"ids": [7, 8, None]}, InputTypeError, r"ids\[2\] is None of type NoneType"),
    ({"ids": [7, 8, True]}, InputTypeError, r"ids\[2\] is True of type bool"),
    ({"ids": [7, 8, (1,)]}, InputTypeError, r"ids\[2\] is \(1,\) of type tuple"),
    ({"ids": "abc"}, InputTypeError, r"ids is str \('abc'\); expected a list with one for each row"),
    ({"ids": b"abc"}, InputTypeError, "ids is bytes"),
    ({"ids": 5}, InputTypeError, "ids is int"),
    ({"ids": {"a": 1}}, InputTypeError, "ids is dict"),
    (
        {"ids": {7, 8, 9}},
        InputTypeError,
        "ids is set .*, which has no order; expected a list with one for each row",
    ),
    ({"ids": frozenset("abc")}, InputTypeError, "ids is frozenset .* no order"),
    ({"ids": [7, 8, "\ud800"]}, InputError, r"ids\[2\] holds a lone surrogate; remove it"),
    ({"metadata": set()}, InputTypeError, "metadata is set"),
    ({"metadata": [{}, {}, {"a": ["\ud800"]}]}, InputError, r"metadata\[2\] holds a lone surrogate; remove it"),
    ({"metadata": [{}, {}, {"\udfff": 1}]}, InputError, r"metadata\[2\] holds a lone surrogate"),
    ({"texts": iter("abc"), "ids": {7, 8, 9}}, InputTypeError, "ids is set .* no order"),
    ({"texts": iter("abc"), "metadata": {1, 2, 3}}, InputTypeError, "metadata is set .* no order"),
    ({"metadata": [{}]}, InputError, "metadata has 1 items for 3 rows"),
    ({"metadata": {"a": 1}}, InputTypeError, r"metadata is dict \(.*\); expected a list of dictionaries"),
    ({"metadata": "abc"}, InputTypeError, "metadata is str"),
    ({"metadata": [{}, {}, "x"]}, InputTypeError, r"metadata\[2\] is str \('x'\); expected a dictionary or None"),
    ({"metadata": [{}, {}, {"a": {1}}]}, InputError, r"metadata\[2\] cannot be written as JSON"),
    ({"metadata": [{}, {}, {"a": np.float32(1)}]}, InputError, r"metadata\[2\] cannot be written as JSON"),
    ({"metadata": [{}, {}, {"a": float("nan")}]}, InputError, r"metadata\[2\] cannot be written as JSON"),
    ({"metadata": [{}, {}, _deep]}, InputError, r"metadata\[2\] cannot be written as JSON"),
    ({"metadata": [{}, {}, {1: 2}]}, InputTypeError, r"metadata\[2\] has the key 1 of type int; expected str"),
    ({"embeddings": VECTORS[:2]}, InputError, "embeddings has 2 rows for 3 texts; expected one for each"),
    ({"embeddings": VECTORS[:, :7]}, InputError, "embeddings of 7 dimensions; expected 256"),
    ({"embeddings": with_at(np.nan)}, InputError, r"embeddings\[1\] holds NaN or infinity \(1 of 3 rows do\)"),
    ({"embeddings": with_at(np.inf)}, InputError, r"embeddings\[1\] holds NaN or infinity"),
    ({"embeddings": with_at(1).astype(np.float64) * 1e300}, InputError, r"embeddings\[0\] holds NaN or infinity"),
    ({"embeddings": VECTORS[0]}, InputError, r"embeddings has shape \(256,\); expected \(n, dim\)"),
    ({"embeddings": VECTORS[None]}, InputError, r"embeddings has shape \(1, 3, 256\)"),
    ({"embeddings": "abc"}, InputTypeError, "embeddings has dtype <U3; expected numbers"),
    ({"embeddings": [[1.0], [1.0, 2.0], []]}, InputError, r"row 0 has the shape \(1,\), row 1 \(2,\)"),
    ({"embeddings": VECTORS > 0}, InputTypeError, "embeddings has dtype bool"),
    ({"embeddings": VECTORS.astype(complex)}, InputTypeError, "embeddings has dtype complex"),
    ({"embeddings": VECTORS, "texts": None}, InputError, "texts is None, but this index stores texts"),
    ({"embeddings": VECTORS, "texts": iter(["a"])}, InputTypeError, "texts is an iterator; expected a list of texts"),
]


@pytest.mark.parametrize(("given", "error", "message"), ROWS)
def test_wrong_rows(index: Index, given: dict[str, Any], error: type[EdgeSTError], message: str) -> None:
    before = index.info()
    with pytest.raises(error, match=message):
        index.add(**arguments(given, texts=["a", "b", "c"]))
    check(index, HELD)
    assert index.info() == before


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [row for row in ROWS if "already holds" not in row[2] and "stores texts" not in row[2]],
)
def test_wrong_rows_make_no_folder(
    tmp_path: Path, model: SentenceTransformer, given: dict[str, Any], error: type[EdgeSTError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Index.build(model, path=tmp_path / "new", **arguments(given, texts=["a", "b", "c"]))
    assert list(tmp_path.iterdir()) == []


CHANGES: list[tuple[Callable[[Any], object], type[EdgeSTError], str]] = [
    (lambda index: index.update([0, 77], ["a", "b"]), InputError, r"ids\[1\] is 77, which .* does not hold"),
    (lambda index: index.update([0, 0], ["a", "b"]), InputError, r"ids\[0\] and ids\[1\] are both 0"),
    (lambda index: index.update([0], ["a", "b"]), InputError, "ids has 1 items for 2 rows"),
    (lambda index: index.update([0], "a"), InputTypeError, "texts is str"),
    (lambda index: index.update([0], None), InputError, "both None"),
    (lambda index: index.update([0], None, embeddings=VECTORS[:1]), InputError, "this index stores texts"),
    (lambda index: index.update([0], ["a"], [{}, {}]), InputError, "metadata has 2 items for 1 rows"),
    (lambda index: index.update(0, ["a"]), InputTypeError, "ids is int"),
    (lambda index: index.update({0, 1}, ["a", "b"]), InputTypeError, "ids is set .* no order"),
    (lambda index: index.find({0, 1}), InputTypeError, "ids is set .* no order"),
    (lambda index: index.delete([0, "0"]), InputError, r"ids\[1\] is '0', which .* does not hold; ids\(\) lists"),
    (lambda index: index.delete([0, 0]), InputError, r"ids\[0\] and ids\[1\] are both 0"),
    (lambda index: index.delete("ab"), InputTypeError, "ids is str"),
    (lambda index: index.delete([None]), InputTypeError, r"ids\[0\] is None"),
    (lambda index: index.get([99]), InputError, r"ids\[0\] is 99, which"),
    (lambda index: index.get(0), InputTypeError, r"ids is int \(0\); expected a list, such as \[0\]"),
    (lambda index: None in index, InputTypeError, r"ids\[0\] is None"),
]


@pytest.mark.parametrize(("change", "error", "message"), CHANGES)
def test_wrong_changes(index: Index, change: Any, error: type[EdgeSTError], message: str) -> None:
    with pytest.raises(error, match=message):
        change(index)
    check(index, HELD)


SEARCHES: list[Wrong] = [
    ({"top_k": 0}, OptionError, "top_k must be a positive integer, got 0"),
    ({"top_k": -3}, OptionError, "top_k must be a positive integer, got -3"),
    ({"top_k": 1.5}, OptionError, "top_k must be"),
    ({"top_k": None}, OptionError, "top_k must be"),
    ({"top_k": True}, OptionError, "top_k must be"),
    ({"rescore_multiplier": 0}, OptionError, "rescore_multiplier must be a positive integer, got 0"),
    ({"score_threshold": "0.5"}, OptionError, "score_threshold is '0.5'; expected a number"),
    ({"score_threshold": float("nan")}, OptionError, "score_threshold is nan"),
    ({"filter": "lang"}, OptionError, r"filter is str \('lang'\); expected a dictionary such as"),
    ({"filter": ["lang"]}, OptionError, r"filter is list \("),
    ({"ids": [0, 99]}, InputError, r"ids\[1\] is 99, which .* does not hold"),
    ({"ids": "0"}, InputTypeError, "ids is str"),
    ({"ids": 0}, InputTypeError, "ids is int"),
    ({"query": None}, InputTypeError, "query is None; expected a text or an embedding, or a list of these"),
    ({"query": 5}, InputError, r"query has shape \(\); expected \(n, dim\)"),
    ({"query": ["a", 5]}, InputTypeError, r"query\[1\] is int"),
    ({"query": ["a", "\udfff"]}, InputError, r"query\[1\] holds a lone surrogate"),
    ({"query": b"a"}, InputTypeError, "query is bytes"),
    ({"query": {"a": 1}}, InputTypeError, "query is dict"),
    ({"query": (text for text in "ab")}, InputTypeError, "query is generator"),
    ({"query": VECTORS[0, :7]}, InputError, "embeddings of 7 dimensions; expected 256, as the index has"),
    ({"query": with_at(np.nan)}, InputError, r"query\[1\] holds NaN or infinity"),
    ({"query": [[1.0], [1.0, 2.0]]}, InputError, "query cannot be read as an array"),
    ({"query": VECTORS[None]}, InputError, r"query has shape \(1, 3, 256\)"),
]


@pytest.mark.parametrize(("given", "error", "message"), SEARCHES)
def test_wrong_searches(index: Index, given: dict[str, Any], error: type[EdgeSTError], message: str) -> None:
    with pytest.raises(error, match=message):
        index.search(**arguments(given, query="fruit"))


OPTIONS: list[Wrong] = [
    ({"precision": "int4"}, OptionError, "precision is 'int4'; expected one of 'float32', 'float16', 'int8', 'binary'"),
    ({"precision": None}, OptionError, "precision is None; expected one of"),
    ({"precision": ["int8"]}, OptionError, "precision is"),
    ({"rescore": "binary"}, OptionError, "rescore is 'binary'; expected one of None, 'float32', 'float16', 'int8'"),
    ({"model": 5}, OptionError, r"model is int \(5\); expected a SentenceTransformer, or a folder or name of one"),
    ({"model": None}, OptionError, "model is None; expected a SentenceTransformer, or embeddings"),
    ({"model": "no/such/folder"}, FolderNotFoundError, "no/such/folder"),
    ({"path": None}, OptionError, "path is None; expected the folder of an index"),
    ({"path": 5}, OptionError, "path is int"),
    ({"path": b"x"}, OptionError, "path is bytes"),
]


@pytest.mark.parametrize(("given", "error", "message"), OPTIONS)
def test_wrong_options(
    tmp_path: Path, model: SentenceTransformer, given: dict[str, Any], error: type[EdgeSTError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Index.build(**arguments(given, model=model, texts=["a"], path=tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []


def test_wrong_folders(tmp_path: Path, model: SentenceTransformer, index: Index) -> None:
    with pytest.raises(FolderNotFoundError, match="is not there; expected a folder that Index wrote"):
        Index.open(tmp_path / "missing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAFolderError, match="is a file; expected a folder that Index wrote"):
        Index.open(tmp_path / "file")
    with pytest.raises(FolderError, match=r"has no index\.json; expected a folder that Index wrote"):
        Index.open(tmp_path)
    with pytest.raises(OptionError, match="path is int"):
        Index.open(5)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="mode is 'rw'; expected one of 'r', 'a'"):
        Index.open(tmp_path, "rw")  # type: ignore[arg-type]
    with pytest.raises(FolderError, match="cannot write to"):
        Index.build(model, ["a"], tmp_path / "file" / "below")
    with pytest.raises(NotAFolderError, match="file is a file; expected the folder of the index, new or empty"):
        Index.build(model, ["a"], tmp_path / "file")
    with pytest.raises(FolderError, match="holds no index but file; expected a folder that is new or empty"):
        Index.build(model, ["a"], tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == ["file"]
    with pytest.raises(FolderError, match=r"already holds an index; add to it with Index\.open\(path, mode='a'\)"):
        Index.build(model, ["a"], index.info()["path"])
    check(index, HELD)


def test_another_model(tmp_path: Path, index: Index, model: SentenceTransformer, tiny_folder: Path) -> None:
    """Both are named, and what to do."""
    other = SentenceTransformer(tiny_folder, backend="onnx")
    theirs, ours = other.fingerprint, model.fingerprint
    message = rf"built with static-all-MiniLM-L6-v2 \(fingerprint {ours}\), the model given is .*tiny.* \({theirs}\)"
    with pytest.raises(OptionError, match=message + r".*migrate\(model\)"):
        Index.open(index.info()["path"], model=other)
    Index.build(None, None, tmp_path / "x", embeddings=VECTORS).close()
    with pytest.raises(OptionError, match="was built from embeddings without a model; open it without one"):
        Index.open(tmp_path / "x", "a", model)
    Index.open(tmp_path / "x", "a").close()


def test_without_a_model(tmp_path: Path, index: Index) -> None:
    opened = Index.open(index.info()["path"])
    for query in ("fruit", ["fruit"], ["fruit", 1]):
        with pytest.raises(OptionError, match=r"without its model static-all-MiniLM-L6.*Index\.open\(.*, model=…"):
            opened.search(query)
    with Index.build(None, None, tmp_path / "x", embeddings=VECTORS) as alone:
        with pytest.raises(OptionError, match="from embeddings alone, without a model; give embeddings, not a query"):
            alone.search("fruit")
        with pytest.raises(OptionError, match="without a model; give embeddings, not texts"):
            alone.add(["a"])
        with pytest.raises(OptionError, match="keeps no texts"):
            alone.migrate(SentenceTransformer())
        assert len(alone) == 3


def test_numbers_beyond_the_precision(tmp_path: Path, tiny_folder: Path) -> None:
    """Where the model compares by the dot product, vectors keep their lengths."""
    model = SentenceTransformer(tiny_folder, backend="onnx", similarity_fn_name="dot")
    dim = model.get_embedding_dimension()
    with Index.build(model, ["a"], tmp_path / "x", precision="float16") as index:
        with pytest.raises(OptionError, match=r"too large for float16; use precision='float32'"):
            index.add(["b"], embeddings=np.full((1, dim), 1e6))
        assert len(index) == 1


def test_a_build_that_fails_at_once_leaves_no_index(tmp_path: Path, tiny_folder: Path) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx", similarity_fn_name="dot")
    texts: Any
    for texts in (iter([5]), iter(["a", None])):
        with pytest.raises(InputTypeError, match=r"texts\[\d\] is"):
            Index.build(model, texts, tmp_path / "x")
    large = np.full((1, model.get_embedding_dimension()), 1e6)
    with pytest.raises(OptionError, match="too large for float16"):
        Index.build(model, ["a"], tmp_path / "x", embeddings=large, precision="float16")
    with Index.build(model, ["a"], tmp_path / "x", embeddings=large) as index:
        assert len(index) == 1


@pytest.mark.parametrize("wrong", [{"lang": np.array(["en"])}, {1: "en"}, {"lang": len}], ids=str)
def test_filters_that_json_does_not_know(index: Index, wrong: Any) -> None:
    with pytest.raises(OptionError, match="expected keys that are str and values that JSON can hold"):
        index.search(VECTORS[0], filter=wrong)
