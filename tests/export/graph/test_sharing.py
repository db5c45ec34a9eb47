"""Weights that a graph has once for looking rows up and once, transposed, to multiply by."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from transformers import BertConfig

from edge_st import SparseEncoder
from edge_st_export import export_model
from edge_st_export.graph.external_data import move_weights_beside
from edge_st_export.graph.sharing import share_weights, unshare_weights
from edge_st_export.original.loading import find_source, load_original
from tests.export.int8.int8_graphs import constant_names, graph, node, run_onnx, saved, values
from tests.export.originals import SIZES
from tests.export.zoo.sparse import splade

TABLE = values(40, 16)
IDS = np.array([[0, 5, 39], [7, 7, 1]])


def tied(matrix: NDArray[Any], *nodes: object) -> onnx.ModelProto:
    """A graph that looks rows of TABLE up and multiplies them by ``matrix``."""
    usual = [node("Gather", "table x", "found"), node("MatMul", "found matrix", "y"), *nodes]
    return graph(usual, {"table": TABLE, "matrix": matrix}, input_type=TensorProto.INT64, shape=("a", "b"))


@pytest.mark.parametrize("rows", [slice(0, 40), slice(0, 30), slice(10, 40), slice(5, 35)], ids=str)
def test_rows_are_multiplied_by_where_they_are(rows: slice, tmp_path: Path) -> None:
    model = tied(np.ascontiguousarray(TABLE[rows].T))
    (wanted,) = run_onnx(model, IDS)
    shared = saved(model, tmp_path)
    move_weights_beside(shared)
    assert (tmp_path / "model.onnx_data").stat().st_size == TABLE.nbytes
    for optimized in (True, False):
        np.testing.assert_allclose(run_onnx(shared, IDS, optimized)[0], wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rows", [slice(0, 40), slice(5, 35)], ids=str)
def test_it_can_be_undone(rows: slice) -> None:
    model = tied(np.ascontiguousarray(TABLE[rows].T))
    before = onnx.ModelProto()
    before.CopyFrom(model)
    share_weights(model.graph)
    assert "matrix" not in constant_names(model)
    unshare_weights(model.graph, Path())
    assert list(model.graph.node) == list(before.graph.node)
    assert {tensor.name: tensor for tensor in model.graph.initializer} == {
        tensor.name: tensor for tensor in before.graph.initializer
    }


def test_what_others_read_stays() -> None:
    for model in (
        tied(values(16, 40, seed=1)),
        tied(np.ascontiguousarray(TABLE.T), node("Relu", "matrix", "z")),
        tied(np.ascontiguousarray(TABLE.T).astype(np.float64)),
    ):
        before = model.SerializeToString()
        share_weights(model.graph)
        assert model.SerializeToString() == before


def test_splade_stores_its_word_embeddings_once(tmp_path: Path) -> None:
    sizes = {**SIZES, "vocab_size": 4000}
    original = splade(config=BertConfig(**sizes, max_position_embeddings=64))(tmp_path)
    report = export_model(original, tmp_path / "out", quiet=True)
    weights = (original / "model.safetensors").stat().st_size
    texts = ["the quick search", "a", ""]
    wanted = load_original(find_source(original, None, None), trust_remote_code=False).encode(
        texts, convert_to_sparse_tensor=False
    )
    for engine, file in (("onnx", "onnx/model.onnx_data"), ("openvino", "openvino/openvino_model.bin")):
        assert (report.path / file).stat().st_size < 1.1 * weights
        model = SparseEncoder(report.path, backend=engine, dtype="float32")
        found = model.encode(texts, convert_to_sparse_tensor=False)
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), atol=1e-4)
