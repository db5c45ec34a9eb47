"""MultiVectorEncoder on tiny folders: results, arguments, masks, expansion and limits, as in sentence-transformers."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import MultiVectorEncoder
from edge_st.multi_vector_encoder.modules import BaseTokenPooling, HierarchicalTokenPooling, LambdaTokenPooling
from edge_st_runtime.errors import InputError, InputTypeError, OptionError, TextTooLongError
from tests.support.tiny_models import write_json
from tests.support.tiny_multi_vector import ALL_OF_A_DOT, DIM, FIXED, PUNCTUATION, save_multi_vector

TEXTS = ["hello world", "one two - three. four", "a"]
LONG = "one two three four five six seven eight nine ten " * 4
HALF = HierarchicalTokenPooling(2)


class Folders:
    """Multi-vector folders and the models that open them, by their settings."""

    def __init__(self, source: Path, place: Path, engine: str) -> None:
        self.source, self.place, self.engine = source, place, engine

    def folder(self, **settings: Any) -> Path:
        return save_multi_vector(self.place / str(len(list(self.place.iterdir()))), self.source, **settings)

    def __call__(self, options: Mapping[str, Any] | None = None, **settings: Any) -> MultiVectorEncoder:
        return MultiVectorEncoder(self.folder(**settings), backend=self.engine, num_threads=1, **(options or {}))


@pytest.fixture
def folders(tiny_folder: Path, tmp_path: Path, engine: str) -> Folders:
    return Folders(tiny_folder, tmp_path, engine)


@pytest.fixture(scope="module")
def colbert(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory, engine: str) -> MultiVectorEncoder:
    return Folders(tiny_folder, tmp_path_factory.mktemp("colbert"), engine)()


@pytest.fixture(scope="module")
def plain(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory, engine: str) -> MultiVectorEncoder:
    """A model without an expansion and without a skip list."""
    settings: dict[str, Any] = {"query_expansion": None, "skiplist_words": ()}
    return Folders(tiny_folder, tmp_path_factory.mktemp("plain"), engine)(**settings)


def pooled_folder(folders: Folders, **config: Any) -> Path:
    """A folder whose last module pools."""
    folder = folders.folder()
    modules = ["Transformer", "Dense", "MultiVectorMask", "Normalize", "HierarchicalTokenPooling"]
    kind = "sentence_transformers.multi_vector_encoder.modules.token_pooling.HierarchicalTokenPooling"
    entries = json.loads((folder / "modules.json").read_text("utf-8"))
    last = len(modules) - 1
    entries.append({"idx": last, "name": str(last), "path": f"{last}_{modules[-1]}", "type": kind})
    write_json(folder / "modules.json", entries)
    write_json(folder / f"{last}_{modules[-1]}" / "config.json", config)
    return folder


def lengths(found: list[Any]) -> list[int]:
    return [len(each) for each in found]


def tokens(model: MultiVectorEncoder, text: str) -> int:
    """How many tokens a text has, with those around it."""
    return int(model.count_tokens(text))


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


def test_a_fixed_expansion_fills_and_cuts_every_query(colbert: MultiVectorEncoder) -> None:
    assert lengths(colbert.encode_query([*TEXTS, LONG])) == [FIXED["length"]] * 4


def test_an_expansion_of_at_least_a_length_does_not_cut(folders: Folders) -> None:
    model = folders(query_expansion={**FIXED, "strategy": "min"})
    own = [tokens(model, text) for text in (*TEXTS, LONG)]
    limit = int(model.max_seq_length or 0)
    assert min(own) < 12 < own[1] < limit < own[3]
    assert lengths(model.encode_query([*TEXTS, LONG])) == [min(max(12, each), limit) for each in own]


def test_without_an_expansion_queries_have_their_own_tokens(plain: MultiVectorEncoder) -> None:
    assert lengths(plain.encode_query(TEXTS)) == [tokens(plain, text) for text in TEXTS]


def test_a_filling_that_nothing_counts_is_told(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    folder = folders.folder()
    entries = json.loads((folder / "modules.json").read_text("utf-8"))
    write_json(folder / "modules.json", [each for each in entries if "MultiVectorMask" not in each["type"]])
    model = MultiVectorEncoder(folder, backend=folders.engine)
    assert "sentence_bert_config.json has a query_expansion, but modules.json names no MultiVectorMask" in caplog.text
    assert lengths(model.encode_query(["a"])) == [tokens(model, "a")]


def test_queries_that_attend_to_the_filling_differ_in_their_own_tokens(folders: Folders) -> None:
    ignored, attended = folders(), folders(query_expansion={**FIXED, "attend": True})
    own = tokens(ignored, TEXTS[0])
    alone = folders(query_expansion=None).encode_query(TEXTS[0])
    np.testing.assert_allclose(ignored.encode_query(TEXTS[0])[:own], alone, atol=1e-5)
    assert np.abs(attended.encode_query(TEXTS[0])[:own] - alone).max() > 1e-3


def test_documents_and_texts_without_a_task_are_not_expanded(colbert: MultiVectorEncoder) -> None:
    expected = [vectors.tolist() for vectors in colbert.encode_document(TEXTS)]
    assert [vectors.tolist() for vectors in colbert.encode(TEXTS)] == expected
    assert lengths(colbert.encode(TEXTS, task="query")) == [12] * 3


def test_the_skip_list_leaves_tokens_out_of_documents_alone(colbert: MultiVectorEncoder, plain: Any) -> None:
    with_signs = "one two - three. four"
    skipped, whole = colbert.encode_document(with_signs), plain.encode_document(with_signs)
    assert len(skipped) == len(whole) - 2
    assert all(min(np.abs(whole - each).max(axis=1)) < 1e-5 for each in skipped)


def test_a_skip_list_for_queries(folders: Folders) -> None:
    model = folders(query_expansion=None, skiplist_tasks=("query",))
    assert len(model.encode_query("one - two")) == len(model.encode_document("one - two")) - 1


def test_words_of_a_skip_list_that_are_no_tokens_are_told(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    model = folders(skiplist_words=("no such word", "."))
    assert "['no such word'] are not single vocab tokens" in caplog.text
    assert len(model.encode_document("one.")) == len(model.encode_document("one"))


def test_a_document_of_nothing_but_skipped_tokens_is_empty_and_comes_last(
    folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    model = folders(skiplist_words=ALL_OF_A_DOT)
    found = model.encode_document([".", "one"])
    assert found[0].shape == (0, DIM)
    scores = model.similarity(model.encode_query("one"), found)
    assert scores[0, 0] == -1e9
    assert scores[0, 1] > 0


def test_only_the_tokens_that_are_kept(folders: Folders) -> None:
    folder = folders.folder(query_expansion=None, skiplist_words=())
    model = MultiVectorEncoder(folder, backend=folders.engine)
    dot = int(model.tokenize(["."])["input_ids"][0][1])
    write_json(folder / "2_MultiVectorMask" / "config.json", {"keep_only_token_ids": [dot]})
    model = MultiVectorEncoder(folder, backend=folders.engine)
    assert lengths(model.encode_document(["one. two. three.", "one"])) == [3, 0]
    assert len(model.encode_query("one. two.")) == tokens(model, "one. two.")


@pytest.mark.parametrize(("task", "expected"), [("query", 7), ("document", 9)])
def test_limits_by_task(task: str, expected: int, folders: Folders) -> None:
    model = folders(query_expansion=None, query_length=7, document_length=9, skiplist_words=())
    assert len(model.encode(LONG, task=task)) == expected
    assert len(model.encode(LONG)) == model.max_seq_length


def test_a_limit_of_one_call_gives_way_to_a_fixed_expansion_only(folders: Folders) -> None:
    model, options = folders(skiplist_words=()), {"text": {"max_length": 5}}
    assert len(model.encode_query(LONG, processing_kwargs=options)) == 12
    assert len(model.encode_document(LONG, processing_kwargs=options)) == 5


def test_longer_texts_are_refused_where_that_is_asked(folders: Folders) -> None:
    model = folders({"truncation": "error"}, document_length=9)
    with pytest.raises(TextTooLongError, match="9"):
        model.encode_document(["one", LONG])


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


def test_the_places_of_the_filling_are_told(colbert: MultiVectorEncoder) -> None:
    features = colbert.encode_query("one", output_value=None)
    own = tokens(colbert, "one")
    assert features["query_expansion_positions"].tolist() == [False] * own + [True] * (12 - own)
    assert len(set(features["input_ids"][own:].tolist())) == 1
    assert features["attention_mask"].all()


@pytest.mark.parametrize("output_value", ["token_embeddings", None])
def test_pooling_of_one_call(output_value: Any, plain: MultiVectorEncoder) -> None:
    whole = plain.encode_document([LONG, "one"])
    found = plain.encode_document([LONG, "one"], token_pooling=HALF, output_value=output_value)
    if output_value is None:
        found = [each["token_embeddings"][each["attention_mask"].astype(bool)] for each in found]
    for pooled, expected in zip(found, HALF.pool(whole), strict=True):
        np.testing.assert_allclose(pooled, expected, atol=1e-5)
    assert len(found[0]) == 1 + (len(whole[0]) - 1) // 2


def test_queries_are_pooled_where_they_are_asked_for(plain: MultiVectorEncoder) -> None:
    whole = plain.encode_query(LONG)
    np.testing.assert_array_equal(plain.encode_query(LONG, token_pooling=HALF), whole)
    both = HierarchicalTokenPooling(2, tasks=["query", "document"])
    assert len(plain.encode_query(LONG, token_pooling=both)) < len(whole)


def test_a_pooling_function(plain: MultiVectorEncoder) -> None:
    first: BaseTokenPooling = LambdaTokenPooling(lambda vectors: vectors[:2])
    assert lengths(plain.encode_document([LONG, "one"], token_pooling=first)) == [2, 2]


def test_pooling_in_the_folder_and_pooling_on_top_of_it(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    folder = pooled_folder(folders, pool_factor=2)
    model = MultiVectorEncoder(folder, backend=folders.engine)
    whole, once = folders().encode_document(LONG), model.encode_document(LONG)
    np.testing.assert_allclose(once, HierarchicalTokenPooling(2, normalize_embeddings=False).pool_one(whole), atol=1e-5)
    assert len(model.encode_query("one")) == 12
    with caplog.at_level(logging.WARNING):
        model.encode_query("one", token_pooling=HALF)
    assert "pools" not in caplog.text
    assert len(model.encode_document(LONG, token_pooling=HALF)) < len(once)
    assert "`token_pooling=` pools them further" in caplog.text


def test_normalizing_pooled_vectors_comes_before_the_pooling_of_the_call(folders: Folders) -> None:
    model = MultiVectorEncoder(pooled_folder(folders, pool_factor=2), backend=folders.engine)
    assert np.linalg.norm(model.encode_document(LONG), axis=1).min() < 0.999
    found = model.encode_document(LONG, normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


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


def test_pooling_decides_the_fingerprint(folders: Folders) -> None:
    found = {
        MultiVectorEncoder(pooled_folder(folders, pool_factor=factor), backend=folders.engine).fingerprint
        for factor in (1, 2)
    }
    assert len(found | {folders().fingerprint}) == 3


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
