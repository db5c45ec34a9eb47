"""LiteLLM: embeddings and reranking by the prefixes that its users have."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from tests.support.clients import Client, client_python, close, page_code

pytestmark = pytest.mark.slow
QUERY = "How warm is it?"
DOCUMENTS = ["It is 21 degrees.", "Lunch is at noon."]
RERANKERS = ("hosted_vllm", "huggingface", "cohere", "jina_ai", "together_ai", "infinity")
EMBEDDERS = {"openai": "/v1", "hosted_vllm": "/v1", "lm_studio": "/v1", "ollama": "", "infinity": ""}
EMBED = """
import litellm

def embed(prefix, path, **options):
    base, model = "http://localhost:8080" + path, prefix + "/all-MiniLM-L6-v2"
    texts = ["How warm is it?", "Is it raining?"]
    answer = litellm.embedding(model=model, input=texts, api_base=base, api_key="none", **options)
    return [each["embedding"] for each in answer.data]

found = {{prefix: embed(prefix, path) for prefix, path in {embedders!r}.items()}}
narrow = embed("openai", "/v1", dimensions=32, allowed_openai_params=["dimensions"])
"""
RERANK = """
import litellm

def rerank(prefix, **options):
    # Infinity's documents are texts, which vLLM's on the same path are not
    options = {{"return_documents": False, **options}} if prefix == "infinity" else options
    where = {{"model": prefix + "/reranker", "api_base": "http://localhost:8080", "api_key": "none"}}
    return litellm.rerank(query={query!r}, documents={documents!r}, **where, **options).results

found = {{prefix: rerank(prefix) for prefix in {rerankers!r}}}
best = {{prefix: rerank(prefix, top_n=1) for prefix in {rerankers!r}}}
texts = {{prefix: rerank(prefix, return_documents=True) for prefix in {rerankers!r} if prefix != "infinity"}}
"""
ERRORS = """
import litellm

try:
    litellm.embedding(model="openai/nobody", input=["x"], api_base="http://localhost:8080/v1", api_key="none")
except litellm.NotFoundError as error:
    unknown = str(error)
try:
    litellm.rerank(model="hosted_vllm/all-MiniLM-L6-v2", query="x", documents=["y"], api_base="http://localhost:8080")
except litellm.BadRequestError as error:
    wrong = str(error)
"""


def test_the_lines_of_the_page(
    client_of: Callable[[str], Client], address: str, dense: SentenceTransformer, cross: CrossEncoder
) -> None:
    shown = {"vector": "answer.data[0]['embedding']", "ranked": "ranked.results"}
    found = client_of("LiteLLM").run(page_code("LiteLLM"), address, **shown)
    close(found["vector"], dense.encode(QUERY, normalize_embeddings=True))
    _check_ranks(found["ranked"], cross)


def test_embeddings(client_of: Callable[[str], Client], address: str, dense: SentenceTransformer) -> None:
    code = EMBED.format(embedders=EMBEDDERS)
    found = client_of("LiteLLM").run(code, address, found="found", narrow="narrow")
    texts = [QUERY, "Is it raining?"]
    expected = dense.encode(texts, normalize_embeddings=True)
    assert found["found"].keys() == EMBEDDERS.keys()
    for each in found["found"].values():
        close(each, expected)
    close(found["narrow"], dense.encode(texts, truncate_dim=32, normalize_embeddings=True))


def test_an_older_version_that_sends_null(
    tmp_path: Path, address: str, dense: SentenceTransformer, cross: CrossEncoder
) -> None:
    """1.80.11 sends ``"encoding_format": null`` where its user says nothing, which other servers refuse."""
    shown = {"vector": "answer.data[0]['embedding']", "ranked": "ranked.results"}
    found = Client(client_python("litellm==1.80.11"), tmp_path).run(page_code("LiteLLM"), address, **shown)
    close(found["vector"], dense.encode(QUERY, normalize_embeddings=True))
    _check_ranks(found["ranked"], cross)


def test_reranking(client_of: Callable[[str], Client], address: str, cross: CrossEncoder) -> None:
    code = RERANK.format(query=QUERY, documents=DOCUMENTS, rerankers=RERANKERS)
    found = client_of("LiteLLM").run(code, address, found="found", best="best", texts="texts")
    for prefix in RERANKERS:
        _check_ranks(found["found"][prefix], cross)
        assert found["best"][prefix] == found["found"][prefix][:1]
    for results in found["texts"].values():
        assert [each["document"] for each in results] == [{"text": DOCUMENTS[each["index"]]} for each in results]


def test_errors(client_of: Callable[[str], Client], address: str) -> None:
    found = client_of("LiteLLM").run(ERRORS, address, unknown="unknown", wrong="wrong")
    assert "there is no model 'nobody'; expected one of all-MiniLM-L6-v2" in found["unknown"]
    assert "all-MiniLM-L6-v2" in found["wrong"]


def _check_ranks(results: list[dict[str, float]], cross: CrossEncoder) -> None:
    scores = cross.predict([(QUERY, each) for each in DOCUMENTS])
    assert [each["index"] for each in results] == np.argsort(-scores).tolist()
    close([each["relevance_score"] for each in results], np.sort(scores)[::-1])
