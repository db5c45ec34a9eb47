"""What ``encode`` returns for each of its options, and the options it refuses."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer, quantize_embeddings
from edge_st_runtime.errors import InputError, OptionError
from tests.support.tiny_graphs import TinyGraph
from tests.support.tiny_models import LIMIT, TinyModel
from tests.support.tiny_tokenizers import random_texts, wordpiece

TEXTS = ["", *random_texts(120)]


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def full(model: SentenceTransformer) -> Any:
    return model.encode(TEXTS)


def test_normalize(model: SentenceTransformer, full: Any) -> None:
    np.testing.assert_allclose(model.encode(TEXTS, normalize_embeddings=True), unit(full), atol=1e-6)


@pytest.mark.parametrize("dim", [5, 12, 100])
def test_truncate_dim_is_applied_before_normalizing(dim: int, model: SentenceTransformer, full: Any) -> None:
    np.testing.assert_allclose(model.encode(TEXTS, truncate_dim=dim), full[:, :dim], atol=1e-6)
    found = model.encode(TEXTS, truncate_dim=dim, normalize_embeddings=True)
    np.testing.assert_allclose(found, unit(full[:, :dim]), atol=1e-6)


@pytest.mark.parametrize("dim", [0, -1, True, 2.5, "5"], ids=repr)
def test_no_dimensions_to_cut_to(dim: Any, model: SentenceTransformer) -> None:
    for call in (
        lambda: model.encode("a", truncate_dim=dim),
        lambda: SentenceTransformer(truncate_dim=dim),
        lambda: model.__setattr__("truncate_dim", dim),
        lambda: model.truncate_embeddings(dim).__enter__(),
    ):
        with pytest.raises(OptionError, match="truncate_dim must be a positive integer, got"):
            call()
    assert model.truncate_dim is None


def test_truncate_dim_of_the_model(tiny_folder: Path, full: Any) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx", truncate_dim=7)
    np.testing.assert_allclose(model.encode(TEXTS), full[:, :7], atol=1e-6)
    assert model.get_embedding_dimension() == model.info()["dimension"] == 7
    assert model.encode([]).shape == (0, 7)
    assert model.encode(TEXTS, truncate_dim=9).shape == (121, 9)
    with model.truncate_embeddings(3):
        assert model.encode("fox").shape == (3,)
    assert model.encode("fox").shape == (7,)
    model.truncate_dim = None
    assert model.encode("fox").shape == (12,)


@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary"])
def test_precision(precision: str, model: SentenceTransformer, full: Any) -> None:
    found = model.encode(TEXTS, precision=precision)
    expected = quantize_embeddings(full, precision)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if precision in ("int8", "uint8"):
        assert np.abs(found.astype(int) - expected).max() <= 1  # a last bit may cross a step
    else:
        np.testing.assert_array_equal(found, expected)


def test_precision_of_one_text(model: SentenceTransformer) -> None:
    with pytest.raises(InputError, match="Cannot compute int8 quantization ranges from a single embedding"):
        model.encode("fox", precision="int8")
    assert model.encode("fox", precision="ubinary").tolist() == np.packbits(model.encode("fox") > 0).tolist()
    np.testing.assert_array_equal(model.encode("fox", precision=None), model.encode("fox"))


def test_token_embeddings(model: SentenceTransformer, tiny: TinyModel) -> None:
    found = model.encode(TEXTS, output_value="token_embeddings", truncate_dim=3, normalize_embeddings=True)
    assert isinstance(found, list)
    for tokens, text in zip(found, TEXTS, strict=True):
        np.testing.assert_allclose(tokens, tiny.token_embeddings(text), atol=2e-6)
    alone = model.encode("the quick fox", output_value="token_embeddings")
    np.testing.assert_allclose(alone, tiny.token_embeddings("the quick fox"), atol=2e-6)


def test_every_feature(model: SentenceTransformer, tiny: TinyModel, full: Any) -> None:
    found = model.encode(TEXTS, output_value=None)
    tokenizer = wordpiece()
    tokenizer.enable_truncation(LIMIT)
    for row, (features, text) in enumerate(zip(found, TEXTS, strict=True)):
        assert features["input_ids"].tolist() == tokenizer.encode(text).ids
        assert features["attention_mask"].all()
        np.testing.assert_allclose(features["token_embeddings"], tiny.token_embeddings(text), atol=2e-6)
        np.testing.assert_allclose(features["sentence_embedding"], full[row], atol=1e-6)
    assert set(model.encode("fox", output_value=None)) == set(found[0])


def test_token_embeddings_of_a_graph_that_pools(tmp_path: Path) -> None:
    folder = TinyModel(graph=TinyGraph(outputs={"sentence_embedding": "mean"})).save(tmp_path)
    with pytest.raises(ValueError, match=r"gives sentence embeddings only"):
        SentenceTransformer(folder, backend="onnx").encode("a", output_value="token_embeddings")


def test_list_of_vectors(model: SentenceTransformer, full: Any) -> None:
    found = model.encode(TEXTS, convert_to_numpy=False)
    assert isinstance(found, list)
    np.testing.assert_allclose(found, full, atol=1e-6)
    assert model.encode("fox", convert_to_numpy=False).shape == (12,)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_tensor_without_torch(model: SentenceTransformer) -> None:
    with pytest.raises(
        ImportError, match=r"convert_to_tensor=True needs torch.*convert_to_tensor=False.*pip install torch"
    ):
        model.encode("a", convert_to_tensor=True)


def test_positional_arguments_stand_in_sentence_transformers_order(model: SentenceTransformer, full: Any) -> None:
    found = model.encode(TEXTS, None, None, 8, False, "sentence_embedding", "float32", True, False, None, True, 6)
    np.testing.assert_allclose(found, unit(full[:, :6]), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        ({"batch_size": -8}, "batch_size must be a positive integer, got -8"),
        ({"batch_size": None}, "batch_size must be a positive integer, got None"),
        ({"truncate_dim": "64"}, "truncate_dim must be a positive integer, got '64'"),
        ({"device": 7}, "device is 7; expected a str"),
        ({"device": []}, r"target_devices is \[\]; expected a list"),
        ({"precision": "int4"}, "'int4' is not supported"),
        ({"output_value": "tokens"}, r"output_value is 'tokens'; expected one of \('sentence_embedding'"),
        ({"normalise": True}, r"encode\(\) has been called with .* does not use: \['normalise'\]"),
        ({"device": "cuda"}, "device='cuda', but the model is on 'cpu'; pass device= to the constructor"),
    ],
    ids=str,
)
def test_options_that_are_refused(options: dict[str, Any], message: str, model: SentenceTransformer) -> None:
    for method in (model.encode, model.encode_query, model.encode_document):
        with pytest.raises(ValueError, match=message):
            method(["a"], **options)


@pytest.mark.parametrize("show", [True, False, None])
def test_progress_bar(show: bool | None, model: SentenceTransformer, capsys: pytest.CaptureFixture[str]) -> None:
    model.encode(TEXTS, show_progress_bar=show)
    found = capsys.readouterr()
    assert found.out == ""
    assert ("121/121" in found.err) is bool(show)


def test_progress_bar_by_log_level(
    model: SentenceTransformer, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="edge_st"):
        model.encode(TEXTS)
    assert "121/121" in capsys.readouterr().err


def test_similarity(model: SentenceTransformer, full: Any) -> None:
    found = model.similarity(full[:4], full[:6])
    np.testing.assert_allclose(found, unit(full[:4]) @ unit(full[:6]).T, atol=1e-6)
    np.testing.assert_allclose(model.similarity_pairwise(full[:4], full[:4]), np.ones(4), atol=1e-6)


def test_similarity_function_is_saved_or_given(tmp_path: Path, full: Any) -> None:
    folder = TinyModel(settings={"similarity_fn_name": "dot", "truncate_dim": 6}).save(tmp_path)
    model = SentenceTransformer(folder, backend="onnx")
    assert (model.similarity_fn_name, model.truncate_dim) == ("dot", 6)
    np.testing.assert_allclose(model.similarity(full[:2], full[:3]), full[:2] @ full[:3].T, rtol=1e-5)
    given = SentenceTransformer(folder, backend="onnx", similarity_fn_name="euclidean", truncate_dim=4)
    assert (given.similarity_fn_name, given.truncate_dim) == ("euclidean", 4)
    with pytest.raises(ValueError, match=r"only supports similarity_fn_name in \('cosine', 'dot', .*, got 'hamming'"):
        given.similarity_fn_name = "hamming"
    with pytest.raises(ValueError, match=r"got 'maxsim'\. Use edge_st.MultiVectorEncoder"):
        given.similarity_fn_name = "maxsim"
    given.similarity_fn_name = None
    assert given.similarity_fn_name == "cosine"
    assert SentenceTransformer.SUPPORTED_SIMILARITY_FN_NAMES == ("cosine", "dot", "euclidean", "manhattan")


@pytest.mark.parametrize("saved", ["maxsim", "meanmaxsim", "mean_maxsim"])
def test_a_saved_similarity_of_token_vectors_is_the_default(saved: str, tmp_path: Path) -> None:
    folder = TinyModel(settings={"similarity_fn_name": saved}).save(tmp_path)
    assert SentenceTransformer(folder, backend="onnx").similarity_fn_name == "cosine"
