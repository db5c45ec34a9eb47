"""The form of embeddings: dimensions, normalizing, precision."""

import numpy as np
import pytest

from edge_st.protocols.embeddings import Form, formed
from edge_st_runtime.vectors.dense import normalize, quantize

VECTORS = np.random.default_rng(3).standard_normal((20, 37)).astype(np.float32)


def test_int8_does_not_depend_on_other_texts_and_keeps_the_direction() -> None:
    found = formed(VECTORS, Form(precision="int8"))
    assert found.dtype == np.int8
    for vector, codes in zip(VECTORS, found, strict=True):
        np.testing.assert_array_equal(formed(vector[None], Form(precision="int8"))[0], codes)
        assert np.abs(codes).max() == 127
        kept = codes.astype(np.float32) @ vector / (np.linalg.norm(codes.astype(np.float32)) * np.linalg.norm(vector))
        assert kept > 0.9999


def test_int8_of_nothing_and_of_very_little() -> None:
    tiny = np.array([[0, 0], [1e-42, -1e-42]], np.float32)
    np.testing.assert_array_equal(formed(tiny, Form(normalize=False, precision="int8")), [[0, 0], [127, -127]])


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
def test_bits_are_those_of_sentence_transformers(precision: str) -> None:
    found = formed(VECTORS, Form(precision=precision))
    np.testing.assert_array_equal(found, quantize(VECTORS, precision))
    assert found.shape == (20, 5)
    np.testing.assert_array_equal(formed(VECTORS, Form(8, precision=precision)), quantize(VECTORS[:, :8], precision))


def test_dimensions_go_before_normalizing() -> None:
    np.testing.assert_array_equal(formed(VECTORS, Form(5)), normalize(VECTORS[:, :5]))
    cut = formed(VECTORS, Form(5, normalize=False))
    np.testing.assert_array_equal(cut, VECTORS[:, :5])
    assert cut.flags.c_contiguous
