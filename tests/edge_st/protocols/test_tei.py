"""The shapes of text-embeddings-inference."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.classes import Model
from edge_st.protocols.tei import answer_embed, answer_embed_sparse, answer_rerank, answer_similarity, failure
from edge_st_runtime.errors import EdgeSTError, NotFiniteError
from tests.support.answers import body_of

LONG = "fox " * 500
QUERY, DOCUMENTS = "the quick fox", ["a good day", "the quick fox", "is it"]


@pytest.fixture(scope="module")
def small(tiny_folder: Path) -> SentenceTransformer:
    return SentenceTransformer(tiny_folder, backend="onnx", dtype="float32", prompts={"query": "the good "})


def test_embed_is_a_list_of_embeddings_also_for_one_text(small: SentenceTransformer) -> None:
    (found,) = body_of(answer_embed, small, {"inputs": QUERY})
    np.testing.assert_allclose(found, small.encode(QUERY, normalize_embeddings=True), atol=1e-7)


def test_embed_obeys_its_fields(small: SentenceTransformer) -> None:
    raw = body_of(answer_embed, small, {"inputs": [QUERY], "normalize": False, "dimensions": 4, "prompt_name": "query"})
    np.testing.assert_array_equal(raw, small.encode([QUERY], prompt_name="query", truncate_dim=4))


def test_long_texts_are_cut_unless_truncate_is_false(small: SentenceTransformer) -> None:
    assert body_of(answer_embed, small, {"inputs": LONG, "truncate": None}) == body_of(
        answer_embed, small, {"inputs": LONG, "truncate": True, "truncation_direction": "Right"}
    )
    with pytest.raises(EdgeSTError, match="text 1 has") as caught:
        body_of(answer_embed, small, {"inputs": [QUERY, LONG], "truncate": False})
    assert failure(caught.value)[0] == 422


def test_embed_sparse_lists_dimensions(models: dict[str, Model]) -> None:
    model = models["sparse"]
    assert isinstance(model, SparseEncoder)
    rows = body_of(answer_embed_sparse, model, {"inputs": DOCUMENTS})
    for row, expected in zip(rows, model.encode(DOCUMENTS), strict=True):
        assert [each["index"] for each in row] == expected.indices.tolist()
        assert [each["value"] for each in row] == expected.values.tolist()


def test_similarity_is_the_cosine(small: SentenceTransformer) -> None:
    found = body_of(answer_similarity, small, {"inputs": {"source_sentence": QUERY, "sentences": DOCUMENTS}})
    np.testing.assert_allclose(found, small.similarity(small.encode(QUERY), small.encode(DOCUMENTS))[0], atol=1e-6)


def test_rerank_sorts_by_falling_score(models: dict[str, Model]) -> None:
    model = models["cross"]
    assert isinstance(model, CrossEncoder)
    pairs = [(QUERY, text) for text in DOCUMENTS]
    raw = model.predict(pairs, activation_fn="identity")
    order = np.argsort(-raw).tolist()
    found = body_of(answer_rerank, model, {"query": QUERY, "texts": DOCUMENTS, "raw_scores": True, "return_text": True})
    assert found == [{"index": row, "score": float(raw[row]), "text": DOCUMENTS[row]} for row in order]
    scores = [each["score"] for each in body_of(answer_rerank, model, {"query": QUERY, "texts": DOCUMENTS})]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-raw[order])), rtol=1e-6)


def test_rerank_refuses_long_pairs_where_truncate_is_false(models: dict[str, Model]) -> None:
    with pytest.raises(EdgeSTError, match="`texts` must have at most"):
        body_of(answer_rerank, models["cross"], {"query": QUERY, "texts": [LONG], "truncate": False})


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [
        ({"inputs": ""}, 400, "Empty", "empty string"),
        ({"inputs": []}, 400, "Empty", "at least one text"),
        ({"inputs": None}, 422, "Validation", "missing"),
        ({"inputs": [1, 10**9]}, 422, "Validation", "no token id of this model"),
        ({"inputs": "a", "truncation_direction": "up"}, 422, "Validation", "one of left, right"),
        ({"inputs": "a", "prompt_name": "passage"}, 422, "Validation", "passage"),
        ({"inputs": "a", "normalize": "yes"}, 422, "Validation", "true or false"),
        ({"inputs": "\ud800"}, 422, "Validation", "lone surrogate"),
    ],
)
def test_errors_have_teis_types(small: SentenceTransformer, body: Any, status: int, kind: str, message: str) -> None:
    with pytest.raises(EdgeSTError) as caught:
        body_of(answer_embed, small, body)
    found, answer = failure(caught.value)
    assert (found, answer["error_type"]) == (status, kind)
    assert message in answer["error"]


def test_a_failed_engine_is_no_fault_of_the_request() -> None:
    assert failure(NotFiniteError("NaN")) == (424, {"error": "NaN", "error_type": "Backend"})
