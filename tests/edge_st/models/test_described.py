"""What a model says that it takes, and what runs it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st.models.classes import Model

MESSAGE = {"role": "user", "content": "a"}
SINGULAR: dict[str, tuple[Any, bool]] = {
    "str": ("a", True),
    "list of str": (["a"], False),
    "tuple": (("a", "b"), False),
    "empty": ([], False),
    "dictionary": ({"text": "a"}, True),
    "message": (MESSAGE, True),
    "conversation": ([MESSAGE, MESSAGE], True),
    "tuple of messages": ((MESSAGE,), False),
    "conversations": ([[MESSAGE]], False),
    "array of str": (np.array(["a", "b"]), False),
    "array of objects": (np.array(["a", "b"], dtype=object), False),
    "array () of str": (np.array("a"), True),
    "array of float": (np.zeros(3), True),
    "array of bytes": (np.array([b"a"]), True),
    "bytes": (b"a", True),
    "number": (3, True),
}
SINGULAR_PAIRS: dict[str, tuple[Any, bool]] = {
    "pair": (("a", "b"), True),
    "list of two": (["a", "b"], True),
    "pairs": ([("a", "b")], False),
    "lists": ([["a", "b"]], False),
    "empty": ([], False),
    "array (2,)": (np.array(["a", "b"]), True),
    "array (1, 2)": (np.array([["a", "b"]]), False),
    "empty array": (np.array([], dtype=object), False),
    "array of float": (np.zeros((2, 2)), True),
    "str": ("a", True),
    "dictionaries": ([{"text": "a"}, {"text": "b"}], True),
}


@pytest.mark.parametrize("case", SINGULAR)
def test_singular_inputs(case: str, model: SentenceTransformer) -> None:
    inputs, singular = SINGULAR[case]
    assert model.is_singular_input(inputs) is singular


@pytest.mark.parametrize("case", SINGULAR_PAIRS)
def test_singular_pairs(case: str, cross_encoder: CrossEncoder) -> None:
    inputs, singular = SINGULAR_PAIRS[case]
    assert cross_encoder.is_singular_input(inputs) is singular


def test_an_array_without_axes_is_one_text(model: SentenceTransformer) -> None:
    np.testing.assert_array_equal(model.encode(np.array("the fox")), model.encode("the fox"))


def test_the_engine(model: SentenceTransformer, engine: str, models: dict[str, Model]) -> None:
    assert model.get_backend() == engine
    assert {kind: each.get_backend() for kind, each in models.items()} == {
        "dense": "numpy",
        "sparse": "onnx",
        "cross": "onnx",
        "classifier": "onnx",
        "late": "onnx",
    }


@pytest.mark.parametrize("kind", ["dense", "sparse", "cross"])
def test_texts_are_all_it_takes(kind: str, models: dict[str, Model]) -> None:
    model = models[kind]
    assert model.modalities == ["text"]
    assert model.supports("text")
    assert not model.supports("image")
    assert not model.supports(("image", "text"))
    assert model.get_model_kwargs() == []


@pytest.mark.parametrize(
    "call",
    [lambda model: model.encode("a", unheard=1), lambda model: model.encode_query("a", unheard=1)],
    ids=["encode", "encode_query"],
)
def test_arguments_that_it_does_not_use(call: Callable[[Any], Any], model: SentenceTransformer) -> None:
    expected = (
        r"encode\(\) has been called with additional keyword arguments .*\['unheard'\]\. As per .* does not accept any"
    )
    with pytest.raises(ValueError, match=expected):
        call(model)
