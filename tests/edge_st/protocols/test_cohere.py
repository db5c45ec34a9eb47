"""The shape of Cohere's and Jina's rerankers."""

import numpy as np
import pytest

from edge_st import CrossEncoder
from edge_st.protocols.cohere import answer_rerank
from edge_st.protocols.fields import RequestError
from tests.support.answers import body_of

QUERY, DOCUMENTS = "the quick fox", ["a good day", "the quick fox", "is it"]


def test_results_are_the_best_first(cross: CrossEncoder) -> None:
    found = body_of(answer_rerank, cross, {"query": QUERY, "documents": DOCUMENTS, "top_n": 2, "model": "m"})
    scores = cross.predict([(QUERY, text) for text in DOCUMENTS], activation_fn="sigmoid")
    best = np.argsort(-scores)[:2].tolist()
    assert found["results"] == [{"index": row, "relevance_score": float(scores[row])} for row in best]
    assert found["model"] == "m"
    tokens = cross.count_tokens([(QUERY, text) for text in DOCUMENTS])
    assert found["usage"] == {"total_tokens": int(np.sum(tokens))}


def test_documents_may_be_objects_and_come_back(cross: CrossEncoder) -> None:
    body = {"query": QUERY, "documents": [{"text": text} for text in DOCUMENTS], "return_documents": True}
    for each in body_of(answer_rerank, cross, {**body, "top_n": None})["results"]:
        assert each["document"] == {"text": DOCUMENTS[each["index"]]}


def test_truncation_is_told(cross: CrossEncoder) -> None:
    assert body_of(answer_rerank, cross, {"query": QUERY, "documents": ["day", "fox " * 900]})["truncated"] == [1]


@pytest.mark.parametrize(
    ("documents", "message"),
    [(None, "missing"), ([], "at least one"), ([{"title": "a"}], "no `text`"), (["a", ""], r"documents\[1\]")],
)
def test_documents_that_cannot_be_used_are_named(cross: CrossEncoder, documents: object, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        body_of(answer_rerank, cross, {"query": QUERY, "documents": documents})


def test_null_is_as_good_as_nothing(cross: CrossEncoder) -> None:
    nulls = dict.fromkeys(("model", "top_n", "return_documents", "truncate", "truncation_direction"))
    body = {"query": QUERY, "documents": DOCUMENTS}
    found, expected = (body_of(answer_rerank, cross, {**body, **more}) for more in (nulls, {}))
    assert {**found, "id": ""} == {**expected, "id": ""}


def test_long_documents_are_refused_where_truncate_is_false(cross: CrossEncoder) -> None:
    with pytest.raises(RequestError, match="`documents` must have at most"):
        body_of(answer_rerank, cross, {"query": QUERY, "documents": ["fox " * 900], "truncate": False})
