"""normalize and quantize, against values computed by hand."""

import logging
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from edge_st_runtime.vectors.dense import (
    as_matrix,
    as_numbers,
    check_finite,
    check_precision,
    dequantize,
    normalize,
    quantize,
    quantize_matrices,
    value_ranges,
)

RANGES = np.array([[0, -1, 5], [255, 1, 5]], dtype=np.float32)


def floats(*rows: list[float]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(rows, dtype=np.float32)


def test_normalize() -> None:
    found = normalize(floats([3, 4], [0, 0], [-1e-3, 0], [1e-20, 0]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [-1, 0], [1e-8, 0]], rtol=1e-6)


def test_normalize_one_vector_and_token_vectors() -> None:
    np.testing.assert_allclose(normalize(np.array([3, 4], dtype=np.float32)), [0.6, 0.8], rtol=1e-6)
    tokens = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(normalize(tokens), tokens / np.linalg.norm(tokens, axis=-1, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize(("precision", "shift"), [("uint8", 0), ("int8", 128)])
def test_quantize_by_ranges(precision: str, shift: int) -> None:
    vectors = floats([0, -1, 5], [254.9, 0.99, 5.9], [1.5, 0, 4], [300, -7, 8])
    found = quantize(vectors, precision, RANGES)
    assert found.dtype == precision
    expected = [[0, 0, 0], [254, 253, 0], [1, 127, 0], [255, 0, 3]]
    np.testing.assert_array_equal(found.astype(int) + shift, expected)


def test_quantize_by_calibration_and_by_the_vectors_themselves() -> None:
    vectors = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    expected = np.clip(np.floor((vectors - low) / ((high - low) / 255)), 0, 255)
    np.testing.assert_array_equal(quantize(vectors, "uint8"), expected)
    np.testing.assert_array_equal(quantize(vectors[:5], "uint8", calibration=vectors), expected[:5])
    np.testing.assert_array_equal(quantize(vectors[:5], "int8", calibration=vectors), expected[:5] - 128)


def test_ranges_from_few_vectors_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = quantize(floats([1, 2, 3], [1, 2, 3]), "int8")
        np.testing.assert_array_equal(found, [[-128, -128, -128]] * 2)
        assert "int8 ranges are computed from 2 embeddings" in caplog.text
        quantize(floats(*[[1.0, 2, 3]] * 99), "uint8")
        assert "uint8 ranges are computed from 99 embeddings" in caplog.text
        caplog.clear()
        quantize(floats(*[[1.0, 2, 3]] * 100), "uint8")
        quantize(floats([1, 2, 3]), "int8", RANGES)
        quantize(floats([1, 2, 3]), "int8", calibration=RANGES)
    assert caplog.text == ""


def test_matrices_share_their_ranges() -> None:
    first, second, none = floats([0, 255], [51, 0]), floats([255, 0]), np.empty((0, 2), dtype=np.float32)
    found = quantize_matrices([first, none, second], "uint8")
    assert [matrix.tolist() for matrix in found] == [[[0, 255], [51, 0]], [], [[255, 0]]]
    assert [matrix.shape for matrix in found] == [(2, 2), (0, 2), (1, 2)]
    assert quantize_matrices([none], "int8")[0].shape == (0, 2)
    by_ranges = quantize_matrices([first], "uint8", RANGES[:, :2])
    np.testing.assert_array_equal(by_ranges[0], quantize(first, "uint8", RANGES[:, :2]))
    assert [matrix.tolist() for matrix in quantize_matrices([first, second], "ubinary")] == [[[64], [128]], [[128]]]
    with pytest.raises(InputError, match=r"shapes \(1, 2\), \(1, 3\); expected \(tokens, dim\) of one width"):
        quantize_matrices([second, floats([1, 2, 3])], "int8")


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_a_vector_alone_has_no_ranges(precision: str) -> None:
    for alone in (np.array([-1.0, 0.0, 1.0]), floats([-1, 0, 1])):
        with pytest.raises(InputError, match=f"Cannot compute {precision} quantization ranges from a single embedding"):
            quantize(alone, precision)
    with pytest.raises(InputError, match="from a single embedding"):
        quantize_matrices([floats([-1, 0, 1])], precision)
    for ranges in (RANGES, RANGES.astype(np.float64)):
        np.testing.assert_array_equal(quantize(np.array([254.9, 0.99, 5.9]), "uint8", ranges), [254, 253, 0])


def test_values_that_are_no_ordinary_numbers() -> None:
    odd = floats([np.nan, 0.0, -0.0, np.inf, -np.inf, 1e-45])
    np.testing.assert_array_equal(quantize(odd[:, 1:], "ubinary"), [[0b00101000]])
    ranges = np.array([[-1] * 6, [1] * 6], dtype=np.float32)
    np.testing.assert_array_equal(quantize(odd[:, 3:5], "uint8", ranges[:, 3:5]), [[255, 0]])
    for precision in ("int8", "uint8", "binary", "ubinary"):
        with pytest.raises(InputError, match=f"hold NaN, which {precision} cannot represent"):
            quantize(odd, precision, None if "binary" in precision else ranges)
    with pytest.raises(InputError, match=r"ranges\[0\] holds NaN or an infinity"):
        quantize(np.repeat(odd[:, 3:5], 2, axis=0), "int8")


def test_the_reading_of_numbers() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.ones((2, 3))

    assert as_numbers(Tensor()).shape == (2, 3)  # type: ignore[arg-type]
    assert as_numbers(np.ones(2, dtype=np.float16)).dtype == np.float32
    assert as_matrix([1, 2]).tolist() == [[1.0, 2.0]]
    assert [as_matrix(np.ones(2, dtype=kind)).dtype for kind in ("i8", "f8", "?")] == [np.float32, np.float64, "f4"]
    with pytest.raises(InputError, match=r"cannot be read as an array \(row 0 has .*, row 1 .*\); expected numbers"):
        as_numbers([[1.0], [1.0, 2.0]])
    with pytest.raises(InputTypeError, match=r"corpus holds <U3; expected numbers"):
        as_numbers(["one"], "corpus")
    with pytest.raises(InputError, match=r"embeddings of shape \(1, 1, 1\); expected \(n, dim\)"):
        as_matrix([[[1.0]]])
    with pytest.raises(InputError, match=r"queries\[1\] holds NaN"):
        check_finite(floats([1, 2], [3, np.nan]), "queries")


def test_binary_packs_the_first_dimension_highest_and_pads_with_zeros() -> None:
    vectors = floats([1, -1, 0, 2, 0.1, -3, 4, 0, 5, -1], [-1] * 10)
    expected = [[0b10011010, 0b10000000], [0, 0]]
    found = quantize(vectors, "ubinary")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
    signed = quantize(vectors, "binary")
    assert signed.dtype == np.int8
    np.testing.assert_array_equal(signed.astype(int) + 128, expected)
    np.testing.assert_array_equal(quantize(vectors[0], "ubinary"), expected[0])


@pytest.mark.parametrize(
    ("precision", "width"), [("float32", 10), ("int8", 10), ("uint8", 10), ("binary", 2), ("ubinary", 2)]
)
def test_no_vectors(precision: str, width: int) -> None:
    found = quantize(np.empty((0, 10), dtype=np.float32), precision)
    assert found.shape == (0, width)
    assert found.dtype == {"binary": "int8", "ubinary": "uint8"}.get(precision, precision)


@pytest.mark.parametrize("precision", ["int8", "uint8"])
@pytest.mark.parametrize("width", [1, 5, 16])
def test_a_code_stands_for_a_value_within_half_a_step(precision: str, width: int) -> None:
    vectors = normalize(np.random.default_rng(width).standard_normal((200, 16)).astype(np.float32))[:, :width]
    ranges = value_ranges(vectors)
    np.testing.assert_array_equal(ranges, [vectors.min(axis=0), vectors.max(axis=0)])
    found = dequantize(quantize(vectors, precision, ranges), precision, ranges)
    assert (found.dtype, found.shape) == (np.float32, vectors.shape)
    half = (ranges[1] - ranges[0]) / 255 / 2
    assert (np.abs(found - vectors) <= half * 1.001 + 1e-6).all()


def test_codes_of_both_precisions_stand_for_the_same() -> None:
    np.testing.assert_array_equal(dequantize(np.array([[0, 127, 255]], dtype=np.uint8), "uint8", RANGES),
                                  dequantize(np.array([[-128, -1, 127]], dtype=np.int8), "int8", RANGES))  # fmt: skip
    found = dequantize(np.array([[0, 0, 0]], dtype=np.uint8), "uint8", RANGES)
    np.testing.assert_allclose(found, [[0.5, -1 + 1 / 255, 5.5]])


@pytest.mark.parametrize("width", [1, 7, 8, 10, 64])
@pytest.mark.parametrize("precision", ["binary", "ubinary"])
def test_a_bit_stands_for_a_sign(precision: str, width: int) -> None:
    vectors = np.random.default_rng(width).standard_normal((20, width)).astype(np.float32)
    vectors[0] = 0
    found = dequantize(quantize(vectors, precision), precision, value_ranges(vectors))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.where(vectors > 0, 1, -1))


def test_float32() -> None:
    np.testing.assert_array_equal(quantize(np.array([[0.5, 1]]), "float32"), floats([0.5, 1]))


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match=r"embeddings are already int8"):
        quantize(np.zeros((1, 3), dtype=np.int8), "uint8")
    with pytest.raises(InputError, match=r"shape \(1, 1, 3\); int8 takes \(n, dim\) or \(dim,\)"):
        quantize(np.zeros((1, 1, 3), dtype=np.float32), "int8")
    for ranges, message in (
        (RANGES[:, :2], r"ranges of shape \(2, 2\) for embeddings of 3 dimensions; expected \(2, 3\)"),
        (RANGES[0], r"ranges of shape \(3,\) for embeddings of 3 dimensions"),
        (RANGES[::-1], r"ranges\[0\] is above ranges\[1\] in dimension 0"),
        (RANGES * np.float32("nan"), r"ranges\[0\] holds NaN"),
    ):
        with pytest.raises(InputError, match=message):
            quantize(floats([1, 2, 3]), "int8", ranges)
    for rows in (RANGES[:, :2], RANGES[:0], RANGES[0]):
        with pytest.raises(InputError, match=r"calibration_embeddings of shape .*; expected \(n, 3\)"):
            quantize(floats([1, 2, 3]), "int8", calibration=rows)
    with pytest.raises(InputError, match=r"are a number, 0\.0; binary takes \(…, dim\)"):
        quantize(np.float32(0), "binary")  # type: ignore[arg-type]
    for call in (lambda: quantize(floats([1]), "int4"), lambda: check_precision("int4")):
        with pytest.raises(OptionError, match=r"'int4' is not supported, must be one of \['float32', 'int8'"):
            call()
    check_precision(None)
