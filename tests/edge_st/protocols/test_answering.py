"""Which path, which keys and which errors lead to which answer."""

import json
from typing import Any

import pytest

from edge_st import CrossEncoder, SparseEncoder
from edge_st.models.classes import Model
from edge_st.protocols.answering import answer
from tests.support.answers import post


@pytest.fixture
def dense(models: dict[str, Model]) -> Model:
    return models["dense"]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/prod/v1/embeddings", "/"])
def test_openais_path_wherever_it_is_mounted(dense: Model, path: str) -> None:
    status, body = post(dense, path, {"input": "a text", "model": "any"})
    assert (status, body["object"], body["model"]) == (200, "list", "any")


def test_one_rerank_path_answers_by_the_keys_of_the_body(models: dict[str, Model]) -> None:
    model = models["cross"]
    assert isinstance(post(model, "/rerank", {"query": "a", "texts": ["b"]})[1], list)
    assert post(model, "/v1/rerank", {"query": "a", "documents": ["b"]})[1]["results"][0]["index"] == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/v1/embeddings", {"input": ["a"]}, 400, "gives embeddings"),
        ("/embed", {"inputs": ["a"]}, 424, "gives embeddings"),
        ("/embed_sparse", {"inputs": ["a"]}, 424, "gives sparse embeddings"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"]}}, 424, "gives embeddings"),
        ("/rerank", {"query": "a", "texts": ["b"]}, 424, "3 labels"),
        ("/rerank", {"query": "a", "documents": ["b"]}, 400, "3 labels"),
        ("/", {"something": 1}, 422, "the keys are the string 'something'; expected `input`"),
        ("/nothing", {}, 404, "expected one of /v1/embeddings"),
    ],
)
def test_what_a_model_cannot_answer_is_refused(
    models: dict[str, Model], path: str, body: Any, status: int, message: str
) -> None:
    found = post(models["classifier"], path, body)
    assert found[0] == status
    assert message in json.dumps(found[1], ensure_ascii=False)


@pytest.mark.parametrize("content", ["", "{", b"\xff", "[1]", '"text"'])
def test_a_body_that_is_no_object_is_refused_in_the_shape_of_the_path(dense: Model, content: str | bytes) -> None:
    openai, tei = (answer(dense, "POST", path, content) for path in ("/v1/embeddings", "/embed"))
    assert openai.status == 400
    assert openai.body["error"]["type"] == "invalid_request_error"
    assert (tei.status, tei.body["error_type"]) == (422, "Validation")


def test_health_and_methods(dense: Model) -> None:
    assert answer(dense, "GET", "/health", "") == (200, {"status": "ok"})
    assert answer(dense, "GET", "/embed", "").status == 405
    assert answer(dense, "POST", "/health", "").status == 405


def test_the_classes_are_told_apart(models: dict[str, Model]) -> None:
    """``inputs`` alone means what the model gives."""
    assert isinstance(models["sparse"], SparseEncoder)
    assert isinstance(models["cross"], CrossEncoder)
    assert set(post(models["sparse"], "/", {"inputs": "the quick fox"})[1][0][0]) == {"index", "value"}
    assert len(post(models["dense"], "/", {"inputs": "the quick fox"})[1][0]) == 256
