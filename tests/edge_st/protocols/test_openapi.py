"""The OpenAPI document: it is whole, and what it says is true."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from edge_st import SentenceTransformer
from edge_st.models.classes import Model
from edge_st.protocols import listings
from edge_st.protocols.described import Described
from edge_st.protocols.openapi.document import document
from edge_st.protocols.openapi.operations import LISTINGS, OPERATIONS
from edge_st.protocols.routes import ROUTES
from edge_st.protocols.writing import written
from tests.support.answers import post

jsonschema = pytest.importorskip("jsonschema_rs")
DOCUMENT = document()
EXAMPLES = [(path, name) for path, operation in OPERATIONS.items() for name in operation.examples]
KINDS = {"/embed_sparse": "sparse", "/predict": "cross"}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def check(schema: Any, value: Any, whole: Any = DOCUMENT) -> None:
    jsonschema.validate({**schema, "components": whole["components"]}, value)


def kind_of(path: str) -> str:
    return KINDS.get(path, "cross" if "rerank" in path else "")


def body_schema(path: str) -> Any:
    return DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]


def test_every_route_is_in_it() -> None:
    assert set(OPERATIONS) == set(ROUTES)
    assert {path for path, item in DOCUMENT["paths"].items() if "get" in item} == set(LISTINGS)


def test_it_is_whole() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    used = {reference.rpartition("/")[2] for reference in references(DOCUMENT)}
    assert used == set(schemas)
    for schema in schemas.values():
        jsonschema.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    names = [each["operationId"] for item in DOCUMENT["paths"].values() for each in item.values()]
    assert len(names) == len(set(names))
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize(("path", "name"), EXAMPLES)
def test_examples_fit_and_are_answered(
    models: dict[str, Model], small: SentenceTransformer, path: str, name: str
) -> None:
    body = OPERATIONS[path].examples[name]
    check(body_schema(path), body)
    status, found = post(models[kind] if (kind := kind_of(path)) else small, path, body)
    assert status == 200
    check(DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"], found)


def fields(schema: Any) -> set[str]:
    """All fields of an object that any of the schemas has."""
    if "$ref" in schema:
        return fields(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return set(schema.get("properties", ())).union(*map(fields, schema.get("anyOf", ())))


@pytest.mark.parametrize(("path", "name"), EXAMPLES)
def test_every_other_field_may_be_null(
    models: dict[str, Model], small: SentenceTransformer, path: str, name: str
) -> None:
    body = OPERATIONS[path].examples[name]
    nulls = {**dict.fromkeys(fields(body_schema(path))), **body}
    model = models[kind] if (kind := kind_of(path)) else small
    (status, found), (_, expected) = (post(model, path, each) for each in (nulls, body))
    assert status == 200
    for changing in ("id", "total_duration"):
        for each in (found, expected):
            if isinstance(each, dict):
                each.pop(changing, None)
    assert found == expected


@pytest.mark.parametrize("path", list(OPERATIONS))
def test_errors_have_the_shape_that_it_says(models: dict[str, Model], path: str) -> None:
    responses = DOCUMENT["paths"][path]["post"]["responses"]
    for body in ({"input": 5, "inputs": 5, "query": 5, "ids": 5, "text": 5, "prompt": 5, "model": 5}, []):
        status, found = post(models["dense"], path, body)
        if path == "/api/show" and body:
            continue
        assert str(status) in responses
        check(responses[str(status)]["content"]["application/json"]["schema"], found)


def test_what_does_not_fit_is_refused(models: dict[str, Model], small: SentenceTransformer) -> None:
    for path, body in (
        ("/v1/embeddings", {"input": []}),
        ("/v1/embeddings", {"input": "a", "precision": "int4"}),
        ("/v1/embeddings", {"input": "a", "dimensions": 3, "output_dimension": 3}),
        ("/embed", {"inputs": [[]]}),
        ("/rerank", {"query": "a", "texts": ["b"], "documents": 5}),
        ("/predict", {"inputs": ["a", "b", "c"]}),
        ("/vectors", {"text": "a", "config": {"task_type": "title"}}),
    ):
        with pytest.raises(jsonschema.ValidationError):
            check(body_schema(path), body)
        assert post(models["cross"] if path in ("/rerank", "/predict") else small, path, body)[0] in (400, 422)


def test_listings_fit(small: SentenceTransformer) -> None:
    described = Described("m", ("n",), 5, small, "SentenceTransformer")
    unloaded = Described("m", class_name="CrossEncoder")
    for path, found in (
        ("/v1/models", listings.models([described, unloaded])),
        ("/v1/models/{name}", listings.model(described)),
        ("/info", listings.info(described, listings.Limits())),
        ("/info", listings.info(unloaded, listings.Limits())),
        ("/api/tags", listings.tags([described, unloaded])),
        ("/api/version", listings.version()),
        ("/meta", listings.meta(described)),
    ):
        schema = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        check(schema, json.loads(written(found)))


def test_it_names_the_models_that_are_served(small: SentenceTransformer) -> None:
    found = document([Described("m", ("n",), 5, small, "SentenceTransformer")], {"/search": {}}, server="/api/v1")
    properties = found["components"]["schemas"]["EmbeddingsRequest"]["properties"]
    assert properties["model"]["anyOf"][0]["enum"] == ["m", "n", ""]
    assert properties["prompt_name"]["anyOf"][0]["enum"] == sorted(small.prompts)
    assert properties["dimensions"]["anyOf"][0]["maximum"] == small.get_embedding_dimension()
    assert (found["paths"]["/search"], found["servers"]) == ({}, [{"url": "/api/v1"}])
    later = document(
        [Described(name, model=model, class_name="SentenceTransformer") for name, model in (("m", small), ("n", None))]
    )
    assert "enum" not in later["components"]["schemas"]["EmbeddingsRequest"]["properties"]["prompt_name"]["anyOf"][0]
