"""NaN and infinity in a result are errors that name the text and the module; texts without tokens have zeros."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers.processors import TemplateProcessing

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st_runtime.errors import EngineError, InputError, NotFiniteError
from tests.support.broken import FOX, broken
from tests.support.tiny_graphs import HIDDEN, TinyGraph
from tests.support.tiny_models import MEAN, NORMALIZE, TinyModel, dense, write_static
from tests.support.tiny_pair_models import TinyCrossEncoder, TinySparseEncoder, write_inference_free
from tests.support.tiny_tokenizers import wordpiece

TEXTS = ["a", "the quick fox", "a", "jumps over the lazy dog"]
NAMED = r"inputs\[1\], 'the quick fox': the first module \({}\) gives NaN or infinity"


def table(value: float) -> dict[str, Any]:
    rows = np.ones((wordpiece().get_vocab_size(), 4), dtype=np.float32)
    rows[FOX] = value
    return {"embedding.weight": rows}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_table(value: float, tmp_path: Path) -> None:
    model = SentenceTransformer(write_static(tmp_path, wordpiece(), table(value)))
    with pytest.raises(NotFiniteError, match=NAMED.format("numpy") + "; expected numbers. The weights are damaged"):
        model.encode(TEXTS)
    with pytest.raises(NotFiniteError, match=r"counted from text 32: inputs\[2\], 'the quick fox'"):
        list(model.encode_iter(["a", "b"] * 17 + ["the quick fox"]))
    assert np.isfinite(model.encode(["a"])).all()


def test_dense_vectors(engine: str, tmp_path: Path) -> None:
    model = SentenceTransformer(broken(TinyModel().save(tmp_path)), backend=engine, dtype="float32")
    for output in ("sentence_embedding", "token_embeddings", None):
        with pytest.raises(EngineError, match=NAMED.format(engine)):
            model.encode(TEXTS, output_value=output)
    assert np.isfinite(model.encode(["a"])).all()


def test_pairs(engine: str, tmp_path: Path) -> None:
    model = CrossEncoder(broken(TinyCrossEncoder().save(tmp_path)), backend=engine, dtype="float32")
    with pytest.raises(EngineError, match=rf"inputs\[1\], \('a', 'fox'\): the first module \({engine}\) gives NaN"):
        model.predict([("a", "b"), ("a", "fox")])


@pytest.mark.parametrize("max_active_dims", [None, 4])
@pytest.mark.parametrize("in_graph", [False, True])
def test_sparse_vectors(in_graph: bool, max_active_dims: int | None, tmp_path: Path) -> None:
    folder = broken(TinySparseEncoder(in_graph=in_graph).save(tmp_path))
    model = SparseEncoder(folder, backend="onnx", dtype="float32", max_active_dims=max_active_dims)
    with pytest.raises(EngineError, match=NAMED.format("onnx")):
        model.encode(TEXTS)


def test_a_router(tmp_path: Path) -> None:
    weights = np.ones(wordpiece().get_vocab_size(), dtype=np.float32)
    weights[FOX] = np.inf
    model = SparseEncoder(write_inference_free(tmp_path, weights), backend="onnx", dtype="float32")
    assert np.isfinite(model.encode_document(TEXTS).to_dense()).all()
    with pytest.raises(EngineError, match=NAMED.format("numpy")):
        model.encode_query(TEXTS)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_the_module_is_named(tmp_path: Path) -> None:
    overflow = dense(np.full((3, HIDDEN), 3e38, dtype=np.float32))
    model = SentenceTransformer(TinyModel(modules=(MEAN, overflow, NORMALIZE)).save(tmp_path), backend="onnx")
    with pytest.raises(EngineError, match=r"inputs\[0\], 'a': Dense gives NaN or infinity"):
        model.encode(["a"])


def test_the_text_is_named_among_repetitions_and_by_a_pool(tmp_path: Path) -> None:
    model = SentenceTransformer(write_static(tmp_path, wordpiece(), table(np.nan)))
    with pytest.raises(EngineError, match=r"^inputs\[5\], 'fox'"):
        model.encode(["a", "a", "a", "b", "b", "fox", "fox"])
    pool = model.start_multi_process_pool(["cpu"])
    try:
        with pytest.raises(EngineError, match=r"counted from the first text of a chunk: inputs\[0\], 'fox'"):
            model.encode(["a", "b", "fox"], pool=pool, chunk_size=2)
    finally:
        model.stop_multi_process_pool(pool)


@pytest.mark.parametrize("mode", ["mean", "max", "cls", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"])
def test_texts_without_tokens_have_zeros(mode: str, engine: str, tmp_path: Path) -> None:
    pooling = ("Pooling", {"pooling_mode": mode}, {})
    folder = TinyModel(modules=(pooling, NORMALIZE)).save(tmp_path)
    without_special_tokens = wordpiece()
    without_special_tokens.post_processor = None  # type: ignore[assignment]
    without_special_tokens.save(str(folder / "tokenizer.json"))
    model = SentenceTransformer(folder, backend=engine, dtype="float32", num_threads=2)
    found = model.encode(["", "the quick fox", ""])
    np.testing.assert_array_equal(found[[0, 2]], 0)
    np.testing.assert_allclose(found[1], model.encode("the quick fox"), atol=1e-6)
    np.testing.assert_array_equal(model.encode(["", " "]), np.zeros((2, HIDDEN)))


def test_texts_without_tokens_have_zeros_where_the_graph_pools(engine: str, tmp_path: Path) -> None:
    folder = TinyModel(graph=TinyGraph(outputs={"sentence_embedding": "mean"})).save(tmp_path)
    plain = wordpiece()
    plain.post_processor = None  # type: ignore[assignment]
    plain.save(str(folder / "tokenizer.json"))
    found = SentenceTransformer(folder, backend=engine, dtype="float32").encode(["", "the quick fox"])
    np.testing.assert_array_equal(found[0], 0)
    assert found[1].any()


def test_a_pair_without_a_token(engine: str, tmp_path: Path) -> None:
    folder = TinyCrossEncoder().save(tmp_path)
    plain = wordpiece()
    plain.post_processor = TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])  # type: ignore[assignment]
    plain.save(str(folder / "tokenizer.json"))
    model = CrossEncoder(folder, backend=engine, dtype="float32")
    with pytest.raises(InputError, match=r"inputs\[2\], \(' ', ''\): the tokenizer makes no token"):
        model.predict([("a", "b"), ("a", "b"), (" ", "")])
    assert np.isfinite(model.predict([("a", "b"), ("", "fox")])).all()


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("activation", [lambda logits: np.sqrt(np.minimum(logits, -1)), lambda logits: logits / 0.0])
def test_an_activation(activation: Any, tmp_path: Path) -> None:
    model = CrossEncoder(TinyCrossEncoder().save(tmp_path), activation_fn=activation)
    with np.errstate(divide="ignore"):
        with pytest.raises(NotFiniteError, match=r"inputs\[0\]: activation_fn gives .*(nan|inf).* for the logits"):
            model.predict([("a", "fox"), ("a", "b")])
        with pytest.raises(NotFiniteError, match="activation_fn"):
            model.rank("a", ["fox", "b"])
