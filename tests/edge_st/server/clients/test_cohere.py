"""Cohere's client for Python: reranking in both versions of its API."""

from collections.abc import Callable

import numpy as np
import pytest

from edge_st import CrossEncoder
from tests.edge_st.server.clients.conftest import KEY
from tests.support.clients import Client, close, page_code

pytestmark = pytest.mark.slow
QUERY = "How warm is it?"
DOCUMENTS = ["It is 21 degrees.", "Lunch is at noon.", "The door is green."]
BOTH = f"""
import cohere

question = {{"model": "reranker", "query": {QUERY!r}, "documents": {DOCUMENTS!r}}}
second = cohere.ClientV2(api_key="none", base_url="http://localhost:8080").rerank(**question)
first_client = cohere.Client(api_key="none", base_url="http://localhost:8080")
first = first_client.rerank(**question, return_documents=True, top_n=2)
as_objects = first_client.rerank(**{{**question, "documents": [{{"text": text}} for text in question["documents"]]}})
"""
ERRORS = """
import cohere

def error_of(call):
    try:
        call()
    except cohere.core.ApiError as error:
        return [type(error).__name__, error.status_code, error.body["message"]]

client = cohere.ClientV2(api_key="none", base_url="http://localhost:8080")
unknown = error_of(lambda: client.rerank(model="nobody", query="x", documents=["y"]))
empty = error_of(lambda: client.rerank(model="reranker", query="x", documents=[]))
"""
LOCKED = """
import cohere

question = {{"model": "reranker", "query": "x", "documents": ["y"]}}
try:
    cohere.ClientV2(api_key="wrong", base_url="http://localhost:8080").rerank(**question)
except cohere.UnauthorizedError as error:
    status = error.status_code
results = cohere.ClientV2(api_key={key!r}, base_url="http://localhost:8080").rerank(**question).results
"""


def test_the_lines_of_the_page(client_of: Callable[[str], Client], address: str, cross: CrossEncoder) -> None:
    found = client_of("Cohere").run(page_code("Cohere"), address, best="best", count="len(answer.results)")
    scores = cross.predict([(QUERY, text) for text in DOCUMENTS[:2]])
    assert found == {"best": int(np.argmax(scores)), "count": 1}


def test_both_versions(client_of: Callable[[str], Client], address: str, cross: CrossEncoder) -> None:
    found = client_of("Cohere").run(
        BOTH,
        address,
        **{name: f"[each.model_dump() for each in {name}.results]" for name in ("second", "first", "as_objects")},
        id="second.id",
    )
    scores = cross.predict([(QUERY, text) for text in DOCUMENTS])
    order = np.argsort(-scores).tolist()
    for name, count in (("second", 3), ("as_objects", 3), ("first", 2)):
        assert [each["index"] for each in found[name]] == order[:count]
        close([each["relevance_score"] for each in found[name]], scores[order[:count]])
    assert [each["document"]["text"] for each in found["first"]] == [DOCUMENTS[place] for place in order[:2]]
    assert found["id"]


def test_errors_are_those_of_the_client(client_of: Callable[[str], Client], address: str) -> None:
    found = client_of("Cohere").run(ERRORS, address, unknown="unknown", empty="empty")
    assert found["unknown"][:2] == ["NotFoundError", 404]
    assert "there is no model 'nobody'" in found["unknown"][2]
    assert found["empty"][:2] == ["BadRequestError", 400]
    assert "`documents` is an empty list" in found["empty"][2]


def test_a_wrong_key(client_of: Callable[[str], Client], locked: str) -> None:
    found = client_of("Cohere").run(LOCKED.format(key=KEY), locked, status="status", count="len(results)")
    assert found == {"status": 401, "count": 1}
