"""edge_st.util gives what sentence-transformers' util gives."""

import inspect
import logging
from typing import Any

import numpy as np
import pytest
import sentence_transformers as st
import torch
from numpy.typing import NDArray
from sentence_transformers import quantization as st_quantization
from sentence_transformers import util as st_util

from edge_st import util
from edge_st_runtime.errors import InputError, OptionError

random = np.random.default_rng(21)
A, B = (random.standard_normal((rows, 10)).astype(np.float32) for rows in (7, 5))
A[2] = 0
EVERY_PAIR = ["cos_sim", "pytorch_cos_sim", "dot_score", "euclidean_sim", "manhattan_sim"]
ROW_BY_ROW = ["pairwise_cos_sim", "pairwise_dot_score", "pairwise_euclidean_sim", "pairwise_manhattan_sim"]
FORMS = {
    "float32": lambda x: x,
    "float64": lambda x: x.astype(np.float64),
    "tensor": torch.from_numpy,
    "list of arrays": list,
    "list of lists": lambda x: x.tolist(),
    "one vector": lambda x: x[1],
    "no rows": lambda x: x[:0],
}
forms = pytest.mark.parametrize("form", FORMS)
PRECISIONS = ["float32", "int8", "uint8", "binary", "ubinary"]


def same(found: Any, wanted: Any) -> None:
    """The same values, shape and, of floats, precision."""
    wanted = wanted.numpy() if isinstance(wanted, torch.Tensor) else wanted
    assert (np.shape(found), found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in util.__all__ if hasattr(st_util, name) and name != "SimilarityFunction"),
        *("semantic_search_faiss", "semantic_search_usearch"),
    ],
)
def test_the_arguments_are_sentence_transformers(name: str) -> None:
    theirs = getattr(st_util, name, None) or getattr(st_quantization, name)
    wanted = {parameter.name: parameter.default for parameter in inspect.signature(theirs).parameters.values()}
    found = {p.name: p.default for p in inspect.signature(getattr(util, name)).parameters.values()}
    if name == "information_retrieval":
        wanted = {p.name: p.default for p in inspect.signature(st_util.semantic_search).parameters.values()}
    if "score_function" in wanted:
        assert found.pop("score_function") is util.cos_sim
        del wanted["score_function"]
    ours = {"mask": None, "score_threshold": None} if "corpus_chunk_size" in wanted and "top_k" in wanted else {}
    assert found in ({**wanted, **ours}, wanted)


@forms
@pytest.mark.parametrize("name", EVERY_PAIR)
def test_every_pair(name: str, form: str) -> None:
    a, b = FORMS[form](A), FORMS[form](B)
    same(getattr(util, name)(a, b), getattr(st_util, name)(a, b))
    if form in ("float32", "tensor"):
        same(getattr(util, name)(a, FORMS[form](B[:0])), getattr(st_util, name)(a, FORMS[form](B[:0])))


@forms
@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_row_by_row(name: str, form: str) -> None:
    a, b = FORMS[form](A[:5]), FORMS[form](B)
    found = getattr(util, name)(a, b)
    if (name, form) == ("pairwise_cos_sim", "one vector"):  # an IndexError there
        assert float(found) == pytest.approx(float(st_util.cos_sim(a, b)[0, 0]), abs=1e-6)
    else:
        same(found, getattr(st_util, name)(a, b))


@pytest.mark.parametrize("width", [10, 9, 1])
def test_angles(width: int) -> None:
    a, b = (torch.from_numpy(np.ascontiguousarray(rows[:, :width])) for rows in (A[3:], B[:4]))
    same(util.pairwise_angle_sim(a, b), st_util.pairwise_angle_sim(a, b))
    assert util.pairwise_angle_sim(A[2:3], B[:1]).tolist() == [0.0]  # NaN there


@pytest.mark.parametrize("name", ["dot_score", "pairwise_dot_score", "pairwise_manhattan_sim"])
def test_whole_numbers(name: str) -> None:
    a, b = (A[:5] * 5).astype(np.int64), (B * 5).astype(np.int64)
    np.testing.assert_array_equal(getattr(util, name)(a, b), getattr(st_util, name)(a, b).numpy())
    with pytest.raises(RuntimeError):
        st_util.cos_sim(a, b)
    np.testing.assert_allclose(
        util.cos_sim(a, b), st_util.cos_sim(a.astype(np.float32), b.astype(np.float32)), atol=1e-6
    )


def test_similarity_function() -> None:
    ours, theirs = util.SimilarityFunction, st.SimilarityFunction
    assert {name: ours[name].value for name in ours.__members__} == {
        name: theirs[name].value for name in theirs.__members__
    }
    for name in ours.possible_values():
        for function in ("to_similarity_fn", "to_similarity_pairwise_fn"):
            assert getattr(ours, function)(name).__name__ == getattr(theirs, function)(name).__name__
            assert getattr(ours, function)(ours(name)) is getattr(ours, function)(name)
    for function in (ours, ours.to_similarity_fn, theirs.to_similarity_fn, ours.to_similarity_pairwise_fn):
        with pytest.raises(ValueError, match="hamming"):
            function("hamming")


def test_normalize_and_truncate() -> None:
    same(util.normalize_embeddings(A), st_util.normalize_embeddings(torch.from_numpy(A)))
    same(util.normalize_embeddings(torch.from_numpy(A[:0])), st_util.normalize_embeddings(torch.from_numpy(A[:0])))
    for dim in (None, 0, 3, 99, -1):
        for rows in (A, A[0], A[:0]):
            same(util.truncate_embeddings(rows, dim), st_util.truncate_embeddings(rows, dim))
        same(util.truncate_embeddings(torch.from_numpy(A), dim).numpy(), st_util.truncate_embeddings(A, dim))
    for k in (1, 3, 99):
        same(util.select_max_active_dims(A, k), st_util.select_max_active_dims(A, k))
    same(util.select_max_active_dims(A, None), st_util.select_max_active_dims(A, None))


def exactly(found: Any, wanted: NDArray[Any]) -> None:
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("width", [1, 8, 10, 64])
@pytest.mark.parametrize("count", [2, 99, 100])
def test_quantize(precision: str, width: int, count: int, caplog: pytest.LogCaptureFixture) -> None:
    vectors = random.standard_normal((count, width)).astype(np.float32)
    vectors[:, -1] = 0.5
    others = random.standard_normal((30, width)).astype(np.float32)
    ranges = np.vstack([others.min(axis=0), others.max(axis=0)])
    for options in ({}, {"ranges": ranges}, {"calibration_embeddings": others}):
        for form in (vectors, torch.from_numpy(vectors), list(vectors), list(torch.from_numpy(vectors)), vectors * 1.0):
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                wanted = st_util.quantize_embeddings(form, precision, **options)
                warned = bool(caplog.records)
                caplog.clear()
                exactly(util.quantize_embeddings(form, precision, **options), wanted)
            assert bool(caplog.records) == warned


@pytest.mark.parametrize("precision", PRECISIONS)
def test_quantize_what_is_no_float32(precision: str) -> None:
    ranges = np.array([[-50.0] * 12, [50.0] * 12], dtype=np.float32)
    doubles = random.standard_normal((120, 12))
    whole = random.integers(-50, 50, (120, 12))
    for rows in (doubles, whole, whole.tolist()):
        exactly(util.quantize_embeddings(rows, precision, ranges), st_util.quantize_embeddings(rows, precision, ranges))
    if "binary" in precision:
        odd = np.array([[0.0, -0.0, 1e-45, np.inf, -np.inf, -1, 2, 3, 4]], dtype=np.float32)
        exactly(util.quantize_embeddings(odd, precision), st_util.quantize_embeddings(odd, precision))
    if "int8" in precision:
        alone = st_util.quantize_embeddings(doubles[0], precision, ranges)
        exactly(util.quantize_embeddings(doubles[0], precision, ranges), alone)


def test_what_quantize_refuses() -> None:
    for quantize in (util.quantize_embeddings, st_util.quantize_embeddings):
        with pytest.raises(Exception, match="int8"):
            quantize(np.zeros((2, 8), dtype=np.int8), "binary")
        with pytest.raises(ValueError, match="'int4' is not supported"):
            quantize(A, "int4")
    with pytest.raises(InputError, match="expected"):
        util.quantize_embeddings(A, "int8", ranges=np.zeros((2, 9)))
    with pytest.raises(OptionError, match="must be one of"):
        util.quantize_embeddings([], "int4")
