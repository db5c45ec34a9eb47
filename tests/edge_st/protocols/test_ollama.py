"""Ollama's shapes."""

from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st.protocols.fields import OverloadedError, RequestError, UnknownModelError
from edge_st.protocols.ollama import answer_embed, answer_embeddings, answer_show, failure
from edge_st_runtime.errors import NotFiniteError
from tests.support.answers import body_of

TEXTS = ["The weather is lovely.", "He drove away."]


def test_embed_is_normalized_and_tells_its_tokens(dense: SentenceTransformer) -> None:
    found = body_of(answer_embed, dense, {"model": "all-minilm:latest", "input": TEXTS, "options": {"num_ctx": 64}})
    expected = dense.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_array_equal(np.array(found["embeddings"], np.float32), expected)
    assert (found["model"], found["prompt_eval_count"]) == ("all-minilm:latest", int(np.sum(dense.count_tokens(TEXTS))))
    assert 0 < found["total_duration"] < 60e9


def test_embed_obeys_its_fields(small: SentenceTransformer) -> None:
    body = {"input": "fox", "dimensions": 4, "input_type": "query", "keep_alive": None, "truncate": None}
    expected = small.encode_query(["fox"], truncate_dim=4, normalize_embeddings=True)
    found = body_of(answer_embed, small, body)
    np.testing.assert_array_equal(np.array(found["embeddings"], np.float32), expected)
    with pytest.raises(RequestError, match="must have at most"):
        body_of(answer_embed, small, {"input": "fox " * 99, "truncate": False})
    assert body_of(answer_embed, small, {"input": ["fox", "fox " * 99]})["truncated"] == [1]


@pytest.mark.parametrize("body", [{}, {"input": None}, {"input": ""}, {"input": []}])
def test_no_text_has_no_embedding(dense: SentenceTransformer, body: Any) -> None:
    assert body_of(answer_embed, dense, {"model": "m", **body}) == {"model": "m", "embeddings": []}


def test_the_older_path_gives_the_embedding_of_the_model(dense: SentenceTransformer) -> None:
    found = body_of(answer_embeddings, dense, {"model": "m", "prompt": TEXTS[0]})
    np.testing.assert_array_equal(np.array(found["embedding"], np.float32), dense.encode(TEXTS[0]))
    assert body_of(answer_embeddings, dense, {"model": "m", "prompt": ""}) == {"embedding": []}
    with pytest.raises(RequestError, match="`prompt` is a list of 1"):
        body_of(answer_embeddings, dense, {"prompt": ["a"]})


def test_show_says_what_the_model_is(small: SentenceTransformer, cross: CrossEncoder) -> None:
    found = body_of(answer_show, small, {"model": "m"})
    assert found["model_info"] == {
        "general.architecture": "bert",
        "bert.embedding_length": small.get_embedding_dimension(),
        "bert.context_length": small.max_seq_length,
    }
    assert (found["capabilities"], body_of(answer_show, cross, {})["capabilities"]) == (["embedding"], [])


def test_errors_are_texts_with_ollamas_statuses() -> None:
    assert failure(RequestError("no", "input")) == (400, {"error": "no"})
    assert failure(OverloadedError("full")) == (503, {"error": "full"})
    assert failure(NotFiniteError("NaN")) == (500, {"error": "NaN"})
    status, body = failure(UnknownModelError("x", ["a", "b"]))
    assert (status, body) == (404, {"error": "there is no model 'x'; expected one of a, b"})
