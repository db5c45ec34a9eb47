"""The shapes of text-embeddings-inference."""

from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.protocols.tei import (
    answer_embed,
    answer_embed_all,
    answer_embed_sparse,
    answer_rerank,
    answer_similarity,
    failure,
)
from edge_st_runtime.errors import EdgeSTError, NotFiniteError, OptionError
from tests.support.answers import body_of

LONG = "fox " * 500
QUERY, DOCUMENTS = "the quick fox", ["a good day", "the quick fox", "is it"]
NULLS = dict.fromkeys(
    (
        *("model", "truncate", "truncation_direction", "prompt_name", "input_type", "task", "normalize", "dimensions"),
        *("precision", "raw_scores", "return_text", "top_n", "parameters"),
    )
)


def test_embed_is_a_list_of_embeddings_also_for_one_text(small: SentenceTransformer) -> None:
    (found,) = body_of(answer_embed, small, {"inputs": QUERY})
    np.testing.assert_allclose(found, small.encode(QUERY, normalize_embeddings=True), atol=1e-7)


def test_embed_obeys_its_fields(small: SentenceTransformer) -> None:
    raw = body_of(answer_embed, small, {"inputs": [QUERY], "normalize": False, "dimensions": 4, "prompt_name": "query"})
    np.testing.assert_array_equal(raw, small.encode([QUERY], prompt_name="query", truncate_dim=4))


def test_token_ids_are_those_of_the_model(small: SentenceTransformer) -> None:
    ids = [small.tokenizer.encode(text, add_special_tokens=False).ids for text in DOCUMENTS]
    expected = small.encode(DOCUMENTS, normalize_embeddings=True)
    with_special = small.tokenizer.encode(DOCUMENTS[0]).ids
    for inputs, rows in (
        (ids, expected),
        ([DOCUMENTS[0], *ids[1:]], expected),
        (ids[0], expected[:1]),
        ([with_special], expected[:1]),
    ):
        np.testing.assert_allclose(body_of(answer_embed, small, {"inputs": inputs}), rows, atol=1e-6)


def test_embed_all_has_an_embedding_for_every_token(small: SentenceTransformer, dense: SentenceTransformer) -> None:
    found = body_of(answer_embed_all, small, {"inputs": DOCUMENTS, "input_type": "query"})
    expected = small.encode_query(DOCUMENTS, output_value="token_embeddings")
    for rows, each in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.array(rows, np.float32), each)
    with pytest.raises(OptionError, match="sentence embeddings only"):
        body_of(answer_embed_all, dense, {"inputs": DOCUMENTS})


def test_long_texts_are_cut_unless_truncate_is_false(small: SentenceTransformer) -> None:
    assert body_of(answer_embed, small, {"inputs": LONG, "truncate": None}) == body_of(
        answer_embed, small, {"inputs": LONG, "truncate": True, "truncation_direction": "Right"}
    )
    with pytest.raises(EdgeSTError, match="text 1 has") as caught:
        body_of(answer_embed, small, {"inputs": [QUERY, LONG], "truncate": False})
    assert failure(caught.value)[0] == 422


def test_embed_sparse_lists_dimensions(sparse: SparseEncoder) -> None:
    rows = body_of(answer_embed_sparse, sparse, {"inputs": DOCUMENTS})
    for row, expected in zip(rows, sparse.encode(DOCUMENTS), strict=True):
        assert [each["index"] for each in row] == expected.indices.tolist()
        assert [each["value"] for each in row] == expected.values.tolist()


def test_similarity_is_the_cosine(small: SentenceTransformer) -> None:
    body = {"inputs": {"source_sentence": QUERY, "sentences": DOCUMENTS}}
    found = body_of(answer_similarity, small, body)
    np.testing.assert_allclose(found, small.similarity(small.encode(QUERY), small.encode(DOCUMENTS))[0], atol=1e-6)
    with_prompt = body_of(answer_similarity, small, {**body, "parameters": {"prompt_name": "query"}})
    one, others = (small.encode(texts, prompt_name="query") for texts in (QUERY, DOCUMENTS))
    np.testing.assert_allclose(with_prompt, small.similarity(one, others)[0], atol=1e-6)


def test_rerank_sorts_by_falling_score(cross: CrossEncoder) -> None:
    raw = cross.predict([(QUERY, text) for text in DOCUMENTS], activation_fn="identity")
    order = np.argsort(-raw).tolist()
    body = {"query": QUERY, "texts": DOCUMENTS}
    found = body_of(answer_rerank, cross, {**body, "raw_scores": True, "return_text": True})
    assert found == [{"index": row, "score": float(raw[row]), "text": DOCUMENTS[row]} for row in order]
    scores = [each["score"] for each in body_of(answer_rerank, cross, body)]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-raw[order])), rtol=1e-6)
    assert body_of(answer_rerank, cross, {**body, "raw_scores": True, "return_text": True, "top_n": 2}) == found[:2]


def test_rerank_refuses_long_pairs_where_truncate_is_false(cross: CrossEncoder) -> None:
    with pytest.raises(EdgeSTError, match="`texts` must have at most"):
        body_of(answer_rerank, cross, {"query": QUERY, "texts": [LONG], "truncate": False})


def test_null_is_as_good_as_nothing(small: SentenceTransformer, sparse: SparseEncoder, cross: CrossEncoder) -> None:
    similar = {"inputs": {"source_sentence": QUERY, "sentences": DOCUMENTS}}
    for function, model, body in (
        (answer_embed, small, {"inputs": DOCUMENTS}),
        (answer_embed_all, small, {"inputs": DOCUMENTS}),
        (answer_embed_sparse, sparse, {"inputs": DOCUMENTS}),
        (answer_similarity, small, similar),
        (answer_rerank, cross, {"query": QUERY, "texts": DOCUMENTS}),
    ):
        assert body_of(function, model, {**NULLS, **body}) == body_of(function, model, body)


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [
        ({"inputs": ""}, 400, "Empty", "empty string"),
        ({"inputs": []}, 400, "Empty", "at least one text"),
        ({"inputs": None}, 422, "Validation", "missing"),
        ({"inputs": [1, 10**9]}, 422, "Validation", "`inputs[1]` is the number 1000000000, which is no token id"),
        ({"inputs": [[1, "a"]]}, 422, "Validation", "`inputs[0][1]` is the string 'a', which is no token id"),
        ({"inputs": [[]]}, 422, "Validation", "`inputs[0]` is a list of 0; expected a string"),
        ({"inputs": [1.5]}, 422, "Validation", "no token id"),
        ({"inputs": [-1]}, 422, "Validation", "no token id"),
        ({"inputs": "a", "truncation_direction": "up"}, 422, "Validation", "one of left, right"),
        ({"inputs": "a", "prompt_name": "nothing"}, 422, "Validation", "nothing"),
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
