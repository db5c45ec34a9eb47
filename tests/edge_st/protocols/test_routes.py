"""Which path and which keys lead to which answer."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.classes import Model
from edge_st.models.steps import Steps
from edge_st.protocols.engine import Answered, Direct, Engine, run
from edge_st.protocols.fields import RequestError
from edge_st.protocols.routes import COHERE, OLLAMA, OPENAI, ROUTES, TEI, WEAVIATE, route_of_body
from edge_st_runtime.text.tokens import TextOrPair, Tokens

TEXTS = {"query": "a", "texts": ["b"]}
DOCUMENTS = {"query": "a", "documents": ["b"]}


@pytest.mark.parametrize(
    ("path", "body", "dialect", "serves", "operation"),
    [
        ("/v1/embeddings", {}, OPENAI, SentenceTransformer, "embeddings"),
        ("/embed", {}, TEI, SentenceTransformer, "embeddings"),
        ("/embed_sparse", {}, TEI, SparseEncoder, "sparse_embeddings"),
        ("/predict", {}, TEI, CrossEncoder, "predict"),
        ("/rerank", TEXTS, TEI, CrossEncoder, "rerank"),
        ("/rerank", {**TEXTS, "documents": None, "property": None}, TEI, CrossEncoder, "rerank"),
        ("/rerank", {}, TEI, CrossEncoder, "rerank"),
        ("/rerank", DOCUMENTS, COHERE, CrossEncoder, "rerank"),
        ("/rerank", {**DOCUMENTS, "texts": None, "property": None, "model": "m"}, COHERE, CrossEncoder, "rerank"),
        ("/rerank", {**DOCUMENTS, "property": ""}, WEAVIATE, CrossEncoder, "rerank"),
        ("/v1/rerank", {}, COHERE, CrossEncoder, "rerank"),
        ("/v1/rerank", TEXTS, TEI, CrossEncoder, "rerank"),
        ("/v2/rerank", DOCUMENTS, COHERE, CrossEncoder, "rerank"),
        ("/api/embed", {}, OLLAMA, SentenceTransformer, "embeddings"),
        ("/vectors", {}, WEAVIATE, SentenceTransformer, "embeddings"),
        ("/", {"input": "a"}, OPENAI, SentenceTransformer, "embeddings"),
        ("/", {"inputs": "a", "input": None}, TEI, SentenceTransformer, "default"),
        ("/", DOCUMENTS, COHERE, CrossEncoder, "rerank"),
        ("/invocations", TEXTS, TEI, CrossEncoder, "rerank"),
        ("/invocations", {"inputs": {}}, TEI, SentenceTransformer, "similarity"),
    ],
)
def test_path_and_keys_decide(path: str, body: Any, dialect: Any, serves: type[Model], operation: str) -> None:
    route = ROUTES[path](body)
    assert (route.dialect, route.serves[0], route.operation) == (dialect, serves, operation)
    assert route.failure is dialect.failure


def test_inputs_alone_are_what_the_model_gives(models: dict[str, Model]) -> None:
    route = route_of_body({"inputs": ["a"]})
    assert route.serves == (SentenceTransformer, SparseEncoder, CrossEncoder)
    assert run(route.answer(Direct(models["dense"]), {"inputs": "a"})).body.shape == (1, 256)
    assert set(run(route.answer(Direct(models["sparse"]), {"inputs": "the fox"})).body[0][0]) == {"index", "value"}
    assert set(run(route.answer(Direct(models["classifier"]), {"inputs": ["a", "b"]})).body[0]) == {"score", "label"}


def test_other_keys_are_named() -> None:
    with pytest.raises(RequestError, match=r"the keys are the string 'a', the string 'b\\ud800'; expected `input`"):
        route_of_body({"a": 1, "b\ud800": 2})
    with pytest.raises(RequestError, match="the keys are none"):
        route_of_body({})


def test_run_gives_the_result_or_the_error_and_never_waits(models: dict[str, Model]) -> None:
    with pytest.raises(RequestError, match="missing"):
        run(ROUTES["/embed"]({}).answer(Direct(models["dense"]), {}))

    class Waiting(Direct):
        async def compute(self, steps: Steps, texts: Sequence[TextOrPair], tokens: Tokens) -> list[Any]:
            await asyncio.sleep(0)
            return await super().compute(steps, texts, tokens)

    engine: Engine = Waiting(models["dense"])
    with pytest.raises(RuntimeError, match="event loop"):
        run(ROUTES["/embed"]({}).answer(engine, {"inputs": "a"}))


def test_counts_are_those_of_the_request(models: dict[str, Model]) -> None:
    found: Answered = run(ROUTES["/embed"]({}).answer(Direct(models["dense"]), {"inputs": ["a text", "another"]}))
    assert (found.counts.tokens.tolist(), found.counts.truncated) == ([2, 1], [])
