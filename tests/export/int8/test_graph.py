"""Graphs written in int8: what they compute, and that the engines really multiply bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edge_st_export import ExportError
from edge_st_export.int8.fit import Fit, fit_group
from edge_st_export.int8.matmuls import find_groups
from edge_st_export.int8.rewrite import INTEGER_MATMUL, rewrite
from edge_st_export.int8.tables import quantize_tables
from edge_st_export.int8.write import write_int8
from tests.export.int8.int8_graphs import (
    WIDTH,
    constant_names,
    graph,
    node,
    relative_error,
    run_onnx,
    run_openvino,
    saved,
    seen,
    values,
)
from tests.export.int8.test_fit import computed

X = values(2, 5, WIDTH, seed=9)
IDS = np.array([[0, 5, 1999], [7, 7, 1]])


def attention() -> Any:
    """Two matmuls of one input, with and without bias, one that widens, and one that narrows."""
    constants = {
        "w1": values(WIDTH, WIDTH),
        "b1": values(WIDTH),
        "w2": values(WIDTH, WIDTH, seed=1),
        "w3": values(WIDTH, 192, seed=2),
        "w4": values(192, WIDTH, seed=3),
        "b4": values(WIDTH, seed=4),
    }
    nodes = [
        node("MatMul", "x w1", "p1"),
        node("Add", "p1 b1", "a1"),
        node("MatMul", "x w2", "p2"),
        node("Mul", "a1 p2", "m"),
        node("MatMul", "m w3", "p3"),
        node("MatMul", "p3 w4", "p4"),
        node("Add", "b4 p4", "y"),
    ]
    return graph(nodes, constants)


def fitted(model: Any) -> list[Fit]:
    """The fits to X, with a large channel in every input, so that each remedy is taken."""
    groups = find_groups(model, Path())
    names = [name for group in groups for name in group.inputs]
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name != "x")
    found = dict(zip([output.name for output in watched.graph.output], run_onnx(watched, X), strict=True)) | {"x": X}
    return [
        fit_group(group, {n: seen(found[n].reshape(-1, found[n].shape[-1])) for n in group.inputs}) for group in groups
    ]


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_it_is_near_to_float32(engine: str, tmp_path: Path) -> None:
    model = attention()
    (wanted,) = run_onnx(model, X)
    path = tmp_path / {"onnx": "onnx/int8.onnx", "openvino": "openvino/int8.xml"}[engine]
    write_int8(model, tmp_path, fitted(model), engine, path)
    (found,) = run_onnx(path, X) if engine == "onnx" else run_openvino(path, X)
    assert 0 < relative_error(found, wanted) < 0.01
    assert found.shape == wanted.shape


def test_it_computes_what_was_fitted(tmp_path: Path) -> None:
    model = graph([node("MatMul", "x w", "p"), node("Add", "p b", "y")], {"w": values(WIDTH, 96), "b": values(96)})
    x = X * np.where(np.arange(WIDTH) == 3, 40, 1).astype(np.float32)
    (group,) = find_groups(model, tmp_path)
    group.matmuls[0].weight.setflags(write=False)
    fit = fit_group(group, {"x": seen(x.reshape(-1, WIDTH))})
    write_int8(model, tmp_path, [fit], "onnx", tmp_path / "int8.onnx")
    (found,) = run_onnx(tmp_path / "int8.onnx", x)
    np.testing.assert_allclose(found.reshape(-1, 96), computed(fit, x.reshape(-1, WIDTH)), rtol=1e-4, atol=1e-3)


def test_an_input_is_quantized_once(tmp_path: Path) -> None:
    model = attention()
    fits = fitted(model)
    kinds = [each.op_type for each in rewrite(model, fits, "onnx").graph.node]
    assert kinds.count("QuantizeLinear") == len(fits) == 3
    assert kinds.count(INTEGER_MATMUL) == 4
    assert not {"w1", "w2", "w3", "b1", "b4"} & constant_names(rewrite(model, fits, "onnx"))


def test_a_shared_weight_is_stored_once(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "p"), node("Relu", "p", "r"), node("MatMul", "r w", "y")]
    model = graph(nodes, {"w": values(WIDTH, WIDTH)})
    write_int8(model, tmp_path, fitted(model), "onnx", tmp_path / "int8.onnx")
    written = onnx.load(tmp_path / "int8.onnx").graph
    assert sum(tensor.data_type == TensorProto.INT8 for tensor in written.initializer) == 1
    assert sum(each.op_type == INTEGER_MATMUL for each in written.node) == 2
    assert relative_error(run_onnx(tmp_path / "int8.onnx", X)[0], run_onnx(model, X)[0]) < 0.01


def test_what_is_left_out_stays_float32(tmp_path: Path) -> None:
    model = attention()
    write_int8(model, tmp_path, fitted(model)[:1], "onnx", tmp_path / "int8.onnx")
    kinds = [each.op_type for each in onnx.load(tmp_path / "int8.onnx").graph.node]
    assert (kinds.count(INTEGER_MATMUL), kinds.count("MatMul")) == (2, 2)


def test_the_model_and_its_folder_stay_as_they_were(tmp_path: Path) -> None:
    model = attention()
    saved(model, tmp_path)
    before, files = model.SerializeToString(), sorted(tmp_path.iterdir())
    for engine, name in (("onnx", "out/int8.onnx"), ("openvino", "out/int8.xml")):
        write_int8(model, tmp_path, fitted(model), engine, tmp_path / name)
    assert model.SerializeToString() == before
    assert sorted(path for path in tmp_path.iterdir() if path.is_file()) == files


def test_weights_in_a_file_beside_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, beside = attention(), tmp_path / "float32"
    fits = fitted(model)
    beside.mkdir()
    (wanted,) = run_onnx(model, X)
    onnx.save_model(model, beside / "model.onnx", save_as_external_data=True, location="model.onnx_data")
    monkeypatch.chdir(beside)  # where a file of this name is
    stored = onnx.load(beside / "model.onnx", load_external_data=False)
    (group, *_) = find_groups(stored, beside)
    np.testing.assert_array_equal(group.matmuls[0].weight, values(WIDTH, WIDTH))
    write_int8(stored, beside, fits[:1], "onnx", beside / "model_int8.onnx")
    assert relative_error(run_onnx(beside / "model_int8.onnx", X)[0], wanted) < 0.01
    names = {path.name for path in beside.iterdir()}
    assert names == {"model.onnx", "model.onnx_data", "model_int8.onnx", "model_int8.onnx_data"}


def test_a_product_that_is_not_written_is_found_out(tmp_path: Path) -> None:
    other = graph([node("Relu", "x", "y")], {})
    with pytest.raises(ExportError, match=r"int8\.onnx has 0 of 2 matrix multiplications in int8"):
        write_int8(other, tmp_path, fitted(attention())[:1], "onnx", tmp_path / "int8.onnx")


CONSTANTS = {"table": values(2000, WIDTH) * np.linspace(0.01, 5, 2000, dtype=np.float32)[:, None]}


class TestTables:
    def looked_up(self, *nodes: Any, **constants: Any) -> Any:
        lookup = node("Gather", "table x", "found")
        return graph([lookup, *nodes], {**CONSTANTS, **constants}, input_type=TensorProto.INT64, shape=("a", "b"))

    def test_rows_keep_their_own_scale(self, tmp_path: Path) -> None:
        model = self.looked_up(node("Relu", "found", "y"))
        (wanted,) = run_onnx(model, IDS)
        assert quantize_tables(model, tmp_path) == 1
        (found,) = run_onnx(model, IDS)
        largest = np.abs(CONSTANTS["table"][IDS]).max(axis=-1, keepdims=True)
        assert (np.abs(found - wanted) <= largest / 127 / 2 + 1e-6).all()
        assert constant_names(model) == {"table_int8", "table_scales"}

    def test_a_row_of_zeros(self, tmp_path: Path) -> None:
        model = self.looked_up(node("Identity", "found", "y"), table=np.zeros((2000, WIDTH), dtype=np.float32))
        quantize_tables(model, tmp_path)
        assert not run_onnx(model, IDS)[0].any()

    def test_a_table_that_is_multiplied_too_stays(self, tmp_path: Path) -> None:
        """That of a language model's head, which would be stored twice."""
        model = self.looked_up(node("Transpose", "table", "t", perm=[1, 0]), node("MatMul", "found t", "y"))
        assert quantize_tables(model, tmp_path) == 0
        assert constant_names(model) == {"table"}

    @pytest.mark.parametrize(
        "change", [{"table": values(100, WIDTH)}, {"table": values(2000, WIDTH).astype(np.float64)}]
    )
    def test_small_ones_and_others_stay(self, change: Any, tmp_path: Path) -> None:
        assert quantize_tables(self.looked_up(node("Identity", "found", "y"), **change), tmp_path) == 0

    def test_columns_are_not_rows(self, tmp_path: Path) -> None:
        model = graph([node("Gather", "table x", "y", axis=1)], CONSTANTS, input_type=TensorProto.INT64, shape=["n"])
        assert quantize_tables(model, tmp_path) == 0

    def test_they_are_written(self, tmp_path: Path) -> None:
        model = self.looked_up(node("MatMul", "found w", "y"), w=values(WIDTH, WIDTH))
        (wanted,) = run_onnx(model, IDS)
        for engine, name in (("onnx", "int8.onnx"), ("openvino", "int8.xml")):
            write_int8(model, tmp_path, [], engine, tmp_path / name)
            (found,) = run_onnx(tmp_path / name, IDS) if engine == "onnx" else run_openvino(tmp_path / name, IDS)
            assert relative_error(found, wanted) < 1e-3
        assert (tmp_path / "int8.bin").stat().st_size < 0.5 * CONSTANTS["table"].nbytes
