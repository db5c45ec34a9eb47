"""Matrix multiplication of small integers: with and without the engine, extreme values, and the hand-made graph."""

import sys
from typing import Any

import numpy as np
import onnx
import pytest

from edge_st_runtime.search import integer_product
from edge_st_runtime.search.integer_product import LIMIT, IntegerProduct

generator = np.random.default_rng(4)


def products(codes: Any, block: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Without and with the engine."""
    found, sums = [], block.sum(axis=0, dtype=np.int32)
    for rows in (1, 10**6):
        with monkeypatch.context() as patch:
            if rows == 1:
                patch.delitem(sys.modules, "onnxruntime", raising=False)
            product = IntegerProduct(codes, rows)
            assert (product._session is None) == (rows == 1)
            found.append(product(block, sums))
    return found


@pytest.mark.parametrize("dim", [1, 2, 63, 64, 384, 1100, 2096, 2097, 3000])
def test_both_ways_give_the_same_integers(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = generator.integers(-LIMIT, LIMIT + 1, (5, dim)).astype(np.int8)
    block = generator.integers(-127, 128, (dim, 77)).astype(np.int8)
    codes[0], codes[1], codes[2] = LIMIT, -LIMIT, 0
    block[:, 0], block[:, 1], block[:, 2], block[:, 3] = 127, -127, 0, np.resize([127, -127], dim)
    block[0, 4:] = 126  # odd sums beyond 2**24 cannot be told in float32 unless they are rounded once
    expected = (codes.astype(np.int64) @ block.astype(np.int64)).astype(np.float32)
    for found in products(codes, block, monkeypatch):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_every_pair_of_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In pairs, because AVX2 adds two products in 16 bits, which must not overflow."""
    codes = np.repeat(np.arange(-LIMIT, LIMIT + 1), 2).reshape(-1, 2).astype(np.int8)
    block = np.repeat(np.arange(-127, 128), 2).reshape(-1, 2).T.astype(np.int8)
    expected = codes.astype(np.int32) @ block.astype(np.int32)
    for found in products(codes, block, monkeypatch):
        np.testing.assert_array_equal(found, expected)


def test_no_engine_is_imported_for_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    assert IntegerProduct(np.zeros((1, 4), dtype=np.int8), 1000)._session is None
    assert "onnxruntime" not in sys.modules


def test_without_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integer_product, "find_spec", lambda _: None)
    integer_product._session.cache_clear()
    product = IntegerProduct(np.ones((1, 3), dtype=np.int8), 10**6)
    assert product(np.full((3, 1), 127, dtype=np.int8), np.array([381], dtype=np.int32)).tolist() == [[381.0]]
    integer_product._session.cache_clear()


def test_the_graph_is_a_valid_model() -> None:
    model = onnx.load_from_string(integer_product._graph())
    onnx.checker.check_model(model, full_check=True)
    assert model.SerializeToString() == integer_product._graph()
    (node,) = model.graph.node
    assert (node.op_type, list(node.input), list(node.output)) == ("MatMulInteger", ["a", "b"], ["y"])
    kinds = [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)]
    assert kinds == [onnx.TensorProto.UINT8, onnx.TensorProto.INT8, onnx.TensorProto.INT32]
