"""MultiVectorEncoder on tiny folders: results, arguments, prompts and scores, as in sentence-transformers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import MultiVectorEncoder
from edge_st.multi_vector_encoder.modules import HierarchicalTokenPooling
from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from tests.support.tiny_multi_vector import DIM, FIXED, LONG, PUNCTUATION, TEXTS, Folders, lengths, tokens

HALF = HierarchicalTokenPooling(2)


def test_a_list_of_arrays_of_unit_length_in_the_order_of_the_texts(colbert: MultiVectorEncoder) -> None:
    found = colbert.encode_document(TEXTS)
    assert isinstance(found, list)
    assert all(each.dtype == np.float32 and each.shape[1] == DIM for each in found)
    for text, vectors in zip(TEXTS, found, strict=True):
        np.testing.assert_allclose(vectors, colbert.encode_document(text), atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_one_text_gives_one_array_and_no_text_an_empty_list(colbert: MultiVectorEncoder) -> None:
    assert colbert.encode_document("hello world").ndim == 2
    assert colbert.encode([]) == []
    assert colbert.encode_query([], output_value=None) == []


def test_arguments_by_place_are_those_of_sentence_transformers(colbert: MultiVectorEncoder) -> None:
    named = colbert.encode_document(
        TEXTS, prompt="a ", batch_size=2, show_progress_bar=False, convert_to_numpy=True, token_pooling=HALF
    )
    placed = colbert.encode_document(
        TEXTS, None, "a ", 2, False, "token_embeddings", True, None, False, None, None, HALF
    )
    for one, other in zip(named, placed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"convert_to_tensor": True}, OptionError, "has no `convert_to_tensor`"),
        ({"convert_to_tensor": False}, OptionError, "has no `convert_to_tensor`"),
        ({"output_value": "sentence_embedding"}, OptionError, 'output_value must be "token_embeddings" or None'),
        ({"token_pooling": 2}, OptionError, "token_pooling is 2; expected a HierarchicalTokenPooling"),
        ({"colour": "red"}, OptionError, "colour"),
        ({"prompt_name": "poem"}, OptionError, "poem"),
        ({"batch_size": 0}, OptionError, "batch_size"),
    ],
    ids=str,
)
def test_arguments_that_are_refused(
    arguments: dict[str, Any], error: type[Exception], message: str, colbert: MultiVectorEncoder
) -> None:
    with pytest.raises(error, match=message):
        colbert.encode(TEXTS, **arguments)


@pytest.mark.parametrize("texts", [["fine", None], ["fine", 3], 5])
def test_inputs_that_are_no_texts_are_refused_whole(texts: Any, colbert: MultiVectorEncoder) -> None:
    with pytest.raises((InputError, InputTypeError)):
        colbert.encode_query(texts)


def test_prompts_by_task_by_name_and_given(folders: Folders) -> None:
    model = folders(query_expansion=None, skiplist_words=(), prompts={"query": "one ", "document": "two ", "x": "a "})
    longer = tokens(model, "one three")
    assert len(model.encode_query("three")) == len(model.encode_document("three")) == longer
    np.testing.assert_allclose(model.encode_document("three"), model.encode("two three"), atol=1e-6)
    np.testing.assert_allclose(model.encode("three", prompt_name="x"), model.encode("a three"), atol=1e-6)
    np.testing.assert_allclose(model.encode_query("three", prompt="a "), model.encode("a three"), atol=1e-6)
    assert len(model.encode_query("three", prompt="")) == tokens(model, "three")


def test_prompts_that_a_folder_does_not_name_are_empty(folders: Folders) -> None:
    model = folders(prompts={"passage": "two "}, query_expansion=None, skiplist_words=())
    assert model.prompts == {"query": "", "document": "", "passage": "two "}
    np.testing.assert_array_equal(model.encode_document("three"), model.encode("three"))


def test_every_feature_of_each_text(colbert: MultiVectorEncoder) -> None:
    found = colbert.encode_query(TEXTS, output_value=None)
    vectors = colbert.encode_query(TEXTS)
    for features, expected in zip(found, vectors, strict=True):
        mask = features["attention_mask"].astype(bool)
        assert features["modality"] == "text"
        assert features["input_ids"].shape == mask.shape == features["token_embeddings"].shape[:1]
        np.testing.assert_allclose(features["token_embeddings"][mask], expected, atol=1e-6)
    assert isinstance(colbert.encode_query("one", output_value=None), dict)
    assert "prompt_length" in colbert.encode("one", prompt="a ", output_value=None)


def test_scores_of_all_pairs_and_of_each(colbert: MultiVectorEncoder) -> None:
    queries, documents = colbert.encode_query(TEXTS), colbert.encode_document(TEXTS)
    expected = np.array([[(q @ d.T).max(axis=1).sum() for d in documents] for q in queries])
    scores = colbert.similarity(queries, documents)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    np.testing.assert_allclose(colbert.similarity_pairwise(queries, documents), np.diag(expected), rtol=1e-5)
    np.testing.assert_allclose(colbert.similarity(queries, documents, chunk_elements=50), expected, rtol=1e-5)
    np.testing.assert_allclose(colbert.similarity(queries, documents, length_normalize=True), expected / 12, rtol=1e-5)


def test_scores_of_a_single_query(colbert: MultiVectorEncoder) -> None:
    single, documents = colbert.encode_query("one"), colbert.encode_document(TEXTS)
    assert colbert.similarity(single, documents).shape == (1, 3)
    assert colbert.similarity(documents, single).shape == (3, 1)
    assert colbert.similarity_pairwise(single, documents[0]).shape == (1,)
    with pytest.raises(TypeError):
        colbert.similarity(single, documents, chunk_size=2)


def test_the_mean_over_the_tokens_of_a_query(folders: Folders) -> None:
    model, sums = folders(similarity="meanmaxsim"), folders()
    assert (model.similarity_fn_name, sums.similarity_fn_name) == ("meanmaxsim", "maxsim")
    queries, documents = model.encode_query(TEXTS), model.encode_document(TEXTS)
    expected = sums.similarity(queries, documents) / 12
    np.testing.assert_allclose(model.similarity(queries, documents), expected, rtol=1e-5)
    sums.similarity_fn_name = "meanmaxsim"
    np.testing.assert_allclose(sums.similarity(queries, documents), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["cosine", "dot", "xtr"])
def test_scores_of_single_vectors_are_refused(name: str, folders: Folders) -> None:
    model = folders()
    with pytest.raises(OptionError, match="only supports"):
        model.similarity_fn_name = name
    with pytest.raises(OptionError, match="maxsim"):
        folders({"similarity_fn_name": name})


def test_a_folder_that_names_another_score_has_maxsim(folders: Folders) -> None:
    assert folders(similarity="cosine").similarity_fn_name == "maxsim"


def test_saved_and_opened_again(colbert: MultiVectorEncoder, tmp_path: Path, engine: str) -> None:
    colbert.save_pretrained(tmp_path / "saved")
    again = MultiVectorEncoder(tmp_path / "saved", backend=engine)
    assert again.prompts == colbert.prompts
    assert again.fingerprint == colbert.fingerprint
    for task in ("query", "document"):
        for one, other in zip(colbert.encode(TEXTS, task=task), again.encode(TEXTS, task=task), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "changed",
    [
        {"query_expansion": None},
        {"query_expansion": {**FIXED, "attend": True}},
        {"document_length": 9},
        {"skiplist_words": PUNCTUATION[:1]},
        {"skiplist_tasks": ("query", "document")},
    ],
    ids=str,
)
def test_what_decides_a_vector_decides_the_fingerprint(changed: dict[str, Any], folders: Folders) -> None:
    assert folders(**changed).fingerprint != folders().fingerprint


def test_several_processes_give_what_one_gives(colbert: MultiVectorEncoder) -> None:
    texts = [*TEXTS, LONG]
    expected = colbert.encode_document(texts, token_pooling=HALF)
    pool = colbert.start_multi_process_pool(["cpu", "cpu"])
    try:
        found = colbert.encode_document(texts, pool=pool, chunk_size=2, token_pooling=HALF)
        raw = colbert.encode_document(texts, pool=pool, chunk_size=2, output_value=None)
    finally:
        colbert.stop_multi_process_pool(pool)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert [int(each["attention_mask"].sum()) for each in raw] == lengths(colbert.encode_document(texts))
