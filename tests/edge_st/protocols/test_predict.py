"""The shape of /predict."""

from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st.protocols.fields import NoSuchTaskError, RequestError
from edge_st.protocols.predict import answer_predict
from tests.support.answers import body_of
from tests.support.tiny_pair_models import TinyCrossEncoder

PAIRS = [["the quick fox", "a good day"], ["is it", "the quick fox"], ["a day", "is it good"]]
NULLS = dict.fromkeys(("raw_scores", "truncate", "truncation_direction", "model"))


@pytest.mark.parametrize("raw", [True, False])
def test_labels_have_the_softmax_of_the_logits_highest_first(classifier: CrossEncoder, raw: bool) -> None:
    found = body_of(answer_predict, classifier, {"inputs": PAIRS, "raw_scores": raw, "truncate": None})
    logits = classifier.predict(PAIRS, activation_fn="identity")
    expected = logits if raw else np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for labels, row in zip(found, expected, strict=True):
        order = np.argsort(-row).tolist()
        assert [each["label"] for each in labels] == [f"LABEL_{place}" for place in order]
        np.testing.assert_allclose([each["score"] for each in labels], row[order], rtol=1e-5)


def test_one_label_has_the_sigmoid(cross: CrossEncoder) -> None:
    found = body_of(answer_predict, cross, {"inputs": PAIRS})
    scores = [each[0]["score"] for each in found]
    np.testing.assert_allclose(scores, cross.predict(PAIRS, activation_fn="sigmoid"), rtol=1e-6)


def test_a_single_pair_is_a_single_list(classifier: CrossEncoder) -> None:
    found = body_of(answer_predict, classifier, {"inputs": PAIRS[0]})
    assert [found] == body_of(answer_predict, classifier, {**NULLS, "inputs": [PAIRS[0]]})


def test_labels_have_the_names_of_the_model(tmp_path: Any) -> None:
    names = {"0": "contradiction", "1": "entailment", "2": "neutral"}
    folder = TinyCrossEncoder(labels=3, config={"id2label": names}).save(tmp_path)
    found = body_of(answer_predict, CrossEncoder(folder, backend="onnx"), {"inputs": PAIRS[0]})
    assert {each["label"] for each in found} == set(names.values())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "`inputs` is missing"),
        ([], "an empty list"),
        ("a text", "`inputs` is a single text; this model scores pairs"),
        (["a text"], "`inputs` is a single text; this model scores pairs"),
        ([["a"], ["a", "b"]], r"`inputs\[0\]` is a single text"),
        ([["a", "b"], "c"], r"`inputs\[1\]` is a single text"),
        (["a", "b", "c"], "`inputs` is a list of 3; expected a pair"),
        ([["a", 5]], r"`inputs\[0\]\[1\]` is the number 5; expected a string"),
        ([5], r"`inputs\[0\]` is the number 5"),
        ({"a": "b"}, "`inputs` is an object"),
        (["a", "\ud800"], r"`inputs\[1\]` holds a lone surrogate"),
    ],
)
def test_what_is_no_pair_is_named(classifier: CrossEncoder, inputs: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        body_of(answer_predict, classifier, {"inputs": inputs})


def test_other_classes_are_refused(dense: SentenceTransformer) -> None:
    with pytest.raises(NoSuchTaskError, match="scores pairs"):
        body_of(answer_predict, dense, {"inputs": PAIRS})
