"""The shape of POST /v1/embeddings."""

import base64
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.protocols.fields import RequestError
from edge_st.protocols.openai import answer_embeddings
from tests.support.answers import body_of

TEXTS = ["The weather is lovely.", "He drove away."]
NULLS = dict.fromkeys(
    (
        *("encoding_format", "dimensions", "output_dimension", "user", "model", "prompt_name", "input_type", "task"),
        *("precision", "output_dtype", "truncate", "truncation_direction", "normalize"),
    )
)


def embeddings(model: SentenceTransformer, **fields: Any) -> Any:
    return np.array([each["embedding"] for each in body_of(answer_embeddings, model, fields)["data"]])


def test_fields_are_those_of_openai(dense: SentenceTransformer) -> None:
    found = body_of(answer_embeddings, dense, {"input": TEXTS, "model": "m"})
    assert {**found, "data": len(found["data"])} == {
        "object": "list",
        "data": 2,
        "model": "m",
        "usage": dict.fromkeys(("prompt_tokens", "total_tokens"), int(np.sum(dense.count_tokens(TEXTS)))),
    }
    assert [(each["object"], each["index"]) for each in found["data"]] == [("embedding", 0), ("embedding", 1)]


def test_embeddings_are_those_of_encode_normalized(dense: SentenceTransformer) -> None:
    found = embeddings(dense, input=TEXTS).astype(np.float32)
    np.testing.assert_array_equal(found, dense.encode(TEXTS, normalize_embeddings=True))
    np.testing.assert_array_equal(embeddings(dense, input=TEXTS, normalize=False), dense.encode(TEXTS))


def test_base64_is_little_endian_float32(dense: SentenceTransformer) -> None:
    plain, coded = (
        body_of(answer_embeddings, dense, {"input": TEXTS[0], "encoding_format": form})["data"][0]["embedding"]
        for form in ("float", "base64")
    )
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(coded), "<f4"), np.array(plain, np.float32))


@pytest.mark.parametrize("name", ["precision", "output_dtype"])
@pytest.mark.parametrize("precision", ["int8", "binary", "ubinary"])
def test_base64_of_other_precisions_are_their_bytes(dense: SentenceTransformer, name: str, precision: str) -> None:
    plain = embeddings(dense, input=TEXTS, **{name: precision})
    dtype = np.uint8 if precision == "ubinary" else np.int8
    coded = body_of(answer_embeddings, dense, {"input": TEXTS, name: precision, "encoding_format": "base64"})["data"]
    found = [np.frombuffer(base64.b64decode(each["embedding"]), dtype) for each in coded]
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("name", ["dimensions", "output_dimension"])
def test_dimensions_are_cut_before_normalizing(dense: SentenceTransformer, name: str) -> None:
    found = embeddings(dense, input=TEXTS, **{name: 8}).astype(np.float32)
    np.testing.assert_array_equal(found, dense.encode(TEXTS, truncate_dim=8, normalize_embeddings=True))


@pytest.mark.parametrize(
    ("fields", "prompt_name"),
    [
        ({"prompt_name": "passage"}, "passage"),
        ({"input_type": "query"}, "query"),
        ({"input_type": "search_query"}, "query"),
        ({"task": "retrieval.query"}, "retrieval.query"),
        ({"input_type": "passage"}, "passage"),
        ({"task": "query", "prompt_name": "passage"}, "passage"),
    ],
)
def test_prompts_by_the_names_that_clients_have(
    small: SentenceTransformer, fields: dict[str, str], prompt_name: str
) -> None:
    found = embeddings(small, input=["fox"], **fields).astype(np.float32)
    np.testing.assert_array_equal(found, small.encode(["fox"], prompt_name=prompt_name, normalize_embeddings=True))
    assert not np.allclose(found, small.encode(["fox"], normalize_embeddings=True))


def test_documents_are_those_of_encode_document(small: SentenceTransformer) -> None:
    expected = small.encode_document(["fox"], normalize_embeddings=True)
    for fields in ({"input_type": "search_document"}, {"task": "retrieval.passage"}, {"input_type": "document"}):
        np.testing.assert_array_equal(embeddings(small, input=["fox"], **fields).astype(np.float32), expected)


def test_null_is_as_good_as_nothing(dense: SentenceTransformer) -> None:
    assert body_of(answer_embeddings, dense, {"input": TEXTS, **NULLS}) == body_of(
        answer_embeddings, dense, {"input": TEXTS}
    )


def test_truncation_is_told(small: SentenceTransformer) -> None:
    found = body_of(answer_embeddings, small, {"input": ["the quick fox", "fox " * 500]})
    assert found["truncated"] == [1]
    limit = small.max_seq_length
    assert limit is not None
    assert found["usage"]["prompt_tokens"] == small.count_tokens("the quick fox") + limit
    assert "truncated" not in body_of(answer_embeddings, small, {"input": "the quick fox"})


@pytest.mark.parametrize("truncate", [False, "NONE", "none"])
def test_long_texts_are_refused_where_truncate_says_so(small: SentenceTransformer, truncate: Any) -> None:
    with pytest.raises(RequestError, match=r"`input` must have at most .* text 1 has"):
        body_of(answer_embeddings, small, {"input": ["fox", "fox " * 500], "truncate": truncate})


@pytest.mark.parametrize("fields", [{"truncation_direction": "left"}, {"truncate": "START"}])
def test_the_left_side_is_cut_on_demand(small: SentenceTransformer, fields: dict[str, str]) -> None:
    tail = "is it a good day " * 6  # more tokens than the limit
    one, other = "fox " * 500 + tail, "the " * 400 + tail
    assert not np.allclose(embeddings(small, input=one), embeddings(small, input=other))
    np.testing.assert_array_equal(embeddings(small, input=one, **fields), embeddings(small, input=other, **fields))


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "input", "missing"),
        ({"input": None}, "input", "missing"),
        ({"input": []}, "input", "at least one text"),
        ({"input": ["a", ""]}, "input", "`input[1]` is an empty string"),
        ({"input": [101, 102]}, "input", "token ids"),
        ({"input": [[101, 102]]}, "input", "check_embedding_ctx_length=False"),
        ({"input": {"text": "a"}}, "input", "is an object; expected a string or a list"),
        ({"input": ["a", None]}, "input", "`input[1]` is null"),
        ({"input": "a\ud800"}, "input", "lone surrogate"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "float, base64"),
        ({"input": "a", "dimensions": 0}, "dimensions", "at least 1"),
        ({"input": "a", "dimensions": "8"}, "dimensions", "whole number"),
        ({"input": "a", "dimensions": 257}, "dimensions", "this model has 256"),
        ({"input": "a", "dimensions": 10**400}, "dimensions", "a very large number"),
        ({"input": "a", "dimensions": True}, "dimensions", "whole number"),
        ({"input": "a", "dimensions": 8, "output_dimension": 8}, "output_dimension", "expected one of them"),
        ({"input": "a", "precision": "uint8"}, "precision", "ask for 'int8'"),
        ({"input": "a", "output_dtype": "int4"}, "output_dtype", "expected one of float32"),
        ({"input": "a", "input_type": "picture"}, "input_type", "expected one of query, document"),
        ({"input": "a", "input_type": "query", "task": "query"}, "task", "expected one of them"),
        ({"input": "a", "truncate": "MIDDLE"}, "truncate", "NONE, START, END"),
        ({"input": "a", "truncate": 1}, "truncate", "true or false"),
        ({"input": "a", "model": 5}, "model", "a string"),
        ({"input": "a", "model": "\udc00"}, "model", "lone surrogate"),
    ],
)
def test_what_cannot_be_used_is_named(dense: SentenceTransformer, body: Any, param: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        body_of(answer_embeddings, dense, body)
    assert caught.value.param == param
    assert message in str(caught.value)
