"""The shape of POST /v1/embeddings."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.models.classes import Model
from edge_st.protocols.fields import RequestError
from edge_st.protocols.openai import answer_embeddings
from tests.support.answers import body_of

TEXTS = ["The weather is lovely.", "He drove away."]
NULLS = dict.fromkeys(("encoding_format", "dimensions", "user", "model"))


@pytest.fixture
def dense(models: dict[str, Model]) -> Model:
    return models["dense"]


def test_fields_are_those_of_openai(dense: Model) -> None:
    found = body_of(answer_embeddings, dense, {"input": TEXTS, "model": "m"})
    assert {**found, "data": len(found["data"])} == {
        "object": "list",
        "data": 2,
        "model": "m",
        "usage": dict.fromkeys(("prompt_tokens", "total_tokens"), int(np.sum(dense.count_tokens(TEXTS)))),
    }
    assert [(each["object"], each["index"]) for each in found["data"]] == [("embedding", 0), ("embedding", 1)]


def test_embeddings_are_those_of_encode_normalized(dense: Model) -> None:
    assert isinstance(dense, SentenceTransformer)
    found = [each["embedding"] for each in body_of(answer_embeddings, dense, {"input": TEXTS})["data"]]
    np.testing.assert_array_equal(np.array(found, np.float32), dense.encode(TEXTS, normalize_embeddings=True))


def test_base64_is_little_endian_float32(dense: Model) -> None:
    plain, coded = (
        body_of(answer_embeddings, dense, {"input": TEXTS[0], "encoding_format": form})["data"][0]["embedding"]
        for form in ("float", "base64")
    )
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(coded), "<f4"), np.array(plain, np.float32))


def test_dimensions_are_cut_before_normalizing(dense: Model) -> None:
    found = np.array(body_of(answer_embeddings, dense, {"input": TEXTS[0], "dimensions": 8})["data"][0]["embedding"])
    assert found.shape == (8,)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


def test_null_is_as_good_as_nothing(dense: Model) -> None:
    assert body_of(answer_embeddings, dense, {"input": TEXTS, **NULLS}) == body_of(
        answer_embeddings, dense, {"input": TEXTS}
    )


def test_truncation_is_told(tiny_folder: Path) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx", dtype="float32")
    found = body_of(answer_embeddings, model, {"input": ["the quick fox", "fox " * 500]})
    assert found["truncated"] == [1]
    limit = model.max_seq_length
    assert limit is not None
    assert found["usage"]["prompt_tokens"] == model.count_tokens("the quick fox") + limit
    assert "truncated" not in body_of(answer_embeddings, model, {"input": "the quick fox"})


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "input", "missing"),
        ({"input": None}, "input", "missing"),
        ({"input": []}, "input", "at least one text"),
        ({"input": ["a", ""]}, "input", "`input[1]` is an empty string"),
        ({"input": [101, 102]}, "input", "token ids"),
        ({"input": [[101, 102]]}, "input", "check_embedding_ctx_length=False"),
        ({"input": {"text": "a"}}, "input", "expected a string or a list"),
        ({"input": ["a", None]}, "input", "`input[1]` is null"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "float, base64"),
        ({"input": "a", "dimensions": 0}, "dimensions", "at least 1"),
        ({"input": "a", "dimensions": "8"}, "dimensions", "whole number"),
        ({"input": "a", "dimensions": 257}, "dimensions", "this model has 256"),
        ({"input": "a", "dimensions": True}, "dimensions", "whole number"),
    ],
)
def test_what_cannot_be_used_is_named(dense: Model, body: Any, param: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        body_of(answer_embeddings, dense, body)
    assert caught.value.param == param
    assert message in str(caught.value)
