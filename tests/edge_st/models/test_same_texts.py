"""Texts that occur several times in a call run once, and give what they give alone."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st_runtime.errors import TextTooLongError
from tests.support.tiny_models import LIMIT
from tests.support.tiny_tokenizers import random_texts

DISTINCT = [text for text in dict.fromkeys(random_texts(30)) if text]
SOURCE = np.random.default_rng(0).permutation(np.repeat(np.arange(len(DISTINCT)), 3))
SOURCE = np.concatenate((np.arange(len(DISTINCT)), SOURCE))
REPEATED = [DISTINCT[row] for row in SOURCE]
LONG = "the quick brown fox " * 20


def counted(model: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A function that tells how many texts have reached the engine since."""
    backend = model._runner.main_pipeline.backend
    run, texts = backend.run, []
    monkeypatch.setattr(backend, "run", lambda batch: (texts.append(batch.shape[0]), run(batch))[1])
    return lambda: sum(texts)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prompt": "sea ", "normalize_embeddings": True, "truncate_dim": 5},
        {"precision": "int8"},
        {"precision": "ubinary"},
        {"batch_size": 2, "show_progress_bar": True},
    ],
    ids=str,
)
def test_embeddings(options: dict[str, Any], model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = model.encode([*DISTINCT], **options)
    ran = counted(model, monkeypatch)
    found = model.encode(REPEATED, **options)
    assert ran() == len(DISTINCT)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected[SOURCE])


def test_token_embeddings_are_each_texts_own(model: SentenceTransformer) -> None:
    expected = model.encode(DISTINCT, output_value="token_embeddings")
    found = model.encode(REPEATED, output_value="token_embeddings")
    for values, row in zip(found, SOURCE, strict=True):
        np.testing.assert_array_equal(values, expected[row])
        values[:] = 0  # must not reach the others
    features = model.encode(["fox", "fox"], output_value=None)
    features[0]["sentence_embedding"][:] = 0
    assert features[1]["sentence_embedding"].any()


def test_encode_iter_within_a_window(model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = counted(model, monkeypatch)
    assert len(list(model.encode_iter(["fox"] * 32))) == 32
    assert ran() == 1


def test_pairs(cross_encoder: CrossEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(text, "fox") for text in DISTINCT]
    expected = cross_encoder.predict([*pairs, ("fox", DISTINCT[0])])
    ran = counted(cross_encoder, monkeypatch)
    found = cross_encoder.predict([*(pairs[row] for row in SOURCE), ("fox", DISTINCT[0])])
    assert ran() == len(pairs) + 1
    np.testing.assert_array_equal(found, expected[[*SOURCE, len(pairs)]])


@pytest.mark.parametrize("most", [None, 4])
def test_sparse(most: int | None, sparse_folder: Path, engine: str) -> None:
    model = SparseEncoder(sparse_folder, backend=engine, max_active_dims=most)
    expected = model.encode(DISTINCT)
    found = model.encode(REPEATED)
    np.testing.assert_array_equal(found.to_dense(), expected.to_dense()[SOURCE])


def test_several_processes(tiny_folder: Path) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx")
    pool = model.start_multi_process_pool(["cpu", "cpu"])
    try:
        found = model.encode(REPEATED, pool=pool, chunk_size=len(DISTINCT))
        tokens = model.encode(["fox", "sea", "fox"], pool=pool, output_value="token_embeddings")
    finally:
        model.stop_multi_process_pool(pool)
    np.testing.assert_allclose(found, model.encode(DISTINCT)[SOURCE], atol=1e-6)
    np.testing.assert_array_equal(tokens[0], tokens[2])
    assert tokens[0] is not tokens[2]


def test_cut_texts_are_named_by_all_their_places(tiny_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = ["fox", "fox", LONG, "sea", LONG]
    warning = SentenceTransformer(tiny_folder, backend="onnx", truncation="warn")
    with caplog.at_level(logging.WARNING):
        warning.encode(texts)
    assert caplog.messages == [f"2 text(s) cut to {LIMIT} tokens: inputs[2], inputs[4]"]
    with pytest.raises(TextTooLongError, match=r"inputs\[2\] has"):
        SentenceTransformer(tiny_folder, backend="onnx", truncation="error").encode(texts)
