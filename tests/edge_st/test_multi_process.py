"""Several processes give what one gives, and say what went wrong in one of them."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import TextTooLongError
from tests.tiny_models import TinyModel
from tests.tiny_tokenizers import random_texts

TEXTS = [*random_texts(60), ("fox", "dog")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    folder = TinyModel(settings={"prompts": {"query": "old "}}).save(tmp_path_factory.mktemp("pool"))
    return SentenceTransformer(folder, backend="onnx", truncation="error")


@pytest.fixture(scope="module")
def pool(model: SentenceTransformer) -> Iterator[dict[str, Any]]:
    model.max_seq_length = 60
    workers = model.start_multi_process_pool(["cpu", "cpu"])
    yield workers
    model.stop_multi_process_pool(workers)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunk_size": 7, "batch_size": 3},
        {"prompt_name": "query", "normalize_embeddings": True, "truncate_dim": 5},
        {"precision": "int8", "chunk_size": 9},
        {"precision": "ubinary"},
    ],
    ids=str,
)
def test_as_one_process(options: dict[str, Any], model: SentenceTransformer, pool: Any) -> None:
    found, expected = model.encode(TEXTS, pool=pool, **options), model.encode(TEXTS, **options)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=1 if found.dtype == np.int8 else 1e-6)


def test_other_inputs_and_outputs(model: SentenceTransformer, pool: Any) -> None:
    np.testing.assert_allclose(model.encode("fox", pool=pool), model.encode("fox"), atol=1e-6)
    assert model.encode([], pool=pool).shape == (0, 12)
    found = model.encode(TEXTS, pool=pool, output_value="token_embeddings", chunk_size=20)
    expected = model.encode(TEXTS, output_value="token_embeddings")
    for tokens, own in zip(found, expected, strict=True):
        np.testing.assert_allclose(tokens, own, atol=1e-6)


def test_errors_of_a_worker_and_work_after_them(model: SentenceTransformer, pool: Any) -> None:
    with pytest.raises(TextTooLongError, match=r"tokens, the model takes 60"):
        model.encode([*TEXTS, "fox " * 100], pool=pool, chunk_size=10)
    np.testing.assert_allclose(model.encode(TEXTS, pool=pool), model.encode(TEXTS), atol=1e-6)


def test_worker_that_dies(model: SentenceTransformer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    workers = model.start_multi_process_pool(["cpu"])
    try:
        workers["processes"][0].kill()
        with pytest.raises(RuntimeError, match=r"a worker process ended with exit code -9"):
            model.encode(TEXTS, pool=workers)
    finally:
        model.stop_multi_process_pool(workers)


def test_no_devices(model: SentenceTransformer) -> None:
    with pytest.raises(ValueError, match=r"target_devices is empty"):
        model.start_multi_process_pool([])
