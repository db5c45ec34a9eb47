"""MaxSim, against a loop in float64; its inputs, its memory, its refusals."""

import logging
import tracemalloc
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from edge_st_runtime.vectors import maxsim as module
from edge_st_runtime.vectors.maxsim import maxsim, maxsim_pairwise, mean_maxsim, mean_maxsim_pairwise

LENGTHS = ((3, 1, 7, 2), (5, 1, 9, 4, 2, 6))


def ragged(lengths: tuple[int, ...], dim: int = 4, seed: int = 0) -> list[Floats]:
    random = np.random.default_rng(seed)
    return [random.standard_normal((length, dim)).astype(np.float32) for length in lengths]


def padded(items: list[Floats]) -> Floats:
    found = np.zeros((len(items), max(map(len, items)), items[0].shape[1]), dtype=np.float32)
    for row, item in zip(found, items, strict=True):
        row[: len(item)] = item
    return found


def by_loop(queries: list[Floats], documents: list[Floats]) -> Any:
    """MaxSim token by token, in float64: (n, m)."""
    return np.array(
        [
            [sum(max(float(np.dot(q.astype(float), d)) for d in document) for q in query) for document in documents]
            for query in queries
        ]
    )


QUERIES, DOCUMENTS = ragged(LENGTHS[0]), ragged(LENGTHS[1], seed=1)
WANTED = by_loop(QUERIES, DOCUMENTS)
COUNTS = np.array(LENGTHS[0])


@pytest.mark.parametrize("chunk_elements", [None, 1, 9, 40, 10_000])
@pytest.mark.parametrize("first", [QUERIES, padded(QUERIES), tuple(QUERIES)], ids=["list", "padded", "tuple"])
@pytest.mark.parametrize("second", [DOCUMENTS, padded(DOCUMENTS)], ids=["list", "padded"])
def test_every_pair(first: Any, second: Any, chunk_elements: int | None) -> None:
    found = maxsim(first, second, chunk_elements=chunk_elements)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, WANTED, rtol=1e-5)
    np.testing.assert_allclose(
        mean_maxsim(first, second, chunk_elements=chunk_elements), WANTED / COUNTS[:, None], rtol=1e-5
    )


@pytest.mark.parametrize("first", [QUERIES, padded(QUERIES)], ids=["list", "padded"])
def test_row_by_row(first: Any) -> None:
    found = maxsim_pairwise(first, DOCUMENTS[:4])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.diag(WANTED), rtol=1e-5)
    np.testing.assert_allclose(mean_maxsim_pairwise(first, DOCUMENTS[:4]), np.diag(WANTED) / COUNTS, rtol=1e-5)


def test_the_mean_is_an_option_of_each() -> None:
    mean, plain = mean_maxsim(QUERIES, DOCUMENTS), maxsim(QUERIES, DOCUMENTS)
    assert np.array_equal(maxsim(QUERIES, DOCUMENTS, length_normalize=True), mean)
    assert np.array_equal(mean_maxsim(QUERIES, DOCUMENTS, length_normalize=False), plain)
    pairs = DOCUMENTS[:4]
    assert np.array_equal(maxsim_pairwise(QUERIES, pairs, length_normalize=True), mean_maxsim_pairwise(QUERIES, pairs))


def test_one_array_is_a_list_of_one() -> None:
    np.testing.assert_allclose(maxsim(QUERIES[0], DOCUMENTS), WANTED[:1], rtol=1e-5)
    np.testing.assert_allclose(maxsim(QUERIES, DOCUMENTS[2]), WANTED[:, 2:3], rtol=1e-5)
    np.testing.assert_allclose(maxsim_pairwise(QUERIES[1], DOCUMENTS[1]), WANTED[1:2, 1], rtol=1e-5)


def test_masks_leave_tokens_out() -> None:
    marked = np.ones((4, 7), dtype=bool)
    marked[:, 1] = False
    kept = [np.delete(query, 1, axis=0) if len(query) > 1 else query for query in QUERIES]
    found = mean_maxsim(QUERIES, DOCUMENTS, a_mask=marked)
    np.testing.assert_allclose(found, by_loop(kept, DOCUMENTS) / np.array([[2], [1], [6], [1]]), rtol=1e-5)
    one_each = [np.arange(len(document)) == 0 for document in DOCUMENTS]
    found = maxsim(QUERIES, DOCUMENTS, b_mask=one_each)
    np.testing.assert_allclose(found, by_loop(QUERIES, [document[:1] for document in DOCUMENTS]), rtol=1e-5)


def test_a_mask_of_numbers_weighs_the_tokens_of_queries() -> None:
    weights = np.array([0.5, 2.0, 0.0], dtype=np.float32)
    wanted = np.sum(
        [weight * by_loop([QUERIES[0][at : at + 1]], DOCUMENTS) for at, weight in enumerate(weights)], axis=0
    )
    np.testing.assert_allclose(maxsim(QUERIES[0], DOCUMENTS, a_mask=weights), wanted, rtol=1e-5)
    np.testing.assert_allclose(mean_maxsim(QUERIES[:1], DOCUMENTS, a_mask=[weights]), wanted / 2, rtol=1e-5)
    np.testing.assert_allclose(maxsim_pairwise(QUERIES[0], DOCUMENTS[0], a_mask=weights), wanted[:, 0], rtol=1e-5)


def test_one_mask_is_that_of_all() -> None:
    first = padded([QUERIES[0], QUERIES[0][::-1]])
    np.testing.assert_allclose(
        maxsim(first, DOCUMENTS, a_mask=[True, True, False]),
        by_loop([QUERIES[0][:2], QUERIES[0][::-1][:2]], DOCUMENTS),
        rtol=1e-5,
    )


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.float16, np.float64])
def test_other_numbers(dtype: Any) -> None:
    first, second = ([np.round(item * 9).clip(0, 99).astype(dtype) for item in side] for side in (QUERIES, DOCUMENTS))
    found = maxsim(first, second)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_loop(*([i.astype(np.float32) for i in side] for side in (first, second))))
    np.testing.assert_allclose(maxsim(padded(QUERIES).astype(np.float64), DOCUMENTS), WANTED, rtol=1e-5)


def test_lists_of_numbers() -> None:
    assert maxsim([[[1.0, 0.0], [0.0, 2.0]]], [[[3.0, 4.0]], [[0, -1]]]).tolist() == [[11.0, -2.0]]


def test_without_items() -> None:
    assert maxsim([], DOCUMENTS).shape == (0, 6)
    assert maxsim(QUERIES, []).shape == (4, 0)
    assert mean_maxsim_pairwise([], []).shape == (0,)
    assert maxsim(np.zeros((0, 3, 4)), DOCUMENTS).shape == (0, 6)


def test_a_query_without_tokens_scores_nothing() -> None:
    queries = [np.zeros((0, 4), dtype=np.float32), QUERIES[0]]
    for scores in (maxsim(queries, DOCUMENTS), mean_maxsim(queries, DOCUMENTS)):
        assert not scores[0].any()
        assert scores[1].all()
    assert maxsim_pairwise(queries[:1], DOCUMENTS[:1]).tolist() == [0.0]


@pytest.mark.parametrize(
    "empty",
    [
        [DOCUMENTS[0], np.zeros((0, 4), dtype=np.float32)],
        np.stack([DOCUMENTS[0], np.zeros((5, 4), dtype=np.float32)]),
        [DOCUMENTS[0], []],
    ],
    ids=["list", "rows of zeros", "empty list"],
)
def test_a_document_without_tokens_is_below_all(empty: Any, caplog: pytest.LogCaptureFixture) -> None:
    module._warn_of_empty_documents.cache_clear()
    with caplog.at_level(logging.WARNING, logger="edge_st_runtime"):
        scores = maxsim(QUERIES, empty)
        pairs = mean_maxsim_pairwise(QUERIES[:2], empty)
    assert (scores[:, 1] == np.float32(-1e9)).all()
    np.testing.assert_allclose(scores[:, 0], WANTED[:, 0], rtol=1e-5)
    assert pairs[1] == np.float32(-1e9)
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "There are documents without a token that can be scored"
    ]


def test_a_masked_document_is_an_empty_one() -> None:
    marked = [np.zeros(5), *(np.ones(len(document)) for document in DOCUMENTS[1:])]
    scores = mean_maxsim(QUERIES, DOCUMENTS, b_mask=marked)
    np.testing.assert_allclose(scores[:, 0], -1e9 / COUNTS, rtol=1e-6)
    np.testing.assert_allclose(scores[:, 1:], WANTED[:, 1:] / COUNTS[:, None], rtol=1e-5)


def test_rows_of_zeros_count_in_lists_but_not_in_padded_arrays() -> None:
    query = np.array([[1.0, 0.0], [0.0, 0.0]], dtype=np.float32)
    document = [np.array([[2.0, 0.0]], dtype=np.float32)]
    assert mean_maxsim([query], document).tolist() == [[1.0]]
    assert mean_maxsim(query[None], document).tolist() == [[2.0]]
    below = -document[0]
    assert maxsim([query[:1]], [np.concatenate([below, 0 * below])]).tolist() == [[0.0]]
    assert maxsim([query[:1]], np.stack([np.concatenate([below, 0 * below])])).tolist() == [[-2.0]]


def test_memory_is_bounded() -> None:
    documents = ragged((40,) * 3000, dim=16)
    queries = ragged((30,) * 40, dim=16)
    maxsim(queries[:1], documents[:1])
    tracemalloc.start()
    maxsim(queries, documents, chunk_elements=200_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_500_000  # the products would take 576 MB, the documents side by side 7.7 MB


@pytest.mark.parametrize("function", [maxsim, maxsim_pairwise, mean_maxsim, mean_maxsim_pairwise])
@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((QUERIES, ragged((2, 2, 2, 2), dim=5)), InputError, "4 and 5 dimensions"),
        ((QUERIES[:2], [DOCUMENTS[0], ragged((2,), dim=5)[0]]), InputError, "4 and 5 dimensions"),
        ((QUERIES[0][0], DOCUMENTS[:1]), InputError, r"a has the shape \(4,\)"),
        ((QUERIES[:1], [DOCUMENTS[0][0]]), InputError, r"b\[0\] has 1 axes"),
        ((["a text"], DOCUMENTS[:1]), InputTypeError, r"a\[0\]"),
        (("a text", DOCUMENTS[:1]), InputTypeError, "a is"),
        ((QUERIES[:1], DOCUMENTS[:1], np.ones((1, 2))), InputError, "`a_mask` covers 2 tokens, .* have 3"),
        ((QUERIES[:1], DOCUMENTS[:1], np.ones((2, 3))), InputError, "`a_mask` has 2 masks for 1 items"),
        ((QUERIES[:1], DOCUMENTS[:1], None, np.ones((1, 5, 1))), InputError, r"`b_mask` has a mask of the shape"),
        ((QUERIES[:1], DOCUMENTS[:1], None, "mask"), InputTypeError, "b_mask"),
        ((QUERIES[:1], DOCUMENTS[:1], None, None, 0), OptionError, "chunk_elements"),
        ((QUERIES[:1], DOCUMENTS[:1], None, None, None, False, "cuda"), OptionError, "device is 'cuda'"),
    ],
)
def test_refusals(function: Any, arguments: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        function(*arguments)


@pytest.mark.parametrize("function", [maxsim_pairwise, mean_maxsim_pairwise])
def test_pairs_of_different_numbers(function: Any) -> None:
    with pytest.raises(InputError, match="`a` and `b` must hold the same number of items to score as pairs, got 4 and"):
        function(QUERIES, DOCUMENTS)
