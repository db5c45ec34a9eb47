"""``SparseEncoder.encode`` and its kin: the original's weights, in every form and by every engine."""

import json
import logging
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SparseEncoder
from edge_st_runtime.errors import DamagedFileError, EdgeSTError, OptionError, TextTooLongError
from edge_st_runtime.vectors.sparse import SparseMatrix, SparseVector
from tests.support.tiny_models import LIMIT
from tests.support.tiny_pair_models import PAIR, SPARSE, SPARSE_SETTINGS, TEXTS, VOCABULARY, TinySparseEncoder, largest

KINDS = {"in the graph": SPARSE, "in NumPy": TinySparseEncoder(in_graph=False)}


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param].save(tmp_path_factory.mktemp("sparse"))


@pytest.fixture(scope="module")
def model(folder: Path, engine: str) -> SparseEncoder:
    return SparseEncoder(folder, backend=engine, num_threads=2)


def test_weights(model: SparseEncoder) -> None:
    found = model.encode([*TEXTS, PAIR])
    assert isinstance(found, SparseMatrix)
    assert found.shape == (len(TEXTS) + 1, VOCABULARY) == (len(found), model.get_embedding_dimension())
    np.testing.assert_allclose(found.to_dense(), SPARSE.weights([*TEXTS, PAIR]), atol=3e-6)


def test_alone_and_in_any_batch_and_order(model: SparseEncoder) -> None:
    alone = np.stack([model.encode(text).to_dense() for text in TEXTS])
    order = random.Random(0).sample(range(len(TEXTS)), len(TEXTS))
    for batch_size in (1, 3, 1000):
        for most in (None, 6):
            shuffled = model.encode([TEXTS[row] for row in order], batch_size=batch_size, max_active_dims=most)
            expected = alone[order] if most is None else largest(alone[order], most)
            np.testing.assert_allclose(shuffled.to_dense(), expected, atol=2e-6)


@pytest.mark.parametrize(
    "most",
    [1, 5, np.int32(9), np.int64(9), VOCABULARY, VOCABULARY + 50],
    ids=["1", "5", "int32", "int64", "all", "more"],  # the trained vocabulary has another size in another process
)
def test_max_active_dims(most: Any, model: SparseEncoder) -> None:
    found = model.encode(TEXTS, max_active_dims=most)
    assert found.counts.max() <= most
    np.testing.assert_allclose(found.to_dense(), largest(SPARSE.weights(TEXTS), min(most, VOCABULARY)), atol=3e-6)
    assert (np.diff(found[0].indices) > 0).all()


def test_a_graph_that_does_not_tell_its_width(engine: str, tmp_path: Path) -> None:
    tiny = TinySparseEncoder(says_width=False)
    model = SparseEncoder(tiny.save(tmp_path), backend=engine)
    assert model.get_embedding_dimension() == model.info()["dimension"] == VOCABULARY
    for most in (5, VOCABULARY + 50):
        expected = largest(SPARSE.weights(TEXTS), min(most, VOCABULARY))
        np.testing.assert_allclose(model.encode(TEXTS, max_active_dims=most).to_dense(), expected, atol=3e-6)


def test_the_constructors_max_active_dims(folder: Path) -> None:
    model = SparseEncoder(folder, backend="onnx", max_active_dims=4)
    assert (model.max_active_dims, model.info()["max_active_dims"]) == (4, 4)
    assert set(model.encode(TEXTS).counts) == {4}
    assert set(model.encode(TEXTS, max_active_dims=2).counts) == {2}
    model.max_active_dims = None
    assert model.encode(TEXTS).counts.max() > 4


def test_the_folders_max_active_dims(folder: Path, tmp_path: Path) -> None:
    plain = SparseEncoder(folder, backend="onnx")
    plain.max_active_dims = 4
    plain.save_pretrained(tmp_path / "saved")
    settings = json.loads((tmp_path / "saved" / "config_sentence_transformers.json").read_text())
    assert settings["max_active_dims"] == 4
    saved = SparseEncoder(tmp_path / "saved", backend="onnx")
    assert set(saved.encode(TEXTS).counts) == {4}
    assert set(SparseEncoder(tmp_path / "saved", backend="onnx", max_active_dims=2).encode(TEXTS).counts) == {2}
    assert saved.fingerprint == plain.fingerprint != SparseEncoder(folder, backend="onnx").fingerprint
    saved.max_active_dims = None
    assert saved.fingerprint == SparseEncoder(folder, backend="onnx").fingerprint


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "3", True, []])
def test_a_folder_with_max_active_dims_that_are_none(wrong: Any, tmp_path: Path) -> None:
    folder = TinySparseEncoder(settings={**SPARSE_SETTINGS, "max_active_dims": wrong}).save(tmp_path)
    with pytest.raises(DamagedFileError, match=r"config_sentence_transformers\.json: max_active_dims is"):
        SparseEncoder(folder, backend="onnx")


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "3", True])
def test_max_active_dims_that_are_none(wrong: Any, folder: Path, model: SparseEncoder) -> None:
    with pytest.raises(OptionError, match="max_active_dims must be a positive integer"):
        model.encode(TEXTS, max_active_dims=wrong)
    with pytest.raises(OptionError, match="max_active_dims must be a positive integer"):
        SparseEncoder(folder, backend="onnx", max_active_dims=wrong)


def test_outputs(model: SparseEncoder) -> None:
    sparse = model.encode(TEXTS[3:6])
    dense = model.encode(TEXTS[3:6], convert_to_sparse_tensor=False)
    assert (type(dense), dense.dtype) == (np.ndarray, np.float32)
    np.testing.assert_array_equal(dense, sparse.to_dense())
    vectors = model.encode(TEXTS[3:6], convert_to_tensor=False)
    assert [type(vector) for vector in vectors] == [SparseVector] * 3
    rows = model.encode(TEXTS[3:6], convert_to_tensor=False, convert_to_sparse_tensor=False)
    assert isinstance(rows, list)
    for row, vector, expected in zip(rows, vectors, dense, strict=True):
        np.testing.assert_array_equal(row, expected)
        np.testing.assert_array_equal(vector.to_dense(), expected)
    assert json.loads(json.dumps(sparse.to_dicts()))


def test_a_single_text(model: SparseEncoder) -> None:
    found = model.encode("the quick fox", save_to_cpu=True)
    assert isinstance(found, SparseVector)
    assert found.shape == (VOCABULARY,)
    np.testing.assert_allclose(found.to_dense(), SPARSE.weights(["the quick fox"])[0], atol=3e-6)
    for tensor in (True, False):
        dense = model.encode("the quick fox", convert_to_sparse_tensor=False, convert_to_tensor=tensor)
        np.testing.assert_array_equal(dense, found.to_dense())


def test_no_texts(model: SparseEncoder) -> None:
    for inputs in ([], (), np.array([], dtype=str)):
        assert model.encode(inputs).shape == (0, VOCABULARY)
        assert model.encode(inputs, convert_to_sparse_tensor=False).shape == (0, VOCABULARY)
        assert model.encode(inputs, convert_to_tensor=False) == []


def test_odd_texts(model: SparseEncoder) -> None:
    texts = ["", " ", "😀👍🏽", "日本語", "a\x00b", "[SEP] [CLS]", "x" * 100_000]
    same = [*texts[:4], "ab", "[SEP] [CLS]", "[UNK]"]
    np.testing.assert_allclose(model.encode(texts).to_dense(), SPARSE.weights(same), atol=3e-6)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (None, TypeError, "inputs is None"),
        ([3], TypeError, r"inputs\[0\] is int"),
        (b"fox", TypeError, "inputs is bytes"),
        ([("a", "b", "c")], ValueError, r"inputs\[0\] is a tuple of 3 texts"),
        (["é", "\ud800"], ValueError, r"inputs\[1\] holds a lone surrogate"),
    ],
    ids=["None", "number", "bytes", "triple", "surrogate"],
)
def test_bad_inputs(inputs: Any, error: type[Exception], message: str, model: SparseEncoder) -> None:
    for method in (model.encode, model.encode_query, model.encode_document):
        with pytest.raises(error, match=message) as raised:
            method(inputs)
        assert isinstance(raised.value, EdgeSTError)


def test_the_callers_list_is_left_alone(model: SparseEncoder) -> None:
    inputs: list[Any] = ["the fox", ["a", "b"], {"text": "dog"}]
    model.encode(inputs, prompt="old ", max_active_dims=3)
    assert inputs == ["the fox", ["a", "b"], {"text": "dog"}]


@pytest.mark.parametrize("wrong", [{"convert_to_numpy": True}, {"normalize_embeddings": True}, {"truncate_dim": 3}])
def test_unknown_keywords(wrong: dict[str, Any], model: SparseEncoder) -> None:
    with pytest.raises(OptionError, match=rf"does not use: \['{next(iter(wrong))}'\]"):
        model.encode(TEXTS, **wrong)


@pytest.mark.parametrize("batch_size", [0, 2.5, None])
def test_batch_sizes_that_are_none(batch_size: Any, model: SparseEncoder) -> None:
    with pytest.raises(OptionError, match="batch_size must be a positive integer"):
        model.encode(TEXTS, batch_size=batch_size)


@pytest.mark.parametrize("method", ["encode", "encode_query"])
def test_sentences_is_the_old_name(method: str, model: SparseEncoder) -> None:
    found = getattr(model, method)(sentences=["fox"])
    np.testing.assert_array_equal(found.to_dense(), model.encode(["fox"]).to_dense())


def test_prompts(tmp_path: Path) -> None:
    tiny = TinySparseEncoder(settings={**SPARSE_SETTINGS, "prompts": {"query": "search: ", "passage": "old "}})
    model = SparseEncoder(tiny.save(tmp_path), backend="onnx")
    assert model.prompts == {"query": "search: ", "passage": "old ", "document": ""}
    for found, prompt in (
        (model.encode(TEXTS), ""),
        (model.encode_query(TEXTS), "search: "),
        (model.encode_document(TEXTS), ""),
        (model.encode_document(TEXTS, prompt_name="passage"), "old "),
        (model.encode(TEXTS, prompt="a lazy "), "a lazy "),
        (model.encode_query(TEXTS, prompt="", max_active_dims=VOCABULARY), ""),
    ):
        np.testing.assert_allclose(found.to_dense(), tiny.weights(TEXTS, prompt), atol=3e-6)
    with pytest.raises(OptionError, match="Prompt name 'other' not found"):
        model.encode(TEXTS, prompt_name="other")


def test_limits(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = SparseEncoder(folder, backend="onnx", truncation="warn")
    assert model.max_seq_length == LIMIT
    model.max_seq_length = 7
    texts = ["fox", "the quick brown fox jumps over a lazy dog"]
    with caplog.at_level(logging.WARNING):
        found = model.encode(texts)
    assert caplog.messages == ["1 text(s) cut to 7 tokens: inputs[1]"]
    np.testing.assert_allclose(found.to_dense(), TinySparseEncoder(limit=7).weights(texts), atol=3e-6)
    model.truncation = "error"
    with pytest.raises(TextTooLongError, match=r"inputs\[1\] has 11 tokens, the model takes 7"):
        model.encode(texts)


def test_masked_language_model_without_modules(engine: str, tmp_path: Path) -> None:
    tiny = TinySparseEncoder(in_graph=False, limit=None)
    model = SparseEncoder(tiny.plain(tmp_path), backend=engine)
    np.testing.assert_allclose(model.encode(TEXTS).to_dense(), tiny.weights(TEXTS), atol=3e-6)


def test_many_threads(model: SparseEncoder) -> None:
    calls = [(TEXTS[start : start + size], most) for start in range(0, 36, 6) for size in (1, 20) for most in (None, 3)]
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda call: model.encode(call[0], max_active_dims=call[1]), calls))
    for (texts, most), together in zip(calls, found, strict=True):
        expected = SPARSE.weights(texts)
        np.testing.assert_allclose(together.to_dense(), largest(expected, most) if most else expected, atol=3e-6)


def test_pickle_and_save(folder: Path, engine: str, tmp_path: Path) -> None:
    model = SparseEncoder(folder, backend=engine, max_active_dims=5, similarity_fn_name="cosine")
    model.max_seq_length = 9
    model.prompts["query"] = "search: "
    copy = pickle.loads(pickle.dumps(model))
    assert copy.info() == json.loads(json.dumps(model.info()))
    np.testing.assert_allclose(copy.encode_query(TEXTS).to_dense(), model.encode_query(TEXTS).to_dense(), atol=2e-6)
    model.save_pretrained(tmp_path / "copy")
    saved = SparseEncoder(tmp_path / "copy", backend=engine)
    assert (saved.max_seq_length, saved.prompts, saved.similarity_fn_name) == (9, model.prompts, "cosine")
    assert saved.fingerprint == model.fingerprint
    found = saved.encode_query(TEXTS, max_active_dims=5)
    np.testing.assert_allclose(found.to_dense(), model.encode_query(TEXTS).to_dense(), atol=2e-6)


def test_a_forked_child_encodes_as_its_parent(tmp_path: Path, run_forked: Any) -> None:
    folder = SPARSE.save(tmp_path / "model")
    call = "call = lambda model: model.encode(['the quick fox'] * 40, max_active_dims=7).to_dense()"
    parent, child = run_forked(
        f"from edge_st import SentenceTransformer, SparseEncoder as Model; {call}", folder, "openvino"
    )
    np.testing.assert_allclose(parent[:1], largest(SPARSE.weights(["the quick fox"]), 7), atol=3e-6)
    np.testing.assert_allclose(child, parent, atol=2e-6)
