"""The precisions of an index: decoded vectors, and scores by codes."""

from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.blocks import ROWS, Blocks
from edge_st_runtime.search.codes import PRECISIONS, EncodedVectors, Precision, _widened
from edge_st_runtime.search.integer_product import LIMIT
from edge_st_runtime.vectors.similarity import dot_score, euclidean_sim

generator = np.random.default_rng(6)
DIMS = [1, 2, 63, 64, 65, 384, 1100]
each_precision = pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)


def some(rows: int, dim: int) -> Any:
    """Vectors of very different lengths, some of them zero."""
    vectors = generator.standard_normal((rows, dim)) * np.exp(generator.normal(0, 1.5, (rows, 1)))
    vectors[::10] = 0
    return vectors.astype(np.float32)


def kept(precision: Precision, vectors: Any) -> EncodedVectors:
    """``vectors`` as an index stores them: in blocks, transposed where the precision says so."""
    columns = precision.encode(vectors)
    codes = columns.pop("vectors")
    starts = range(0, len(codes), ROWS)
    parts = [codes[at : at + ROWS].T if precision.transposed else codes[at : at + ROWS] for at in starts]
    flat = np.concatenate([part.ravel() for part in parts])
    blocks = Blocks(flat, len(vectors), precision.width(vectors.shape[1]), transposed=precision.transposed)
    return EncodedVectors(precision, vectors.shape[1], blocks, columns)


def error(precision: Precision, vectors: Any) -> Any:
    """The largest error (n, 1) of ``precision`` in a number of each vector."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return {
        "float32": 0 * largest,
        "float16": np.maximum(np.abs(vectors) * 2.0**-11, 2.0**-25),
        "int8": largest / 127 / 2 * (1 + 1e-5),
    }[precision.name]


@each_precision
@pytest.mark.parametrize("dim", DIMS)
def test_what_comes_back(dim: int, precision: Precision) -> None:
    vectors = some(40, dim)
    found = precision.decode(precision.encode(vectors), dim)
    assert (found.dtype, found.shape) == (np.float32, vectors.shape)
    if precision.name == "binary":
        np.testing.assert_allclose(found, np.where(vectors > 0, 1, -1) / np.sqrt(dim), rtol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    else:
        assert (np.abs(found - vectors) <= error(precision, vectors)).all()
        assert not found[::10].any()


@each_precision
@pytest.mark.parametrize("dim", DIMS)
def test_columns(dim: int, precision: Precision) -> None:
    columns = precision.encode(some(5, dim))
    assert columns.pop("vectors").shape == (5, precision.width(dim))
    assert [(name, column.dtype, column.shape) for name, column in columns.items()] == [
        (name, np.dtype(dtype), (5,)) for name, dtype in precision.extra
    ]


@each_precision
@pytest.mark.parametrize("dim", [1, 65, 384])
def test_a_row_depends_on_its_vector_alone(dim: int, precision: Precision) -> None:
    vectors = some(30, dim)
    together = precision.encode(vectors)
    for row in range(30):
        for name, column in precision.encode(vectors[row : row + 1]).items():
            np.testing.assert_array_equal(column[0], together[name][row])


@each_precision
@pytest.mark.parametrize("dim", DIMS)
def test_scores_are_those_of_the_codes(dim: int, precision: Precision) -> None:
    vectors, queries = some(2500, dim), some(5, dim)
    scores = precision.scorer(queries, kept(precision, vectors), dot_score)(0)
    assert (scores.dtype, scores.shape) == (np.float32, (5, 2500))
    decoded = precision.decode(precision.encode(vectors), dim).astype(np.float64)
    if precision.name == "binary":
        bits, asked = vectors > 0, queries > 0
        np.testing.assert_array_equal(scores, (asked[:, None] == bits[None]).sum(axis=2) + -dim % 64)
        return
    if precision.name == "int8":
        steps = np.abs(queries).max(axis=1, keepdims=True) / np.float32(LIMIT)
        queries = np.rint(np.divide(queries, steps, where=steps > 0, out=np.zeros_like(queries)))
    expected = queries.astype(np.float64) @ decoded.T
    allowed = 1e-6 * np.abs(queries).astype(np.float64) @ np.abs(decoded).T + 1e-30
    assert (np.abs(scores - expected) <= allowed).all()


@pytest.mark.parametrize("name", ["float32", "float16"])
def test_scores_of_another_similarity(name: str) -> None:
    precision, vectors, queries = PRECISIONS[name], some(2000, 20) / 1000, some(3, 20)
    scores = precision.scorer(queries, kept(precision, vectors), euclidean_sim)(0)
    rounded = precision.decode(precision.encode(vectors), 20)
    np.testing.assert_allclose(scores, euclidean_sim(queries, rounded), rtol=1e-6)


@each_precision
def test_blocks_are_scored_by_themselves(precision: Precision) -> None:
    vectors, queries = some(ROWS + 3, 8), some(2, 8)
    whole, last = kept(precision, vectors), kept(precision, vectors[ROWS:])
    rows = np.array([0, ROWS - 1, ROWS, ROWS + 2])
    np.testing.assert_array_equal(whole.vectors(rows), precision.decode(precision.encode(vectors[rows]), 8))
    np.testing.assert_allclose(
        precision.scorer(queries, whole, dot_score)(ROWS), precision.scorer(queries, last, dot_score)(0), rtol=1e-5
    )


def test_every_half_is_widened_exactly() -> None:
    halves = np.arange(65_536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].reshape(-1, 64)
    found = _widened(halves, np.empty((1024, 64), dtype=np.float32))
    assert len(halves) == 63_488 // 64
    np.testing.assert_array_equal(found.view(np.uint32), halves.astype(np.float32).view(np.uint32))


def test_numbers_beyond_float16() -> None:
    vectors = np.array([[65_504.0, 0], [65_536.0, 1]], dtype=np.float32)
    with pytest.raises(OptionError, match=r"too large for float16; use precision='float32'"):
        PRECISIONS["float16"].encode(vectors)
    assert PRECISIONS["float16"].decode(PRECISIONS["float16"].encode(vectors[:1]), 2).tolist() == [[65_504.0, 0]]


@pytest.mark.parametrize("size", [1e-45, 1e-43, 1e-38, 1e-30, 1e30, 3e38])
def test_int8_of_very_small_and_large_numbers(size: float) -> None:
    vectors = np.array([[1, -1, 0.5, -0.25, 0]], dtype=np.float32) * np.float32(size)
    found = PRECISIONS["int8"].decode(PRECISIONS["int8"].encode(vectors), 5)
    assert (np.abs(found - vectors) <= max(size / 127, 2e-36)).all()
    assert (np.sign(found) * np.sign(vectors) >= 0).all()
