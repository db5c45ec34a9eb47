"""Which tokens of a text have a vector: expansion of queries, skip lists, kept tokens and limits."""

import json
from typing import Any

import numpy as np
import pytest

from edge_st import MultiVectorEncoder
from edge_st_runtime.errors import TextTooLongError
from tests.support.tiny_models import write_json
from tests.support.tiny_multi_vector import ALL_OF_A_DOT, DIM, FIXED, LONG, TEXTS, Folders, lengths, tokens


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


def test_the_places_of_the_filling_are_told(colbert: MultiVectorEncoder) -> None:
    features = colbert.encode_query("one", output_value=None)
    own = tokens(colbert, "one")
    assert features["query_expansion_positions"].tolist() == [False] * own + [True] * (12 - own)
    assert len(set(features["input_ids"][own:].tolist())) == 1
    assert features["attention_mask"].all()
