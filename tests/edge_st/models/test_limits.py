"""max_seq_length, and what happens to texts beyond it."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import TextTooLongError
from edge_st_runtime.text import windows
from tests.support.tiny_models import LIMIT, TinyModel, write_static
from tests.support.tiny_tokenizers import byte_bpe, random_texts, wordpiece

LONG = "the quick brown fox " * 20
TEXTS = ["short", LONG, "the sea", LONG + "sea", *["door"] * 20]


def load(folder: Path, **options: Any) -> SentenceTransformer:
    return SentenceTransformer(folder, backend="onnx", **options)


def test_limit_of_the_folder(tiny_folder: Path, tiny: TinyModel) -> None:
    model = load(tiny_folder)
    assert model.max_seq_length == model.info()["max_seq_length"] == LIMIT
    assert model.encode(LONG, output_value="token_embeddings").shape == (LIMIT, 12)
    np.testing.assert_allclose(model.encode([LONG]), tiny.means([LONG]), atol=2e-6)


@pytest.mark.parametrize("limit", [3, 10, 64])
def test_limit_is_settable(limit: int, tiny_folder: Path) -> None:
    model, other = load(tiny_folder), load(tiny_folder, processor_kwargs={"model_max_length": limit})
    before = model.fingerprint
    model.max_seq_length = limit
    assert model.max_seq_length == other.max_seq_length == limit
    expected = TinyModel(limit=limit).means([LONG, "fox"])
    for changed in (model, other):
        np.testing.assert_allclose(changed.encode([LONG, "fox"]), expected, atol=2e-6)
        assert changed.fingerprint != before


@pytest.mark.parametrize("limit", [65, 512])
def test_limit_beyond_the_positions(limit: int, tiny_folder: Path) -> None:
    model = load(tiny_folder)
    with pytest.raises(ValueError, match=f"max_seq_length is {limit}; this model has 64 positions"):
        model.max_seq_length = limit
    assert model.max_seq_length == LIMIT
    with pytest.raises(ValueError, match=r"64 positions"):
        load(tiny_folder, tokenizer_kwargs={"model_max_length": limit})


@pytest.mark.parametrize("limit", [2, 0, -1])
def test_limit_without_room(limit: int, tiny_folder: Path) -> None:
    model = load(tiny_folder)
    with pytest.raises(ValueError, match=f"max_seq_length is {limit}; expected more than the 2 special tokens"):
        model.max_seq_length = limit


@pytest.mark.parametrize("limit", ["a", 7.5, [8], math.nan, -math.inf], ids=repr)
def test_limit_that_is_no_number(limit: Any, tiny_folder: Path) -> None:
    model = load(tiny_folder)
    with pytest.raises(ValueError, match=r"expected a whole number of tokens"):
        model.max_seq_length = limit


def test_limit_that_a_folder_states_beyond_its_positions(tmp_path: Path) -> None:
    config = {"model_type": "roberta", "max_position_embeddings": 34, "pad_token_id": 1}
    model = load(TinyModel(byte_bpe, limit=34, config=config).save(tmp_path))
    assert model.max_seq_length == 32
    assert model.encode(LONG, output_value="token_embeddings").shape == (32, 12)


def test_none_is_as_many_as_there_are_positions(tiny_folder: Path, tmp_path: Path) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx")
    model.max_seq_length = None
    assert model.max_seq_length == 64
    assert model.encode("fox " * 100).shape == model.encode("fox").shape
    model.save_pretrained(tmp_path / "copy")
    copy = SentenceTransformer(tmp_path / "copy", backend="onnx")
    assert (copy.max_seq_length, copy.fingerprint) == (64, model.fingerprint)


def test_no_limit(tmp_path: Path) -> None:
    model = load(TinyModel(limit=None, config={}).save(tmp_path))
    assert model.max_seq_length is None
    expected = TinyModel(limit=None).means([LONG])
    np.testing.assert_allclose(model.encode([LONG]), expected, atol=2e-6)


def test_static_models_have_none(tmp_path: Path) -> None:
    table = np.ones((wordpiece().get_vocab_size(), 4), dtype=np.float32)
    model = SentenceTransformer(write_static(tmp_path, wordpiece(), {"embedding.weight": table}))
    assert model.max_seq_length == math.inf
    assert model.info()["max_seq_length"] is None
    model.max_seq_length = 3
    assert model.max_seq_length == 3
    model.max_seq_length = math.inf
    assert model.max_seq_length == math.inf


def test_counts_are_those_before_truncation(tiny_folder: Path) -> None:
    model, texts = load(tiny_folder), [LONG, "", ("fox", LONG), *random_texts(30)]
    pairs = [(text, None) if isinstance(text, str) else text for text in texts]
    expected = [len(wordpiece().encode(first, second)) for first, second in pairs]
    assert np.asarray(model.count_tokens(texts)).tolist() == expected
    assert model.count_tokens(LONG) == expected[0] > LIMIT


def test_silent(tiny_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load(tiny_folder).encode(TEXTS)
    assert caplog.text == ""


def test_warn(tiny_folder: Path, tiny: TinyModel, caplog: pytest.LogCaptureFixture) -> None:
    model = load(tiny_folder, truncation="warn")
    with caplog.at_level(logging.WARNING):
        found = model.encode(TEXTS)
        model.encode(["short"])
    np.testing.assert_allclose(found, tiny.means(TEXTS), atol=2e-6)
    assert [record.message for record in caplog.records] == ["2 text(s) cut to 24 tokens: inputs[1], inputs[3]"]


def test_error(tiny_folder: Path) -> None:
    model = load(tiny_folder, truncation="error")
    with pytest.raises(TextTooLongError, match=r"inputs\[1\] has \d+ tokens, the model takes 24; split it, or pass"):
        model.encode(TEXTS)
    assert model.encode(["short", "the sea"]).shape == (2, 12)
    with pytest.raises(ValueError, match=r"inputs\[0\] has 26 tokens"):
        model.encode("fox " * 24)
    assert model.encode("fox " * 22).shape == (12,)


def test_error_counts_the_prompt_and_names_the_place_in_a_later_window(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_WINDOW_TEXTS", 10)
    model = load(tiny_folder, truncation="error")
    texts = ["fox"] * 25 + ["fox " * 21] + ["fox"] * 3
    assert model.encode(texts).shape == (29, 12)
    with pytest.raises(TextTooLongError, match=r"inputs\[25\] has 25 tokens"):
        model.encode(texts, prompt="sea old ")


def test_unknown_way(tiny_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"truncation is 'cut'; expected one of \('silent', 'warn', 'error'\)"):
        load(tiny_folder, truncation="cut")
