"""Graphs that no engine can be told to stop for are refused before an engine gets them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_st import SentenceTransformer
from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.files.graph_budget import LARGEST, check_budget
from tests.support.tiny_models import TinyModel

node = helper.make_node
Nodes = Sequence[onnx.NodeProto]
BIG = 2**30


def loop() -> onnx.NodeProto:
    flag, count = (TensorProto.BOOL, []), (TensorProto.INT64, [])
    inputs = [helper.make_tensor_value_info(name, *kind) for name, kind in {"i": count, "on": flag}.items()]
    inner = helper.make_graph(
        [node("Identity", ["on"], ["on_2"])], "body", inputs, [helper.make_tensor_value_info("on_2", *flag)]
    )
    return node("Loop", ["trips", "always"], [], body=inner)


def within_if(*nodes: onnx.NodeProto) -> onnx.NodeProto:
    branch = helper.make_graph(nodes, "branch", [], [])
    return node("If", ["always"], [], then_branch=branch, else_branch=helper.make_graph([], "none", [], []))


def save(path: Path, nodes: Nodes, constants: Sequence[onnx.TensorProto] = (), functions: Nodes = ()) -> Path:
    graph = helper.make_graph(nodes, "small", [], [], constants)
    own = [helper.make_function("own", "f", [], [], functions, [helper.make_opsetid("", 17)])] if functions else []
    onnx.save(helper.make_model(graph, functions=own), str(path))
    return path


def constant(*values: int, name: str = "size", kind: int = TensorProto.INT64, raw: bool = False) -> onnx.TensorProto:
    if raw:
        return numpy_helper.from_array(
            np.array(values, dtype=np.int32 if kind == TensorProto.INT32 else np.int64), name
        )
    return helper.make_tensor(name, kind, [len(values)], values)


@pytest.mark.parametrize(
    "made",
    [
        lambda path: save(path, [loop()]),
        lambda path: save(path, [within_if(within_if(loop()))]),
        lambda path: save(path, [], functions=[loop()]),
    ],
    ids=["graph", "branch", "function"],
)
def test_a_loop(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    with pytest.raises(UnsupportedModelError, match=r"x\.onnx has the operator Loop, which need not end; expected"):
        check_budget(made(tmp_path / "x.onnx"))


@pytest.mark.parametrize("text", ['type="Loop"', "type = 'Loop'", 'type="L&#111;op"', "t\0y\0p\0e\0"])
def test_a_loop_in_an_openvino_graph(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.xml").write_text(f'<net><layers><layer id="0" name="Loop" {text}/></layers></net>')
    with pytest.raises(UnsupportedModelError, match=r"x\.xml has the operator Loop"):
        check_budget(tmp_path / "x.xml")
    (tmp_path / "x.xml").write_text('<net><layers><layer id="0" name="Loop" type="MatMul"/></layers></net>')
    check_budget(tmp_path / "x.xml")


USES = {
    "ConstantOfShape": ["size"],
    "Expand": ["x", "size"],
    "Tile": ["x", "size"],
    "Range": ["zero", "size", "one"],
    "OneHot": ["x", "size", "values"],
    "Pad": ["x", "size"],
    "Resize": ["x", "", "", "size"],
}


@pytest.mark.parametrize("operator", USES)
@pytest.mark.parametrize(
    "size",
    [
        {"constants": [constant(BIG)]},
        {"constants": [constant(BIG, raw=True)]},
        {"constants": [constant(BIG, kind=TensorProto.INT32)]},
        {"constants": [constant(1, 2**20, 1, 2**10, raw=True)]},
        {"nodes": [node("Constant", [], ["size"], value=constant(BIG))]},
        {"nodes": [node("Constant", [], ["size"], value_ints=[2**15, 2**15])]},
        {"nodes": [node("Constant", [], ["size"], value_int=BIG)]},
    ],
    ids=["packed", "raw", "int32", "axes", "node", "integers", "integer"],
)
def test_a_large_constant(tmp_path: Path, operator: str, size: dict[str, Any]) -> None:
    maker = node(operator, USES[operator], ["made"])
    for nodes in ([maker], [within_if(maker)]):
        path = save(tmp_path / "x.onnx", [*size.get("nodes", ()), *nodes], size.get("constants", ()))  # type: ignore[arg-type]
        with pytest.raises(
            UnsupportedModelError, match=rf"x\.onnx: {operator} makes a tensor of {BIG} elements; expected"
        ):
            check_budget(path)


def test_what_models_have(tmp_path: Path) -> None:
    """Large numbers elsewhere: the ends of slices, sizes that are computed, and the largest constant."""
    nodes = [
        node("Slice", ["x", "starts", "ends"], ["cut"]),
        node("Shape", ["x"], ["computed"]),
        node("Expand", ["x", "computed"], ["wide"]),
        node("ConstantOfShape", ["allowed"], ["zeros"]),
    ]
    constants = [constant(2**63 - 1, name="ends"), constant(0, name="starts"), constant(LARGEST, name="allowed")]
    check_budget(save(tmp_path / "x.onnx", nodes, constants))


def test_a_model_with_one(engine: str, tmp_path: Path) -> None:
    path = TinyModel().save(tmp_path) / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    model.graph.initializer.append(constant(BIG))
    model.graph.node.append(node("ConstantOfShape", ["size"], ["large"]))
    onnx.save(model, str(path))
    with pytest.raises(UnsupportedModelError, match="ConstantOfShape makes a tensor of 1073741824 elements"):
        SentenceTransformer(tmp_path, backend=engine)
