"""``CrossEncoder.predict``: the original's scores for pairs in every form, and of every number of labels."""

import json
import math
import random
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, EdgeSTError
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_models import MEAN, TinyModel, dense, write_json
from tests.support.tiny_pair_models import ONE, PAIR, PAIRS, THREE, TinyCrossEncoder

BACK = (PAIR[1], PAIR[0])


class Frame:
    """What matters of a pandas Series, or with two axes of a DataFrame."""

    iloc = None

    def __init__(self, values: list[Any], ndim: int = 1) -> None:
        self._values, self.ndim = values, ndim

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Any:
        return iter(self._values)


@pytest.fixture(scope="module")
def three(cross_encoder_folders: dict[int, Path]) -> CrossEncoder:
    return CrossEncoder(cross_encoder_folders[3], backend="onnx")


def test_scores(cross_encoder: CrossEncoder) -> None:
    found = cross_encoder.predict(PAIRS)
    assert (found.shape, found.dtype) == ((len(PAIRS),), np.float32)
    np.testing.assert_allclose(found, ONE.scores(PAIRS), atol=2e-6)
    assert cross_encoder.num_labels == 1


def test_the_order_of_a_pair_counts(cross_encoder: CrossEncoder) -> None:
    there, back = cross_encoder.predict([PAIR, BACK])
    assert abs(there - back) > 0.01


def test_alone_and_in_any_batch_and_order(cross_encoder: CrossEncoder) -> None:
    alone = np.array([cross_encoder.predict(pair) for pair in PAIRS])
    order = random.Random(0).sample(range(len(PAIRS)), len(PAIRS))
    sizes: list[Any] = [1, 3, np.int64(7), 1000]
    for batch_size in sizes:
        shuffled = cross_encoder.predict([PAIRS[row] for row in order], batch_size=batch_size)
        np.testing.assert_allclose(shuffled, alone[order], atol=1e-6)


@pytest.mark.parametrize(
    "inputs",
    [PAIR, list(PAIR), deque(PAIR), np.array(PAIR), np.array(PAIR, dtype=object), Frame(list(PAIR)), {"text": PAIR}],
    ids=["tuple", "list", "deque", "array", "object array", "series", "dict"],
)
def test_one_pair(inputs: Any, cross_encoder: CrossEncoder) -> None:
    found = cross_encoder.predict(inputs)
    assert type(found) is np.float32
    np.testing.assert_allclose(found, ONE.scores([PAIR])[0], atol=2e-6)


@pytest.mark.parametrize(
    "inputs",
    [
        [PAIR, BACK],
        (PAIR, list(BACK)),
        np.array([PAIR, BACK]),
        [np.array(PAIR), np.array(BACK)],
        Frame([PAIR, BACK]),
        [{"text": PAIR}, BACK],
    ],
    ids=["list", "tuple", "array", "list of arrays", "series", "dicts"],
)
def test_two_pairs(inputs: Any, cross_encoder: CrossEncoder) -> None:
    np.testing.assert_allclose(cross_encoder.predict(inputs), ONE.scores([PAIR, BACK]), atol=2e-6)


def test_a_list_of_one_pair_is_a_batch(cross_encoder: CrossEncoder) -> None:
    assert cross_encoder.predict([PAIR]).shape == (1,)


def test_a_single_text(cross_encoder: CrossEncoder) -> None:
    np.testing.assert_allclose(cross_encoder.predict("the fox"), ONE.scores(["the fox"])[0], atol=2e-6)


def test_no_pairs(cross_encoder: CrossEncoder, three: CrossEncoder) -> None:
    assert (cross_encoder.predict([]).shape, cross_encoder.predict([]).dtype) == ((0,), np.float32)
    assert cross_encoder.predict([], convert_to_numpy=False) == []
    for softmax in (False, True):
        assert three.predict([], apply_softmax=softmax).shape == (0, 3)


ODD: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "empty": (("", ""), ("", "")),
    "emoji": (("😀👍🏽", "👩‍👩‍👧 fox"), ("😀👍🏽", "👩‍👩‍👧 fox")),
    "CJK": (("日本語", "日本語のテキスト"), ("日本語", "日本語のテキスト")),
    "NUL": (("a\x00b", "\x00"), ("ab", "")),
    "special tokens": (("[SEP] fox [PAD]", "[CLS]"), ("[SEP] fox [PAD]", "[CLS]")),
    "a hundred thousand letters": (("fox", "x" * 100_000), ("fox", "[UNK]")),
    "fifty thousand words": (("fox " * 50_000, "dog " * 50_000), ("fox " * 30, "dog " * 30)),
}


@pytest.mark.parametrize(("pair", "same_as"), ODD.values(), ids=ODD.keys())
def test_odd_texts(pair: tuple[str, str], same_as: tuple[str, str], cross_encoder: CrossEncoder) -> None:
    np.testing.assert_allclose(cross_encoder.predict([PAIR, pair])[1:], ONE.scores([same_as]), atol=2e-6)


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "None": (None, TypeError, "inputs is None"),
    "number": (3, TypeError, r"inputs is int \(3\)"),
    "generator": ((pair for pair in [PAIR]), TypeError, "inputs is generator"),
    "bytes": (b"ab", TypeError, "inputs is bytes"),
    "three texts": (["a", "b", "c"], ValueError, "inputs is a list of 3 texts; expected a str, or a pair"),
    "a list of one text": (["a"], ValueError, "inputs is a list of 1 texts"),
    "a tuple of one text": (("a",), ValueError, "inputs is a tuple of 1 texts"),
    "no pair first": (["a", PAIR], TypeError, "inputs holds tuple"),
    "set": ({"a", "b"}, TypeError, "inputs is set"),
    "a dict of other names": ([{"query": "a", "document": "b"}], TypeError, r"inputs\[0\] is dict"),
    "triple": ([PAIR, ("a", "b", "c")], ValueError, r"inputs\[1\] is a tuple of 3 texts"),
    "one text": ([PAIR, ["a"]], ValueError, r"inputs\[1\] is a list of 1 texts"),
    "nothing": ([PAIR, []], ValueError, r"inputs\[1\] is a list of 0 texts"),
    "triples": (np.array([["a", "b", "c"]]), ValueError, r"inputs\[0\] is a list of 3 texts"),
    "numbers": (np.array([[1.0, 2.0]]), TypeError, r"inputs\[0\] holds float"),
    "number in pair": (("a", 3), TypeError, r"inputs holds int \(3\)"),
    "None in pair": ([PAIR, ("a", None)], TypeError, r"inputs\[1\] holds None"),
    "NaN in pair": ([("a", math.nan)], TypeError, r"inputs\[0\] holds float \(nan\)"),
    "None for a pair": ([PAIR, None], TypeError, r"inputs\[1\] is None"),
    "pair of pairs": ([(PAIR, PAIR)], TypeError, r"inputs\[0\] holds tuple"),
    "surrogate": ([PAIR, ("a", "\ud800")], ValueError, r"inputs\[1\] holds a lone surrogate; remove it"),
    "surrogate in one pair": (("\udfff", "a"), ValueError, "inputs holds a lone surrogate"),
    "data frame": (Frame(["query", "document"], ndim=2), TypeError, "inputs is Frame"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs(case: str, cross_encoder: CrossEncoder) -> None:
    inputs, error, message = BAD[case]
    with pytest.raises(error, match=message) as raised:
        cross_encoder.predict(inputs)
    assert isinstance(raised.value, EdgeSTError)


def test_the_callers_list_is_left_alone(cross_encoder: CrossEncoder) -> None:
    inputs: list[Any] = [list(PAIR), {"text": list(PAIR)}]
    cross_encoder.predict(inputs, prompt="query: ")
    assert inputs == [list(PAIR), {"text": list(PAIR)}]


def test_several_labels(three: CrossEncoder) -> None:
    found = three.predict(PAIRS)
    assert (three.num_labels, found.dtype) == (3, np.float32)
    np.testing.assert_allclose(found, THREE.logits(PAIRS), atol=5e-6)
    assert three.predict(PAIR).shape == (3,)
    softmax = np.exp(THREE.logits(PAIRS)) / np.exp(THREE.logits(PAIRS)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(three.predict(PAIRS, apply_softmax=True), softmax, atol=2e-6)
    both = three.predict(PAIRS, apply_softmax=True, activation_fn="sigmoid")  # the softmax comes last
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-6)
    assert both.max() < softmax.max()


def test_one_label_has_no_softmax(cross_encoder: CrossEncoder) -> None:
    np.testing.assert_array_equal(cross_encoder.predict(PAIRS, apply_softmax=True), cross_encoder.predict(PAIRS))


def test_labels_that_the_graph_does_not_tell(engine: str, tmp_path: Path) -> None:
    tiny = TinyCrossEncoder(labels=3, says_labels=False)
    model = CrossEncoder(tiny.save(tmp_path), backend=engine)
    assert model.num_labels == model.info()["num_labels"] == 3
    assert model.predict([]).shape == (0, 3)
    np.testing.assert_allclose(model.predict(PAIRS), tiny.logits(PAIRS), atol=5e-6)


def test_outputs(cross_encoder: CrossEncoder, three: CrossEncoder) -> None:
    listed = cross_encoder.predict([PAIR, PAIR], convert_to_numpy=False)
    assert isinstance(listed, list)
    assert [type(score) for score in listed] == [np.float32] * 2
    rows = three.predict([PAIR], convert_to_numpy=False)
    assert isinstance(rows, list)
    assert rows[0].shape == (3,)
    json.dumps(cross_encoder.predict(PAIRS).tolist())


def test_tensors(cross_encoder: CrossEncoder) -> None:
    try:
        import torch
    except ImportError:
        with pytest.raises(ImportError, match="convert_to_tensor=True needs torch"):
            cross_encoder.predict([PAIR], convert_to_tensor=True)
    else:
        assert torch.equal(
            cross_encoder.predict([PAIR], convert_to_tensor=True), torch.tensor(cross_encoder.predict([PAIR]))
        )


def test_progress_bar(cross_encoder: CrossEncoder, capsys: pytest.CaptureFixture[str]) -> None:
    cross_encoder.predict(PAIRS)
    assert capsys.readouterr().err == ""
    cross_encoder.predict(PAIRS, show_progress_bar=True)
    assert f"{len(PAIRS)}/{len(PAIRS)}" in capsys.readouterr().err


def test_tokens_of_a_pair(cross_encoder: CrossEncoder) -> None:
    """The number that `max_length` is about: of one pair, as `predict` takes it."""
    assert np.asarray(cross_encoder.count_tokens([("fox", "dog"), ("fox", "dog dog")])).tolist() == [5, 6]
    assert cross_encoder.count_tokens(("fox", "dog")) == 5
    assert cross_encoder.preprocess(("fox", "dog"))["input_ids"].shape == (1, 5)


def test_scores_by_modules_after_the_graph(engine: str, tmp_path: Path) -> None:
    """As version 6 saves a head of its own: pooling, and a Dense that gives "scores"."""
    weight = np.random.default_rng(4).standard_normal((2, HIDDEN)).astype(np.float32)
    head = dense(weight, np.ones(2, dtype=np.float32), module_output_name="scores")
    tiny = TinyModel(modules=(MEAN, head), settings={"model_type": "CrossEncoder"})
    model = CrossEncoder(tiny.save(tmp_path), backend=engine)
    assert model.num_labels == 2
    np.testing.assert_allclose(model.predict(PAIRS), tiny.means(PAIRS) @ weight.T + 1, atol=1e-5)


def test_a_graph_of_tokens_is_no_cross_encoder(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    (folder / "modules.json").unlink()
    write_json(folder / "config.json", {"model_type": "bert", "architectures": ["BertForSequenceClassification"]})
    with pytest.raises(EdgeSTError, match="export"):
        CrossEncoder(folder, backend="onnx")
