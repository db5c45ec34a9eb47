"""Options of ``CrossEncoder`` and its ``predict``: labels, prompts, limits, and the names that they once had."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder
from edge_st_runtime.errors import OptionError, TextTooLongError
from tests.support.tiny_models import LIMIT
from tests.support.tiny_pair_models import PAIR, PAIRS, TinyCrossEncoder


@pytest.fixture
def fresh(cross_encoder_folders: dict[int, Path]) -> CrossEncoder:
    return CrossEncoder(cross_encoder_folders[1], backend="onnx")


@pytest.mark.parametrize("labels", [0, 2, "1"])
def test_another_number_of_labels(labels: Any, cross_encoder_folders: dict[int, Path]) -> None:
    with pytest.raises(OptionError, match=f"num_labels is {labels}; this model has 1"):
        CrossEncoder(cross_encoder_folders[1], backend="onnx", num_labels=labels)
    assert CrossEncoder(cross_encoder_folders[1], backend="onnx", num_labels=1).num_labels == 1


def test_prompts(tmp_path: Path) -> None:
    tiny = TinyCrossEncoder(settings={"prompts": {"query": "search: "}})
    model = CrossEncoder(tiny.save(tmp_path), backend="onnx", prompts={"mine": "old sea "})
    assert model.prompts == {"mine": "old sea ", "query": "search: "}
    np.testing.assert_allclose(model.predict(PAIRS), tiny.scores(PAIRS), atol=2e-6)
    for found, prompt in (
        (model.predict(PAIRS, prompt="the "), "the "),
        (model.predict(PAIRS, prompt_name="query"), "search: "),
        (model.predict(PAIRS, "mine"), "old sea "),
    ):
        np.testing.assert_allclose(found, tiny.scores(PAIRS, prompt), atol=2e-6)
    model.default_prompt_name = "query"
    np.testing.assert_allclose(model.predict(PAIRS), tiny.scores(PAIRS, "search: "), atol=2e-6)
    np.testing.assert_allclose(model.predict(PAIRS, prompt=""), tiny.scores(PAIRS), atol=2e-6)
    with pytest.raises(OptionError, match=r"Prompt name 'other' not found .* with keys \['mine', 'query'\]"):
        model.predict(PAIRS, prompt_name="other")


def test_prompts_that_cannot_be(cross_encoder: CrossEncoder) -> None:
    with pytest.raises(OptionError, match=f"has 31 tokens and max_seq_length is {LIMIT}, so no text would be left"):
        cross_encoder.predict(PAIRS, prompt="fox " * 30)
    wrong: Any = 3
    with pytest.raises(OptionError, match="prompt is 3; expected a str"):
        cross_encoder.predict(PAIRS, prompt=wrong)


def test_a_model_without_prompts(cross_encoder: CrossEncoder) -> None:
    assert cross_encoder.prompts == {}


@pytest.mark.parametrize("limit", [5, 7, 16, 64])
def test_max_length(limit: int, cross_encoder_folders: dict[int, Path], fresh: CrossEncoder) -> None:
    expected = TinyCrossEncoder(limit=limit).scores(PAIRS)
    fresh.max_length = limit
    models = (
        fresh,
        CrossEncoder(cross_encoder_folders[1], backend="onnx", max_length=limit),
        CrossEncoder(cross_encoder_folders[1], backend="onnx", processor_kwargs={"model_max_length": limit}),
    )
    for model in models:
        assert model.max_length == model.max_seq_length == limit
        np.testing.assert_allclose(model.predict(PAIRS), expected, atol=2e-6)


def test_lengths_that_cannot_be(fresh: CrossEncoder) -> None:
    assert fresh.max_length == LIMIT
    with pytest.raises(OptionError, match="max_seq_length is 65; this model has 64 positions"):
        fresh.max_length = 65
    with pytest.raises(OptionError, match="max_seq_length is 4; expected a token of each text besides the 3 special"):
        fresh.max_length = 4


def test_truncation_warns_of_the_pair(cross_encoder_folders: dict[int, Path], caplog: pytest.LogCaptureFixture) -> None:
    model = CrossEncoder(cross_encoder_folders[1], backend="onnx", truncation="warn")
    pairs = [PAIR, ("fox", "dog " * 40), PAIR, ("fox " * 21, "dog")]
    with caplog.at_level(logging.WARNING):
        model.predict(pairs)
    assert caplog.messages == [f"2 text(s) cut to {LIMIT} tokens: inputs[1], inputs[3]"]


def test_truncation_that_is_an_error(cross_encoder_folders: dict[int, Path]) -> None:
    model = CrossEncoder(cross_encoder_folders[1], backend="onnx", truncation="error")
    full = ("fox " * 20, "dog")
    assert model.predict([PAIR, full]).shape == (2,)
    with pytest.raises(TextTooLongError, match=rf"inputs\[1\] has 25 tokens, the model takes {LIMIT}"):
        model.predict([PAIR, ("fox " * 21, "dog")])
    with pytest.raises(TextTooLongError, match=rf"inputs\[0\] has 25 tokens, the model takes {LIMIT}"):
        model.predict(full, prompt="old ")


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "3", None, True])
def test_batch_sizes_that_are_none(batch_size: Any, cross_encoder: CrossEncoder) -> None:
    with pytest.raises(OptionError, match="batch_size must be a positive integer"):
        cross_encoder.predict([PAIR], batch_size=batch_size)


def test_unknown_keywords(cross_encoder: CrossEncoder) -> None:
    with pytest.raises(OptionError, match=r"predict\(\) has been called with .* does not use: \['return_documents'\]"):
        cross_encoder.predict([PAIR], return_documents=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"sentences": [PAIR]}, {"inputs": [PAIR]}),
        ({"inputs": [PAIR], "activation_fct": np.square}, {"inputs": [PAIR], "activation_fn": np.square}),
        ({"inputs": [PAIR], "num_workers": 4}, {"inputs": [PAIR]}),
        (
            {"inputs": [PAIR], "activation_fct": "tanh", "activation_fn": np.square},
            {"inputs": [PAIR], "activation_fn": np.square},
        ),
    ],
    ids=["sentences", "activation_fct", "num_workers", "the new name wins"],
)
def test_old_names(old: dict[str, Any], new: dict[str, Any], cross_encoder: CrossEncoder) -> None:
    found = cross_encoder.predict(**old)
    np.testing.assert_array_equal(found, cross_encoder.predict(**new))


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ({"automodel_args": {"file_name": "onnx/model.onnx"}}, {}),
        ({"tokenizer_args": {"model_max_length": 9}}, {"max_length": 9}),
        ({"default_activation_function": np.square}, {"activation_fn": np.square}),
    ],
    ids=str,
)
def test_old_names_of_the_constructor(
    old: Any, expected: dict[str, Any], cross_encoder_folders: dict[int, Path]
) -> None:
    model = CrossEncoder(cross_encoder_folders[1], backend="onnx", **old)
    assert {name: getattr(model, name) for name in expected} == expected


def test_arguments_that_were_once_positional(cross_encoder_folders: dict[int, Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = CrossEncoder(cross_encoder_folders[1], 1, 9, np.square, "cpu", backend="onnx")
    assert (model.num_labels, model.max_length, model.activation_fn) == (1, 9, np.square)
    with pytest.raises(TypeError):
        CrossEncoder(cross_encoder_folders[1], 1, 9, np.square, "cpu", "surplus", backend="onnx")


def test_unknown_keywords_of_the_constructor(cross_encoder_folders: dict[int, Path]) -> None:
    with pytest.raises(TypeError, match="unheard"):
        CrossEncoder(cross_encoder_folders[1], unheard=1)


def test_no_model(cross_encoder_folders: dict[int, Path]) -> None:
    with pytest.raises(OptionError, match="CrossEncoder has no bundled model"):
        CrossEncoder()
