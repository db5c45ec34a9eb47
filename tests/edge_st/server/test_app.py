"""The application over real models: every route, which model answers, and what is told where none can."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from edge_st.protocols.routes import ROUTES
from edge_st.server import create_app
from tests.support.service import ALIAS, DOCUMENTS, Folders, Same

TEXTS = ["the quick fox", "who remembers the dog", "an old library by the green sea"]
QUERY = "who remembers"
PAIRS = [(QUERY, text) for text in TEXTS]


@pytest.fixture(scope="module")
def client(folders: Folders) -> Iterator[TestClient]:
    with TestClient(folders.app()) as found:
        yield found


def answer(client: TestClient, path: str, body: Any, status: int = 200) -> Any:
    found = client.post(path, json=body)
    assert found.status_code == status, found.text
    return found.json()


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.array(found, np.float32), np.asarray(expected), rtol=1e-5, atol=1e-6)


def normalized(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def vectors(same: Same) -> Any:
    return same.dense.encode(TEXTS)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/", "/invocations"])
def test_openai(client: TestClient, path: str, vectors: Any) -> None:
    found = answer(client, path, {"input": TEXTS, "model": "dense"})
    close([each["embedding"] for each in found["data"]], normalized(vectors))
    assert found["model"] == "dense"
    coded = answer(client, path, {"input": TEXTS, "model": "dense", "encoding_format": "base64"})
    close([np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in coded["data"]], normalized(vectors))


def test_text_embeddings_inference(client: TestClient, same: Same, vectors: Any) -> None:
    close(answer(client, "/embed", {"inputs": TEXTS, "normalize": False}), vectors)
    close(answer(client, "/embed", {"inputs": TEXTS[0]}), normalized(vectors)[:1])
    tokens = same.dense.encode(TEXTS, output_value="token_embeddings")
    for found, expected in zip(answer(client, "/embed_all", {"inputs": TEXTS}), tokens, strict=True):
        close(found, expected)
    sparse = same.sparse.encode(TEXTS).to_dense()
    for row, expected in zip(answer(client, "/embed_sparse", {"inputs": TEXTS}), sparse, strict=True):
        dense = np.zeros(len(expected), np.float32)
        dense[[each["index"] for each in row]] = [each["value"] for each in row]
        close(dense, expected)
    asked = {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS[1:]}}
    close(answer(client, "/similarity", asked), normalized(vectors)[1:] @ normalized(vectors)[0])


def test_prompts(client: TestClient, same: Same) -> None:
    for name, call in (("query", same.dense.encode_query), ("document", same.dense.encode_document)):
        expected = normalized(call(TEXTS))
        close(answer(client, "/embed", {"inputs": TEXTS, "prompt_name": name}), expected)
        found = answer(client, "/v1/embeddings", {"input": TEXTS, "input_type": name})
        close([each["embedding"] for each in found["data"]], expected)


def test_rerankers(client: TestClient, same: Same) -> None:
    scores = same.reranker.predict(PAIRS)
    order = np.argsort(-scores, kind="stable").tolist()
    found = answer(client, "/rerank", {"query": QUERY, "texts": TEXTS})
    assert [each["index"] for each in found] == order
    close([each["score"] for each in found], scores[order])
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        found = answer(client, path, {"query": QUERY, "documents": TEXTS, "top_n": 2, "model": "reranker"})
        assert [each["index"] for each in found["results"]] == order[:2]
        close([each["relevance_score"] for each in found["results"]], scores[order[:2]])
    found = answer(client, "/rerank", {"query": QUERY, "documents": TEXTS, "property": ""})
    close([each["score"] for each in found["scores"]], scores)


def test_predict(client: TestClient, same: Same) -> None:
    logits = same.classifier.predict(PAIRS, activation_fn=lambda logits: logits)
    found = answer(client, "/predict", {"inputs": [list(pair) for pair in PAIRS], "model": "classifier"})
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    close([[each["score"] for each in row] for row in found], -np.sort(-softmax, axis=1))


def test_tokens(client: TestClient, same: Same) -> None:
    found = answer(client, "/tokenize", {"inputs": TEXTS, "model": "dense"})
    ids = [[token["id"] for token in row] for row in found]
    assert ids == [same.dense.tokenizer.encode(text).ids for text in TEXTS]
    assert answer(client, "/decode", {"ids": ids, "model": "dense"}) == TEXTS


def test_ollama(client: TestClient, vectors: Any) -> None:
    close(answer(client, "/api/embed", {"model": "dense", "input": TEXTS})["embeddings"], normalized(vectors))
    close(answer(client, "/api/embeddings", {"model": "dense", "prompt": TEXTS[1]})["embedding"], vectors[1])
    assert answer(client, "/api/show", {"model": "dense"})["capabilities"] == ["embedding"]


def test_weaviate(client: TestClient, vectors: Any, same: Same) -> None:
    found = answer(client, "/vectors", {"text": TEXTS[0], "config": {"pooling_strategy": "masked_mean"}})
    close(found["vector"], vectors[0])
    assert (found["text"], found["dim"]) == (TEXTS[0], 12)
    query = answer(client, "/vectors", {"text": TEXTS[0], "config": {"task_type": "query"}})
    close(query["vector"], same.dense.encode_query(TEXTS[0]))


def test_all_routes_were_asked_here() -> None:
    """Which a new route would not be."""
    asked = {
        *("/v1/embeddings", "/embeddings", "/", "/invocations", "/embed", "/embed_all", "/embed_sparse"),
        *("/similarity", "/rerank", "/v1/rerank", "/v2/rerank", "/predict", "/tokenize", "/decode"),
        *("/api/embed", "/api/embeddings", "/api/show", "/vectors"),
    }
    assert asked == set(ROUTES)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/models", "/models", "/v1/models/dense", f"/v1/models/{ALIAS}", "/info", "/info?model=sparse", "/stats"),
        *("/api/tags", "/api/version", "/meta", "/health", "/ping", "/health/ready", "/ready", "/metrics"),
        *("/.well-known/live", "/.well-known/ready", "/openapi.json"),
    ],
)
def test_listings_and_probes(client: TestClient, path: str) -> None:
    found = client.get(path)
    assert found.status_code == (204 if "well-known" in path else 200)
    assert client.post(path, json={}).status_code == 405


def test_models_are_listed(client: TestClient, same: Same) -> None:
    listed = {each["id"]: each for each in client.get("/v1/models").json()["data"]}
    assert list(listed) == ["dense", "sparse", "reranker", "classifier", "static"]
    for name, found in listed.items():
        model = getattr(same, name)
        assert (found["class"], found["fingerprint"]) == (type(model).__name__, model.fingerprint)
    assert client.get("/info?model=static").json()["max_client_batch_size"] > 10**6


@pytest.mark.parametrize(
    ("name", "model"), [("dense", "dense"), (ALIAS, "dense"), ("static", "static"), (None, "dense")]
)
def test_a_model_is_found_by_its_name_an_alias_or_its_class(
    client: TestClient, same: Same, name: str | None, model: str
) -> None:
    found = answer(client, "/v1/embeddings", {"input": TEXTS, "model": name})
    close([each["embedding"] for each in found["data"]], normalized(getattr(same, model).encode(TEXTS)))
    assert found["model"] == (name or "dense")


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/embeddings", {"input": "a"}, lambda body: body["error"]["message"]),
        ("/embed", {"inputs": "a"}, lambda body: body["error"]),
        ("/rerank", {"query": "a", "documents": ["b"]}, lambda body: body["message"]),
        ("/rerank", {"query": "a", "texts": ["b"]}, lambda body: body["error"]),
        ("/api/embed", {"input": "a"}, lambda body: body["error"]),
        ("/vectors", {"text": "a"}, lambda body: body["error"]),
    ],
)
def test_an_unknown_model_is_not_found_in_each_dialect(client: TestClient, path: str, body: Any, where: Any) -> None:
    message = where(answer(client, path, {**body, "model": "gpt-5"}, 404))
    assert message == "there is no model 'gpt-5'; expected one of dense, sparse, reranker, classifier, static"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/embeddings", {"input": "a", "model": "reranker"}, 400),
        ("/embed", {"inputs": "a", "model": "sparse"}, 424),
        ("/rerank", {"query": "a", "texts": ["b"], "model": "dense"}, 424),
        ("/rerank", {"query": "a", "texts": ["b"], "model": "classifier"}, 424),
        ("/api/embed", {"input": "a", "model": "sparse"}, 400),
    ],
)
def test_a_model_of_another_class_says_so(client: TestClient, path: str, body: Any, status: int) -> None:
    assert body["model"] in str(answer(client, path, body, status))


def test_no_model_of_a_class(folders: Folders) -> None:
    with TestClient(create_app({"models": [{"model": str(folders.dense), "name": "dense"}]})) as client:
        found = answer(client, "/embed_sparse", {"inputs": "a"}, 424)
        assert "SparseEncoder; there are dense (SentenceTransformer)" in found["error"]


def test_unknown_paths_and_methods(client: TestClient) -> None:
    for path, method in (("/nothing", "GET"), ("/v1/chat/completions", "POST"), ("/api/chat", "POST")):
        assert client.request(method, path).status_code == 404
    found = client.get("/embed")
    assert found.status_code == 405
    assert "POST" in found.headers["allow"]
    assert "does not take GET" in found.json()["error"]


def test_truncation_is_told_in_the_header_and_the_body(client: TestClient) -> None:
    long = ["the dog", "the dog " * 100, "dog " * 99]
    found = client.post("/v1/embeddings", json={"input": long, "model": "dense"})
    assert found.headers["x-edge-st-truncated"] == "2"
    assert found.json()["truncated"] == [1, 2]
    assert client.post("/embed", json={"inputs": long}).headers["x-edge-st-truncated"] == "2"
    assert answer(client, "/api/embed", {"input": long, "model": "dense"})["truncated"] == [1, 2]
    none = client.post("/v1/embeddings", json={"input": long[:1], "model": "dense"})
    assert none.headers["x-edge-st-truncated"] == "0"
    assert "truncated" not in none.json()
    assert "text 1 has" in answer(client, "/embed", {"inputs": long, "truncate": False}, 422)["error"]
    left, right = (answer(client, "/embed", {"inputs": ["fox " + "dog " * 99], "truncation_direction": side})
                   for side in ("left", "right"))  # fmt: skip
    assert left != right


def test_more_texts_than_allowed(folders: Folders) -> None:
    with TestClient(create_app({"models": [str(folders.dense)], "max_texts": 2})) as client:
        assert len(answer(client, "/embed", {"inputs": ["a", "b"]})) == 2
        assert "has 3 texts; expected at most 2" in answer(client, "/embed", {"inputs": ["a"] * 3}, 422)["error"]
        assert client.get("/info").json()["max_client_batch_size"] == 2


def test_a_request_of_many_texts(client: TestClient, same: Same) -> None:
    texts = [f"{text} {number}" for number in range(500) for text in DOCUMENTS]
    close(answer(client, "/embed", {"inputs": texts, "normalize": False}), same.dense.encode(texts))


def test_mounted_in_another_application(folders: Folders, same: Same) -> None:
    """Which does not tell it of its start: models are loaded at the first request."""
    app = Starlette(routes=[Mount("/models", folders.app(lazy=True)), Mount("/eager", folders.app())])

    async def ask() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            found = await client.post("/models/embed", json={"inputs": TEXTS, "normalize": False})
            assert found.status_code == 200, found.text
            close(found.json(), same.dense.encode(TEXTS))
            assert (await client.post("/models/v1/embeddings", json={"input": ""})).json()["error"]["param"] == "input"
            assert (await client.get("/models/health")).status_code == 200
            assert (await client.get("/models/api/version")).status_code == 200
            wrong = await client.post("/models/api/embed", json={"input": 5})
            assert isinstance(wrong.json()["error"], str)
            for _ in range(200):
                found = await client.post("/eager/embed", json={"inputs": TEXTS, "normalize": False})
                if found.status_code == 200:
                    break
                assert (found.status_code, found.headers["retry-after"]) == (503, "1")
                await asyncio.sleep(0.05)
            close(found.json(), same.dense.encode(TEXTS))

    asyncio.run(ask())


def test_mounted_and_started_by_hand(folders: Folders, same: Same) -> None:
    inner = folders.app()
    app = Starlette(routes=[Mount("/models", inner)])

    async def ask() -> None:
        await inner.state.service.start()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            found = await client.post("/models/embed", json={"inputs": TEXTS, "normalize": False})
            close(found.json(), same.dense.encode(TEXTS))
        await inner.state.service.stop()

    asyncio.run(ask())


def test_two_applications_in_one_process(folders: Folders, same: Same) -> None:
    one = create_app({"models": [{"model": str(folders.dense), "name": "same"}]})
    other = create_app({"models": [{"name": "same"}]})
    with TestClient(one) as first, TestClient(other) as second:
        for client, model in ((first, same.dense), (second, same.static), (first, same.dense)):
            close(answer(client, "/embed", {"inputs": TEXTS, "normalize": False}), model.encode(TEXTS))
        assert 'status="200"' in first.get("/metrics").text
    with TestClient(one) as again:
        assert again.post("/embed", json={"inputs": TEXTS}).status_code == 503  # it has ended


def test_a_client_without_a_lifespan(folders: Folders, same: Same) -> None:
    """Starlette's client then has an event loop for each request."""
    client = TestClient(folders.app(lazy=True))
    for _ in range(2):
        close(answer(client, "/embed", {"inputs": TEXTS, "normalize": False}), same.dense.encode(TEXTS))


def test_a_configuration_that_is_wrong_raises_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no key 'model'"):
        create_app({"model": "x"})
