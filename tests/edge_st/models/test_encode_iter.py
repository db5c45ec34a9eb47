"""Any number of texts, one vector after the other, in bounded memory."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import TextTooLongError
from edge_st_runtime.text import windows
from tests.support.tiny_models import TinyModel
from tests.support.tiny_tokenizers import random_texts

TEXTS = [*random_texts(100), ("fox", "dog"), ""]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_FIRST_WINDOW_TEXTS", 4)
    monkeypatch.setattr(windows, "_WINDOW_TEXTS", 16)


def test_as_encode(model: SentenceTransformer) -> None:
    options: dict[str, Any] = {"prompt": "sea ", "normalize_embeddings": True, "truncate_dim": 5}
    found = list(model.encode_iter(iter(TEXTS), **options))
    np.testing.assert_allclose(found, model.encode(TEXTS, **options), atol=1e-6)
    assert all(vector.shape == (5,) and vector.dtype == np.float32 for vector in found)
    assert list(model.encode_iter([])) == []
    np.testing.assert_array_equal(
        list(model.encode_iter(TEXTS, precision="ubinary")), model.encode(TEXTS, precision="ubinary")
    )


def test_texts_are_taken_a_window_at_a_time_without_end(model: SentenceTransformer, tiny: TinyModel) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield f"fox {taken}"

    vectors = model.encode_iter(endless())
    assert taken == 0
    for number in range(1, 101):
        np.testing.assert_allclose(next(vectors), tiny.means([f"fox {number}"])[0], atol=2e-6)
        assert number <= taken <= min(number + 16, 4 * number)


def test_long_texts_make_small_windows(model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_WINDOW_CHARACTERS", 1000)
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for _ in range(10):
            taken += 1
            yield "fox " * 150

    assert len(list(islice(model.encode_iter(texts()), 1))) == 1
    assert taken == 2


def test_bad_text_raises_when_it_comes(model: SentenceTransformer) -> None:
    vectors = model.encode_iter([*["fox"] * 12, "dog", None])
    assert len(list(islice(vectors, 12))) == 12
    with pytest.raises(TypeError, match=r"inputs\[13\] is None"):
        next(vectors)


@pytest.mark.parametrize("inputs", ["one text", b"x", None, 3, {"text": "a"}, {"a set"}], ids=repr)
def test_what_is_no_iterable_of_texts(inputs: Any, model: SentenceTransformer) -> None:
    with pytest.raises(TypeError, match=r"expected an iterable of texts"):
        model.encode_iter(inputs)


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_precisions_that_need_all_texts(precision: str, model: SentenceTransformer) -> None:
    with pytest.raises(ValueError, match=f"precision '{precision}' needs all embeddings"):
        model.encode_iter(["a"], precision=precision)


def test_place_of_a_text_that_is_too_long(tiny_folder: Path) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx", truncation="error")
    vectors = model.encode_iter(["fox"] * 20 + ["fox " * 50])
    assert len(list(islice(vectors, 12))) == 12
    with pytest.raises(TextTooLongError, match=r"counted from text 12: inputs\[8\] has 52 tokens"):
        next(vectors)
