"""Sparse encoders that are more than one masked language model: routers, token weights, autoencoders."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st import SentenceTransformer, SparseEncoder
from edge_st_runtime.errors import EdgeSTError, OptionError
from edge_st_runtime.vectors.sparse import SparseVector
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_models import MEAN, TinyModel, write_json
from tests.support.tiny_pair_models import (
    SPARSE,
    SPARSE_SETTINGS,
    SPLADE,
    TEXTS,
    VOCABULARY,
    TinySparseEncoder,
    largest,
    write_inference_free,
)
from tests.support.tiny_tokenizers import wordpiece

IDF = np.random.default_rng(3).uniform(0.5, 9, VOCABULARY).astype(np.float32)


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> SparseEncoder:
    return SparseEncoder(write_inference_free(tmp_path_factory.mktemp("routed"), IDF), backend="onnx", num_threads=2)


@pytest.fixture(scope="module")
def pool(routed: SparseEncoder) -> Iterator[dict[str, Any]]:
    workers = routed.start_multi_process_pool(["cpu"])
    yield workers
    routed.stop_multi_process_pool(workers)


def query_weights(texts: list[str]) -> NDArray[np.float32]:
    """Every token that occurs with its weight, however often it does; no [CLS], no [SEP]."""
    rows = np.zeros((len(texts), VOCABULARY), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        ids = wordpiece().encode(text, add_special_tokens=False).ids
        row[ids] = IDF[ids]
    return rows


def test_queries_need_no_inference(routed: SparseEncoder) -> None:
    texts = [*TEXTS, "fox fox fox dog"]
    np.testing.assert_array_equal(routed.encode_query(texts).to_dense(), query_weights(texts))
    np.testing.assert_array_equal(routed.encode(texts, task="query").to_dense(), query_weights(texts))
    most = routed.encode_query(texts, max_active_dims=3)
    np.testing.assert_array_equal(most.to_dense(), largest(query_weights(texts), 3))
    for found in (routed.encode_document(texts), routed.encode(texts)):
        np.testing.assert_allclose(found.to_dense(), SPARSE.weights(texts), atol=3e-6)
    assert routed.encode_query("").nnz == 0
    assert routed.encode_query([]).shape == (0, VOCABULARY)
    with pytest.raises(OptionError, match="task is 'passage'; this model has the tasks None, 'query', 'document'"):
        routed.encode(texts, task="passage")


def test_weights_by_token_in_a_json_file(tmp_path: Path) -> None:
    """As OpenSearch's models have them."""
    folder = write_inference_free(tmp_path / "model", IDF)
    query, words = folder / "query_0_SparseStaticEmbedding", wordpiece().get_vocab()
    (query / "model.safetensors").unlink()
    write_json(query / "config.json", {"path": "idf.json"})
    write_json(query / "idf.json", {word: float(IDF[token]) for word, token in words.items()})
    model = SparseEncoder(folder, backend="onnx")
    np.testing.assert_array_equal(model.encode_query(TEXTS).to_dense(), query_weights(TEXTS))
    before = model.fingerprint
    write_json(query / "idf.json", dict.fromkeys(words, 1.0))
    assert SparseEncoder(folder, backend="onnx").fingerprint != before


def test_tasks_beside_the_texts(routed: SparseEncoder) -> None:
    class Column:
        """What matters of a pandas Series whose rows are numbered from 7."""

        iloc = None

        def __len__(self) -> int:
            return len(TEXTS)

        def __iter__(self) -> Iterator[Any]:
            return iter([{"query": text} for text in TEXTS])

    for inputs in ([{"query": text} for text in TEXTS], Column()):
        np.testing.assert_array_equal(routed.encode(inputs).to_dense(), query_weights(TEXTS))


def test_queries_find_documents(routed: SparseEncoder) -> None:
    scores = routed.similarity(routed.encode_query(TEXTS), routed.encode_document(TEXTS))
    np.testing.assert_allclose(scores, query_weights(TEXTS) @ SPARSE.weights(TEXTS).T, rtol=1e-5, atol=1e-4)


def test_processes(routed: SparseEncoder, pool: Any) -> None:
    assert routed.encode_query([], pool=pool).shape == (0, VOCABULARY)
    for most in (None, 4):
        for task in ("query", "document"):
            found = routed.encode(TEXTS, pool=pool, max_active_dims=most, task=task, chunk_size=30)
            expected = routed.encode(TEXTS, max_active_dims=most, task=task)
            np.testing.assert_allclose(found.to_dense(), expected.to_dense(), atol=2e-6)
    single = routed.encode("the fox", pool=pool)
    assert isinstance(single, SparseVector)
    rows = routed.encode(TEXTS[:3], pool=pool, convert_to_tensor=False, convert_to_sparse_tensor=False)
    assert [row.shape for row in rows] == [(VOCABULARY,)] * 3


def test_a_graph_without_the_language_models_head(tmp_path: Path) -> None:
    """Hidden states are no weights of words: nothing may be made of them."""
    folder = TinyModel(modules=(SPLADE,), settings=SPARSE_SETTINGS).save(tmp_path)
    with pytest.raises(EdgeSTError, match="gives 'last_hidden_state', but this model pools the logits of a masked"):
        SparseEncoder(folder, backend="onnx")


def test_a_graph_with_the_head_where_it_is_not_wanted(tmp_path: Path) -> None:
    """The mean of a vocabulary's logits is no sentence embedding."""
    folder = TinySparseEncoder(in_graph=False).plain(tmp_path)
    with pytest.raises(EdgeSTError, match="gives 'logits', but this model pools its hidden states"):
        SentenceTransformer(folder, backend="onnx")


def test_sparse_auto_encoder(engine: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    weight = generator.standard_normal((40, HIDDEN)).astype(np.float32)
    biases = [generator.standard_normal(count).astype(np.float32) / 4 for count in (HIDDEN, 40)]
    tensors = {"encoder.weight": weight, "pre_bias": biases[0], "latent_bias": biases[1]}
    config = {"input_dim": HIDDEN, "hidden_dim": 40, "k": 8, "k_aux": 16, "normalize": False}
    tiny = TinyModel(modules=(MEAN, ("SparseAutoEncoder", config, tensors)), settings=SPARSE_SETTINGS)
    model = SparseEncoder(tiny.save(tmp_path), backend=engine)
    latents = (tiny.means(TEXTS) - biases[0]) @ weight.T + biases[1]
    assert (model.max_active_dims, model.get_embedding_dimension()) == (8, 40)
    np.testing.assert_allclose(model.encode(TEXTS).to_dense(), largest(np.maximum(latents, 0), 8), atol=5e-6)
    found = model.encode(TEXTS, max_active_dims=3)
    np.testing.assert_allclose(found.to_dense(), largest(np.maximum(latents, 0), 3), atol=5e-6)
    fingerprint = model.fingerprint
    write_json(tmp_path / "config_sentence_transformers.json", {**SPARSE_SETTINGS, "max_active_dims": 8})
    assert SparseEncoder(tmp_path, backend=engine).fingerprint == fingerprint  # as sentence-transformers saves it
