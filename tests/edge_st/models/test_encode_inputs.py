"""Every form of input, and every bad one: refused with its place and type, before any work."""

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import EdgeSTError, SentenceTransformer
from edge_st_runtime.model.pipeline import Pipeline
from tests.support.tiny_models import TinyModel

A, B = "the quick fox", "a lazy dog sails"
PAIR = ("who painted the door", "nobody remembers")
BACK = (PAIR[1], PAIR[0])


class Series:
    """What matters of pandas' class and, with two axes, of its DataFrame, which goes over the columns' names."""

    iloc = None

    def __init__(self, values: list[str], ndim: int = 1) -> None:
        self._values, self.ndim = values, ndim

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Any:
        return iter(self._values)


class Name(str):
    """A str of another class."""

    __slots__ = ()


@pytest.mark.parametrize(
    "inputs",
    [
        [A, B],
        (A, B),
        deque([A, B]),
        np.array([A, B]),
        np.array([A, B], dtype=object),
        Series([A, B]),
        [{"text": A}, {"text": B}],
        [np.str_(A), Name(B)],
    ],
    ids=["list", "tuple", "deque", "array", "object array", "series", "dict", "subclasses"],
)
def test_batches(inputs: Any, model: SentenceTransformer, tiny: TinyModel) -> None:
    np.testing.assert_allclose(model.encode(inputs), tiny.means([A, B]), atol=2e-6)


@pytest.mark.parametrize("inputs", [A, np.str_(A), Name(A), {"text": A}], ids=["str", "numpy", "subclass", "dict"])
def test_single_inputs(inputs: Any, model: SentenceTransformer, tiny: TinyModel) -> None:
    found = model.encode(inputs)
    assert found.shape == (12,)
    np.testing.assert_allclose(found, tiny.means([A])[0], atol=2e-6)


@pytest.mark.parametrize(
    "inputs",
    [[PAIR, BACK], [list(PAIR), BACK], np.array([PAIR, BACK]), [{"text": PAIR}, BACK]],
    ids=["tuples", "lists", "array", "dict"],
)
def test_pairs(inputs: Any, model: SentenceTransformer, tiny: TinyModel) -> None:
    np.testing.assert_allclose(model.encode(inputs), tiny.means([PAIR, BACK]), atol=2e-6)


def test_texts_and_pairs_together(model: SentenceTransformer, tiny: TinyModel) -> None:
    np.testing.assert_allclose(model.encode([A, PAIR, ""]), tiny.means([A, PAIR, ""]), atol=2e-6)


def test_the_callers_list_is_left_alone(model: SentenceTransformer) -> None:
    inputs: list[Any] = [A, [B, A], {"text": B}]
    model.encode(inputs, prompt="query: ")
    assert inputs == [A, [B, A], {"text": B}]


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "None": (None, TypeError, "inputs is None; expected a str or a list of str"),
    "number": (3, TypeError, r"inputs is int \(3\)"),
    "NaN": (float("nan"), TypeError, r"inputs is float \(nan\)"),
    "bytes": (b"a", TypeError, r"inputs is bytes \(b'a'\)"),
    "set": ({A, B}, TypeError, "inputs is set"),
    "generator": ((text for text in [A]), TypeError, r"inputs is generator.*list\(\)"),
    "path": (Path("a"), TypeError, "inputs is .*Path"),
    "number in list": ([A, 3], TypeError, r"inputs\[1\] is int \(3\)"),
    "None in list": ([None, A], TypeError, r"inputs\[0\] is None"),
    "NaN in list": ([A, B, float("nan")], TypeError, r"inputs\[2\] is float \(nan\); expected a str, or a pair"),
    "bytes in list": ([A, b"x"], TypeError, r"inputs\[1\] is bytes"),
    "dict in list": ([A, {"title": B}], TypeError, r"inputs\[1\] is dict"),
    "deeper lists": ([A, [[B]]], TypeError, r"inputs\[1\] holds list"),
    "number in pair": ([(A, 3)], TypeError, r"inputs\[0\] holds int \(3\)"),
    "triple": ([A, (A, B, A)], ValueError, r"inputs\[1\] is a tuple of 3 texts"),
    "empty pair": ([A, []], ValueError, r"inputs\[1\] is a list of 0 texts"),
    "numbers": (np.array([1.0, np.nan]), TypeError, r"array of shape \(2,\) and dtype float64"),
    "NaN in object array": (np.array([A, np.nan], dtype=object), TypeError, r"inputs\[1\] is float \(nan\)"),
    "array of no axes": (np.array(1.0), TypeError, r"array of shape \(\)"),
    "array of three axes": (np.array([[[A, B]]]), TypeError, r"inputs\[0\] holds list"),
    "dict without text": ({"title": A}, TypeError, "inputs is dict"),
    "data frame": (Series(["title", "text"], ndim=2), TypeError, "inputs is Series"),
    "surrogate": ([A, "\ud800"], ValueError, r"inputs\[1\] holds a lone surrogate; remove it: text.encode"),
    "surrogate in pair": ([A, ("é", "\udfff")], ValueError, r"inputs\[1\] holds a lone surrogate"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("method", ["encode", "encode_query", "count_tokens"])
def test_bad_inputs(case: str, method: str, model: SentenceTransformer) -> None:
    inputs, error, message = BAD[case]
    with pytest.raises(error, match=message) as raised:
        getattr(model, method)(inputs)
    assert isinstance(raised.value, EdgeSTError)


def test_nothing_runs_before_the_check(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SentenceTransformer(tiny_folder, backend="onnx")
    monkeypatch.setattr(Pipeline, "run", lambda *_args, **_kwargs: pytest.fail("ran"))
    for bad in (None, "\ud800"):
        with pytest.raises((TypeError, ValueError), match=r"inputs\[9000\]"):
            model.encode([A] * 9000 + [bad])


@pytest.mark.parametrize(
    ("precision", "width", "dtype"),
    [
        ("float32", 12, "float32"),
        ("int8", 12, "int8"),
        ("uint8", 12, "uint8"),
        ("binary", 2, "int8"),
        ("ubinary", 2, "uint8"),
    ],
)
def test_no_inputs(precision: str, width: int, dtype: str, model: SentenceTransformer) -> None:
    for inputs in ([], (), np.array([], dtype=str)):
        found = model.encode(inputs, precision=precision)
        assert found.shape == (0, width)
        assert found.dtype == dtype


def test_no_inputs_in_other_forms(model: SentenceTransformer) -> None:
    assert model.encode([], truncate_dim=4).shape == (0, 4)
    assert model.encode([], convert_to_numpy=False) == []
    assert model.encode([], output_value="token_embeddings") == []
    assert model.encode([], output_value=None) == []
    assert np.asarray(model.count_tokens([])).shape == (0,)
    assert model.tokenize([]) == {}


def test_empty_and_blank_texts_have_vectors(model: SentenceTransformer, tiny: TinyModel) -> None:
    texts = ["", " ", "\n", "\x00"]
    np.testing.assert_allclose(model.encode(texts), tiny.means(texts), atol=2e-6)
    assert np.isfinite(model.encode("")).all()


def test_sentences_is_the_old_name(model: SentenceTransformer) -> None:
    found = model.encode(sentences=[A])
    np.testing.assert_array_equal(found, model.encode([A]))
