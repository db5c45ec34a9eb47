"""``CrossEncoder.rank``: the documents in the original's order, as plain Python values."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers.normalizers import Normalizer

from edge_st import CrossEncoder, EdgeSTError
from edge_st.models.old_names import deprecated
from edge_st_runtime.errors import InputError, InputTypeError, OptionError, TextTooLongError
from tests.support.tiny_models import LIMIT
from tests.support.tiny_pair_models import TinyCrossEncoder
from tests.support.tiny_tokenizers import random_texts

QUERY = "who painted the green door"
DOCUMENTS = [text for text in random_texts(40) if text]
TINY = TinyCrossEncoder()


def expected(documents: list[str], prompt: str = "") -> list[tuple[int, float]]:
    scores = TINY.scores([(QUERY, document) for document in documents], prompt)
    return sorted(enumerate(scores.tolist()), key=lambda row: -row[1])


def check(found: list[dict[str, Any]], rows: list[tuple[int, float]]) -> None:
    assert [row["corpus_id"] for row in found] == [place for place, _ in rows]
    np.testing.assert_allclose([row["score"] for row in found], [score for _, score in rows], atol=2e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY.save(tmp_path_factory.mktemp("rank"))


@pytest.fixture(scope="module")
def model(folder: Path, engine: str) -> CrossEncoder:
    return CrossEncoder(folder, backend=engine, num_threads=2)


def test_order_and_form(model: CrossEncoder) -> None:
    found = model.rank(QUERY, DOCUMENTS)
    check(found, expected(DOCUMENTS))
    assert all(list(row) == ["corpus_id", "score"] for row in found)
    assert {(type(row["corpus_id"]), type(row["score"])) for row in found} == {(int, float)}
    assert json.loads(json.dumps(found)) == found


def test_as_predict_scores_them(model: CrossEncoder) -> None:
    scores = model.predict([(QUERY, document) for document in DOCUMENTS])
    for row in model.rank(QUERY, DOCUMENTS, batch_size=3):
        np.testing.assert_allclose(row["score"], scores[row["corpus_id"]], atol=1e-6)


@pytest.mark.parametrize("top_k", [1, 5, np.int64(7), 1000])
def test_top_k(top_k: int, model: CrossEncoder) -> None:
    check(model.rank(QUERY, DOCUMENTS, top_k=top_k), expected(DOCUMENTS)[:top_k])


def test_documents_returned(model: CrossEncoder) -> None:
    array: Any = np.array(DOCUMENTS)
    found = model.rank(QUERY, array, top_k=3, return_documents=True)
    assert [list(row) for row in found] == [["corpus_id", "score", "text"]] * 3
    assert [row["text"] for row in found] == [DOCUMENTS[row["corpus_id"]] for row in found]
    assert {type(row["text"]) for row in found} == {str}
    json.dumps(found)


def test_equal_scores_keep_their_order(model: CrossEncoder) -> None:
    documents = ["a lazy dog", "the quick fox", "a lazy dog", "the quick fox", "a lazy dog"]
    found = [row["corpus_id"] for row in model.rank(QUERY, documents)]
    assert found in ([0, 2, 4, 1, 3], [1, 3, 0, 2, 4])
    flat = model.rank(QUERY, DOCUMENTS, activation_fn=lambda logits: 0 * logits)
    assert [row["corpus_id"] for row in flat] == list(range(len(DOCUMENTS)))


def test_options_of_predict(folder: Path) -> None:
    model = CrossEncoder(folder, backend="onnx", prompts={"query": "search: "})
    logits = TINY.logits([(QUERY, document) for document in DOCUMENTS])[:, 0]
    found = model.rank(QUERY, DOCUMENTS, activation_fn="identity")
    np.testing.assert_allclose([row["score"] for row in found], np.sort(logits)[::-1], atol=5e-6)
    for found in (model.rank(QUERY, DOCUMENTS, prompt="search: "), model.rank(QUERY, DOCUMENTS, prompt_name="query")):
        check(found, expected(DOCUMENTS, "search: "))


def test_the_callers_lists_are_left_alone(model: CrossEncoder) -> None:
    documents = list(DOCUMENTS)
    found = model.rank(QUERY, documents, return_documents=True)
    found.clear()
    assert documents == DOCUMENTS


def test_every_text_is_tokenized_once(folder: Path) -> None:
    """The query once to see whether it leaves room, and once for all documents."""
    model = CrossEncoder(folder, backend="onnx")
    seen: Counter[str] = Counter()

    class Counting:
        def normalize(self, text: Any) -> None:
            seen[text.original] += 1

    model.predict([("a", "b")])
    model.tokenizer.normalizer = Normalizer.custom(Counting())
    assert len(model.rank(QUERY, DOCUMENTS * 2)) == 2 * len(DOCUMENTS)
    assert seen == Counter({QUERY: 2, **dict.fromkeys(DOCUMENTS, 1)})


@pytest.mark.parametrize("top_k", [0, -1, 2.0, "3", True])
def test_top_k_that_is_none(top_k: Any, model: CrossEncoder) -> None:
    with pytest.raises(OptionError, match="top_k must be a positive integer"):
        model.rank(QUERY, DOCUMENTS, top_k=top_k)


BAD: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "no documents": (QUERY, [], InputError, "documents is empty; expected at least one"),
    "an empty document": (QUERY, ["fox", ""], InputError, r"documents\[1\] is empty; leave it out, or score it with"),
    "a blank document": (QUERY, ["\t\n ", "fox"], InputError, r"documents\[0\] is empty"),
    "a text for documents": (QUERY, "fox", InputTypeError, r"documents is str \('fox'\); expected a list of str"),
    "None for documents": (QUERY, None, InputTypeError, "documents is None"),
    "a generator": (QUERY, (text for text in "ab"), InputTypeError, "documents is generator"),
    "a number among documents": (QUERY, ["fox", 3], InputTypeError, r"documents\[1\] is int \(3\); expected a str"),
    "a pair among documents": (QUERY, [("a", "b")], InputTypeError, r"documents\[0\] is tuple"),
    "a surrogate": (QUERY, ["fox", "\ud800"], InputError, r"documents\[1\] holds a lone surrogate"),
    "a surrogate in the query": ("\ud800", ["fox"], InputError, "query holds a lone surrogate"),
    "no query": (None, ["fox"], InputTypeError, "query is None; expected a str"),
    "a list for the query": (["fox"], ["fox"], InputTypeError, "query is list"),
    "too long a query": ("fox " * 21, ["fox"], InputError, f"the query has {LIMIT} tokens .* which may have {LIMIT}"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_texts(case: str, model: CrossEncoder) -> None:
    query, documents, error, message = BAD[case]
    with pytest.raises(error, match=message) as raised:
        model.rank(query, documents)
    assert isinstance(raised.value, EdgeSTError)


def test_the_prompt_counts_for_the_querys_length(model: CrossEncoder) -> None:
    query = "fox " * 19
    assert len(model.rank(query, ["dog"])) == 1
    with pytest.raises(InputError, match=f"the query has {LIMIT} tokens"):
        model.rank(query, ["dog"], prompt="old sea ")


def test_a_long_query_without_limit(tmp_path: Path) -> None:
    tiny = TinyCrossEncoder(limit=None, config={"max_position_embeddings": None})
    model = CrossEncoder(tiny.save(tmp_path), backend="onnx")
    assert model.max_length is None
    assert len(model.rank("fox " * 30, ["dog"])) == 1


def test_documents_that_are_too_long(folder: Path) -> None:
    model = CrossEncoder(folder, backend="onnx", truncation="error")
    with pytest.raises(TextTooLongError, match=rf"inputs\[1\] has 48 tokens, the model takes {LIMIT}"):
        model.rank(QUERY, ["fox", "dog " * 40])


def test_several_labels(tmp_path: Path) -> None:
    model = CrossEncoder(TinyCrossEncoder(labels=3).save(tmp_path), backend="onnx")
    with pytest.raises(OptionError, match=r"^CrossEncoder\.rank\(\) only works for models with num_labels=1\."):
        model.rank(QUERY, DOCUMENTS)


@pytest.mark.parametrize("old", ["num_workers", "convert_to_numpy", "convert_to_tensor", "apply_softmax"])
def test_old_arguments(old: str, model: CrossEncoder, caplog: pytest.LogCaptureFixture) -> None:
    deprecated.cache_clear()
    given: dict[str, Any] = {old: 1}
    found, _ = (model.rank(QUERY, DOCUMENTS, **given) for _ in range(2))
    assert caplog.messages == [f"The CrossEncoder.rank `{old}` argument is deprecated and has no effect."]
    assert found == model.rank(QUERY, DOCUMENTS)


def test_unknown_keywords(model: CrossEncoder) -> None:
    with pytest.raises(OptionError, match=r"CrossEncoder\.rank\(\) got \['normalize'\]"):
        model.rank(QUERY, DOCUMENTS, normalize=True)
