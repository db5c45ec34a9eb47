"""decode, sparsity, intersection and similarity of sparse embeddings, of any of the forms that ``encode`` gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SparseEncoder
from edge_st_runtime.errors import EdgeSTError, InputError, InputTypeError, OptionError
from edge_st_runtime.vectors.sparse import SparseMatrix, SparseVector
from tests.support.tiny_pair_models import TinySparseEncoder
from tests.support.tiny_tokenizers import random_texts, wordpiece

TEXTS = [text for text in random_texts(12) if text]
TINY = TinySparseEncoder()
DENSE = np.array([[0, 2, 0, 5, 1], [0, 0, 0, 0, 0], [3, 0, 0, 4, 0]], dtype=np.float32)
MATRIX = SparseMatrix.from_dense(DENSE)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SparseEncoder:
    return SparseEncoder(TINY.save(tmp_path_factory.mktemp("sparse")), backend="onnx")


def tokens(*ids: int) -> list[str]:
    found = [wordpiece().id_to_token(token) for token in ids]
    return [token for token in found if token is not None]


def test_decode(model: SparseEncoder) -> None:
    (three, one, four), (three_again, zero) = tokens(3, 1, 4), tokens(3, 0)
    expected = [[(three, 5), (one, 2), (four, 1)], [], [(three_again, 4), (zero, 3)]]
    assert model.decode(MATRIX) == model.decode(DENSE) == expected
    assert model.decode(MATRIX[0]) == model.decode(DENSE[0]) == expected[0]
    assert model.decode(MATRIX, top_k=1) == [row[:1] for row in expected]
    assert model.decode(MATRIX[1]) == []
    assert model.decode(MATRIX, top_k=99) == expected
    json.dumps(model.decode(MATRIX))


def test_decode_of_a_text(model: SparseEncoder) -> None:
    weights = TINY.weights(["the quick fox"])[0]
    found: list[Any] = model.decode(model.encode("the quick fox"), top_k=4)
    best = np.argsort(-weights)[:4]
    assert [token for token, _ in found] == tokens(*best.tolist())
    np.testing.assert_allclose([weight for _, weight in found], weights[best], atol=3e-6)
    assert {(type(token), type(weight)) for token, weight in found} == {(str, float)}


@pytest.mark.parametrize("top_k", [0, -1, 2.5, "3"])
def test_decode_without_tokens(top_k: Any, model: SparseEncoder) -> None:
    with pytest.raises(OptionError, match="top_k must be a positive integer"):
        model.decode(MATRIX, top_k=top_k)


@pytest.mark.parametrize("form", [lambda rows: rows, SparseMatrix.to_dense], ids=["sparse", "dense"])
def test_sparsity(form: Any) -> None:
    found = SparseEncoder.sparsity(form(MATRIX))
    assert found == {"active_dims": pytest.approx(5 / 3), "sparsity_ratio": pytest.approx(1 - 5 / 15)}
    assert {type(value) for value in found.values()} == {float}
    assert SparseEncoder.sparsity(form(MATRIX)[0]) == {"active_dims": 3.0, "sparsity_ratio": pytest.approx(0.4)}
    assert SparseEncoder.sparsity(form(MATRIX)[1]) == {"active_dims": 0.0, "sparsity_ratio": 1.0}
    assert SparseEncoder.sparsity(form(MATRIX[:0])) == {"active_dims": 0.0, "sparsity_ratio": 1.0}


@pytest.mark.parametrize("form", [lambda rows: rows, SparseMatrix.to_dense], ids=["sparse", "dense"])
def test_intersection(form: Any) -> None:
    first, others = form(MATRIX)[0], form(MATRIX)
    many = SparseEncoder.intersection(first, others)
    assert isinstance(many, SparseMatrix)
    np.testing.assert_array_equal(many.to_dense(), DENSE[0] * DENSE)
    one = SparseEncoder.intersection(first, others[2])
    assert isinstance(one, SparseVector)
    assert one.to_dict() == {3: 20.0}
    assert SparseEncoder.intersection(first, form(MATRIX[:0])).shape == (0, 5)


def test_intersection_keeps_what_is_positive() -> None:
    found = SparseEncoder.intersection(np.array([1, -1, -2, 0, 3.0]), np.array([2, 2, -3, 4, 0.0]))
    assert found.to_dense().tolist() == [2, 0, 6, 0, 0]


@pytest.mark.parametrize(
    ("first", "second"),
    [(DENSE, DENSE), (DENSE[0], DENSE[:, :4]), (MATRIX, MATRIX[0]), (MATRIX[0], SparseVector([0], [1], 4))],  # type: ignore[list-item]
    ids=["two matrices", "other widths", "matrix first", "other widths, sparse"],
)
def test_intersection_of_other_shapes(first: Any, second: Any) -> None:
    with pytest.raises(InputError, match=r"embeddings of shapes .*; expected \(dim,\), and \(dim,\) or \(n, dim\)"):
        SparseEncoder.intersection(first, second)


@pytest.mark.parametrize("wrong", [None, "fox", [[1.0]], 3.0], ids=repr)
def test_what_is_no_embedding(wrong: Any, model: SparseEncoder) -> None:
    for call in (model.decode, model.sparsity, lambda value: model.intersection(value, DENSE)):
        with pytest.raises(InputTypeError, match="expected what encode gives") as raised:
            call(wrong)
        assert isinstance(raised.value, EdgeSTError)


def test_embeddings_are_left_alone(model: SparseEncoder) -> None:
    before = DENSE.copy()
    model.decode(DENSE)
    model.intersection(DENSE[0], DENSE)
    np.testing.assert_array_equal(DENSE, before)


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("dot", lambda a, b: a @ b.T),
        ("cosine", lambda a, b: (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)),
        ("euclidean", lambda a, b: -np.linalg.norm(a[:, None] - b, axis=2)),
        ("manhattan", lambda a, b: -np.abs(a[:, None] - b).sum(axis=2)),
    ],
)
def test_similarity(name: str, pairs: Any, model: SparseEncoder) -> None:
    assert model.similarity_fn_name == "dot"
    sparse, dense = model.encode(TEXTS), TINY.weights(TEXTS).astype(np.float64)
    try:
        model.similarity_fn_name = name
        for first in (sparse[:4], sparse.to_dense()[:4]):
            np.testing.assert_allclose(model.similarity(first, sparse), pairs(dense[:4], dense), rtol=1e-4, atol=1e-4)
        expected = np.diag(pairs(dense, dense[::-1]))
        backwards = sparse[np.arange(len(TEXTS))[::-1]]
        np.testing.assert_allclose(model.similarity_pairwise(sparse, backwards), expected, rtol=1e-4, atol=1e-4)
    finally:
        model.similarity_fn_name = "dot"
    assert model.similarity(sparse[0], sparse).shape == (1, len(TEXTS))


def test_unknown_similarity(model: SparseEncoder, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="unheard"):
        model.similarity_fn_name = "unheard"
    with pytest.raises(OptionError, match="unheard"):
        SparseEncoder(TINY.save(tmp_path), backend="onnx", similarity_fn_name="unheard")


def test_embeddings_of_three_axes(model: SparseEncoder) -> None:
    for call in (model.decode, model.sparsity):
        with pytest.raises(InputError, match=r"^Input tensor must be 1D or 2D, got 3D"):
            call(np.zeros((2, 3, 4), dtype=np.float32))


def test_the_chunks_of_splade_pooling(model: SparseEncoder) -> None:
    before = model.encode(["the fox"]).to_dense()
    assert model.splade_pooling_chunk_size is None
    model.splade_pooling_chunk_size = 13
    assert model.splade_pooling_chunk_size == 13
    np.testing.assert_array_equal(model.encode(["the fox"]).to_dense(), before)
    with pytest.raises(OptionError, match="splade_pooling_chunk_size must be a positive integer, got 0"):
        model.splade_pooling_chunk_size = 0
    model.splade_pooling_chunk_size = None
    assert model.splade_pooling_chunk_size is None
