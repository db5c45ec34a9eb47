"""The shapes of Weaviate's modules."""

from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st.protocols.fields import RequestError
from edge_st.protocols.weaviate import answer_rerank, answer_vectors, failure
from tests.support.answers import body_of

QUERY, DOCUMENTS = "the quick fox", ["a good day", "the quick fox", "is it"]
#: what Weaviate's client sends
VECTORS = {"text": "fox", "dims": 0, "vector": None, "error": "", "config": {"pooling_strategy": "masked_mean"}}


@pytest.mark.parametrize(("task", "prompt"), [("query", "query"), ("passage", "passage"), (None, None)])
def test_a_vector_is_that_of_encode(small: SentenceTransformer, task: str | None, prompt: str | None) -> None:
    found = body_of(answer_vectors, small, {**VECTORS, "config": {**VECTORS["config"], "task_type": task}})
    expected = small.encode("fox", prompt_name=prompt)
    np.testing.assert_array_equal(np.array(found["vector"], np.float32), expected)
    assert (found["text"], found["dim"]) == ("fox", len(expected))


def test_vectors_of_many_texts(small: SentenceTransformer) -> None:
    """Newer versions of Weaviate send the texts of many objects at once, which may be empty."""
    texts = ["fox", "", "the quick fox"]
    found = body_of(answer_vectors, small, {"texts": texts, "config": {"task_type": "passage", "dimensions": 3}})
    expected = small.encode(texts, prompt_name="passage", truncate_dim=3)
    np.testing.assert_array_equal(np.array(found["vectors"], np.float32), expected)
    assert found["dims"] == 3


def test_dimensions_and_an_empty_text(small: SentenceTransformer) -> None:
    found = body_of(answer_vectors, small, {"text": "", "config": {"dimensions": 3}})
    np.testing.assert_array_equal(np.array(found["vector"], np.float32), small.encode("", truncate_dim=3))
    assert body_of(answer_vectors, small, {"text": "", "config": None})["dim"] == small.get_embedding_dimension()


def test_scores_are_in_the_order_of_the_documents(cross: CrossEncoder) -> None:
    found = body_of(answer_rerank, cross, {"query": QUERY, "documents": DOCUMENTS, "property": ""})
    scores = cross.predict([(QUERY, text) for text in DOCUMENTS])
    pairs = [{"document": text, "score": float(score)} for text, score in zip(DOCUMENTS, scores, strict=True)]
    assert found == {"query": QUERY, "scores": pairs}


def test_a_single_property_has_a_score(cross: CrossEncoder) -> None:
    found = body_of(answer_rerank, cross, {"query": QUERY, "property": DOCUMENTS[0], "documents": None})
    assert found == {
        "query": QUERY,
        "property": DOCUMENTS[0],
        "score": float(cross.predict((QUERY, DOCUMENTS[0]))),
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "`text` is missing"),
        ({"text": ["a"]}, "`text` is a list of 1"),
        ({"texts": "a"}, "`texts` is the string 'a'; expected a list of strings"),
        ({"texts": []}, "`texts` is an empty list"),
        ({"texts": ["a", 1]}, r"`texts\[1\]` is the number 1"),
        ({"texts": ["\ud800"]}, r"`texts\[0\]` holds a lone surrogate"),
        ({"text": "a", "config": "cls"}, "`config` is the string 'cls'"),
        ({"text": "a", "config": {"pooling_strategy": "max"}}, "masked_mean"),
        ({"text": "a", "config": {"task_type": "title"}}, "query, passage"),
    ],
)
def test_errors_are_texts(small: SentenceTransformer, body: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        body_of(answer_vectors, small, body)
    assert failure(caught.value) == (400, {"error": str(caught.value)})
