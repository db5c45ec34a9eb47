"""``processing_kwargs``: another limit in tokens, or none, for one call."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st_runtime.errors import OptionError, TextTooLongError
from tests.support.tiny_models import LIMIT, TinyModel

LONG = "seven small boats sail across the cold northern sea " * 4
POSITIONS = 64


def cut(limit: int | None) -> Any:
    return TinyModel(limit=limit).means([LONG])[0]


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (None, LIMIT),
        ({}, LIMIT),
        ({"text": {"max_length": 7}}, 7),
        ({"common": {"max_length": 7}}, 7),
        ({"text": {"max_length": 9}, "common": {"max_length": 7}}, 9),
        ({"text": {"max_length": 40, "truncation": True, "padding": "max_length"}}, 40),
        ({"text": {"truncation": False}}, None),
        ({"text": {"max_length": 7, "truncation": "do_not_truncate"}}, None),
        ({"image": {"size": 3}}, LIMIT),
    ],
    ids=str,
)
def test_the_limit_of_a_call(arguments: Any, limit: int | None, model: SentenceTransformer) -> None:
    found = model.encode(LONG, processing_kwargs=arguments)
    np.testing.assert_allclose(found, cut(limit), atol=2e-6)
    width = model.preprocess([LONG], processing_kwargs=arguments)["input_ids"].shape[1]
    assert width == min(limit or POSITIONS, model.count_tokens(LONG))
    assert model.max_seq_length == LIMIT
    np.testing.assert_allclose(model.encode_query(LONG, processing_kwargs=arguments), cut(limit), atol=2e-6)


def test_several_processes(tiny_folder: Path) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx")
    arguments = {"text": {"max_length": 7}}
    found = model.encode([LONG, "a"], device=["cpu"], processing_kwargs=arguments)
    np.testing.assert_allclose(found, model.encode([LONG, "a"], processing_kwargs=arguments), atol=2e-6)


def test_pairs(cross_encoder: CrossEncoder) -> None:
    pair = ("the fox", LONG)
    found = cross_encoder.predict(pair, processing_kwargs={"text": {"max_length": 12}})
    before, cross_encoder.max_seq_length = cross_encoder.max_seq_length, 12
    expected, cross_encoder.max_seq_length = cross_encoder.predict(pair), before
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert abs(found - cross_encoder.predict(pair)) > 1e-5


def test_what_is_not_cut_must_fit(model: SentenceTransformer) -> None:
    with pytest.raises(TextTooLongError, match=rf"inputs\[1\] has \d+ tokens, the model takes {POSITIONS}"):
        model.encode(["a", LONG * 3], processing_kwargs={"text": {"truncation": False}})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, "processing_kwargs is 3; expected groups"),
        ({"text": 3}, "expected groups with their settings"),
        ({"text": {"max_length": 65}}, "max_seq_length is 65; this model has 64 positions"),
        ({"text": {"max_length": "7"}}, "max_seq_length is '7'; expected a whole number"),
        ({"text": {"max_length": 2}}, "max_seq_length is 2; expected more than"),
        ({"text": {"truncation": "only_second"}}, "truncation in processing_kwargs is 'only_second'"),
        ({"text": {"stride": 3}}, r"processing_kwargs has \['stride'\] for texts"),
        ({"chat_template": {"x": 1}}, "processing_kwargs has 'chat_template'"),
    ],
    ids=str,
)
def test_what_is_refused(wrong: Any, message: str, model: SentenceTransformer) -> None:
    with pytest.raises(OptionError, match=message):
        model.encode("a", processing_kwargs=wrong)


def test_unknown_groups_are_logged(model: SentenceTransformer, caplog: pytest.LogCaptureFixture) -> None:
    np.testing.assert_array_equal(model.encode("a", processing_kwargs={"txt": {}}), model.encode("a"))
    assert "Unknown keys in per-call `processing_kwargs`: {'txt'}" in caplog.text
