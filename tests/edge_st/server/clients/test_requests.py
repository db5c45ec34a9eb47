"""The lines for curl, and the requests of programs that are too large to install, as their code makes them."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.score_activations import apply_activation
from tests.edge_st.server.clients.conftest import KEY
from tests.support.clients import close, shell

pytestmark = pytest.mark.slow
QUERY = "How warm is it?"
DOCUMENTS = ["It is 21 degrees.", "Lunch is at noon."]


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as found:
        yield found


def test_curl(address: str, dense: SentenceTransformer, cross: CrossEncoder) -> None:
    embeddings, ranked = shell("curl", address)
    vectors = [each["embedding"] for each in embeddings["data"]]
    close(vectors, dense.encode([QUERY, "Is it raining?"], normalize_embeddings=True))
    _check_results(ranked, cross)


def test_curl_for_weaviate(address: str, dense: SentenceTransformer) -> None:
    vector, meta = shell("Weaviate", address)
    close(vector["vector"], dense.encode_query(QUERY))
    assert meta["model"] == "all-MiniLM-L6-v2"


def test_weaviate_vectorizes(client: httpx.Client, dense: SentenceTransformer) -> None:
    """The fields that Go writes for a struct; one text for a query, and in newer versions the texts of many objects."""
    config = {"pooling_strategy": "masked_mean", "task_type": "query"}
    one = _sent(client, "/vectors", {"text": QUERY, "dims": 0, "vector": None, "error": "", "config": config})
    close(one["vector"], dense.encode_query(QUERY))
    config = {"pooling_strategy": "masked_mean", "task_type": "passage", "dimensions": 32}
    many = _sent(client, "/vectors", {"texts": DOCUMENTS, "config": config})
    close(many["vectors"], dense.encode(DOCUMENTS, prompt_name="document", truncate_dim=32))
    assert client.get("/.well-known/ready").status_code == 204
    assert client.get("/.well-known/live").status_code == 204
    refused = client.post("/vectors", json={"text": "x", "config": {"task_type": "title"}})
    assert refused.status_code == 400
    assert isinstance(refused.json()["error"], str)


def test_weaviate_reranks(client: httpx.Client, cross: CrossEncoder) -> None:
    found = _sent(client, "/rerank", {"query": QUERY, "documents": DOCUMENTS, "property": ""})
    logits = cross.predict([(QUERY, text) for text in DOCUMENTS], activation_fn="Identity")
    scores = apply_activation(cross.activation_fn, logits[:, None]).reshape(-1)
    assert [each["document"] for each in found["scores"]] == DOCUMENTS
    close([each["score"] for each in found["scores"]], scores)


@pytest.mark.parametrize(("field", "prompt"), [({}, None), ({"input_type": "query"}, "query")])
def test_open_webui_embeds_like_openai(
    client: httpx.Client, dense: SentenceTransformer, field: dict[str, str], prompt: str | None
) -> None:
    """With `RAG_EMBEDDING_PREFIX_FIELD_NAME`, the prefix is a field; else it is part of the texts."""
    body = {"input": [QUERY, *DOCUMENTS], "model": "all-MiniLM-L6-v2", **field}
    headers = {"Authorization": f"Bearer {KEY}", "X-OpenWebUI-User-Name": "a user"}
    found = _sent(client, "/v1/embeddings", body, headers)
    vectors = [each["embedding"] for each in found["data"]]
    close(vectors, dense.encode([QUERY, *DOCUMENTS], prompt_name=prompt, normalize_embeddings=True))
    assert {"all-MiniLM-L6-v2", "reranker"} <= {each["id"] for each in client.get("/v1/models").json()["data"]}


def test_open_webui_embeds_like_ollama(client: httpx.Client, dense: SentenceTransformer) -> None:
    body = {"input": [QUERY, *DOCUMENTS], "model": "all-MiniLM-L6-v2", "truncate": True}
    found = _sent(client, "/api/embed", body, {"Authorization": "Bearer none"})
    close(found["embeddings"], dense.encode([QUERY, *DOCUMENTS], normalize_embeddings=True))
    assert client.get("/api/version").json().keys() == {"version"}


def test_open_webui_reranks(client: httpx.Client, cross: CrossEncoder) -> None:
    body = {"model": "reranker", "query": QUERY, "documents": DOCUMENTS, "top_n": len(DOCUMENTS)}
    _check_results(_sent(client, "/v1/rerank", body), cross)


def test_sparse_embeddings(client: httpx.Client, sparse: SparseEncoder) -> None:
    found = _sent(client, "/embed_sparse", {"inputs": DOCUMENTS, "truncate": None, "prompt_name": None})
    for each, row in zip(found, sparse.encode(DOCUMENTS), strict=True):
        assert [pair["index"] for pair in each] == row.indices.tolist()
        close([pair["value"] for pair in each], row.values)


def _sent(client: httpx.Client, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _check_results(found: dict[str, Any], cross: CrossEncoder) -> None:
    scores = cross.predict([(QUERY, text) for text in DOCUMENTS])
    order = np.argsort(-scores, kind="stable")
    assert [each["index"] for each in found["results"]] == order.tolist()
    close([each["relevance_score"] for each in found["results"]], scores[order])
