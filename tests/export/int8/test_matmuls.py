"""Which matmuls are found, and which belong together."""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from edge_st_export.graph.tensors import drop_unread, name_constants_once, readers_of
from edge_st_export.int8.matmuls import Group, find_groups
from tests.export.int8.int8_graphs import WIDTH, constant_names, graph, node, values

W = {"w": values(WIDTH, WIDTH), "b": values(WIDTH)}


def found(*nodes: Any, outputs: str = "y", **constants: Any) -> tuple[Group, ...]:
    return find_groups(graph(nodes, {**W, **constants}, outputs), Path())


def outputs(group: Group) -> list[str]:
    return [matmul.output for matmul in group.matmuls]


def test_a_product_with_its_bias_on_either_side() -> None:
    for inputs in ("p b", "b p"):
        (group,) = found(node("MatMul", "x w", "p"), node("Add", inputs, "y"))
        (matmul,) = group.matmuls
        assert (matmul.input, matmul.output, matmul.weight_name) == ("x", "y", "w")
        assert matmul.bias is not None
        np.testing.assert_array_equal(matmul.bias, W["b"])
        np.testing.assert_array_equal(matmul.weight, W["w"])
        assert [each.op_type for each in matmul.nodes] == ["MatMul", "Add"]


def test_a_product_without_bias() -> None:
    (group,) = found(node("MatMul", "x w", "p"), node("Relu", "p", "y"))
    assert (outputs(group), group.matmuls[0].bias) == (["p"], None)


def test_what_is_added_but_is_no_bias() -> None:
    for other in ("x", "p", "row"):
        (group,) = found(node("MatMul", "x w", "p"), node("Add", f"p {other}", "y"), row=values(1, 3, WIDTH))
        assert (outputs(group), group.matmuls[0].bias) == (["p"], None)


def test_a_product_that_others_read_keeps_its_addition() -> None:
    matmul, addition = node("MatMul", "x w", "p"), node("Add", "p b", "y")
    (read_twice,) = found(matmul, addition, node("Relu", "p", "z"), outputs="y z")
    (is_output,) = found(matmul, addition, outputs="y p")
    for group in (read_twice, is_output):
        assert (outputs(group), group.matmuls[0].bias) == (["p"], None)


def test_a_product_that_a_subgraph_reads_keeps_its_addition() -> None:
    result = [helper.make_empty_tensor_value_info("z")]
    inner = helper.make_graph([node("Identity", "p", "z")], "inner", [], result)
    branches = {"then_branch": inner, "else_branch": inner}
    (group,) = found(
        node("MatMul", "x w", "p"), node("Add", "p b", "y"), node("If", "yes", "q", **branches), yes=np.array(True)
    )
    assert outputs(group) == ["p"]


def test_products_of_one_input_are_a_group() -> None:
    groups = found(
        *(node("MatMul", f"x w{i}", f"p{i}") for i in range(3)),
        node("Sum", "p0 p1 p2", "s"),
        node("MatMul", "s w", "y"),
        w0=values(WIDTH, WIDTH, seed=1),
        w1=values(WIDTH, WIDTH, seed=2),
        w2=values(WIDTH, WIDTH, seed=3),
    )
    assert [outputs(group) for group in groups] == [["p0", "p1", "p2"], ["y"]]
    assert [group.inputs for group in groups] == [("x",), ("s",)]


def test_products_of_one_weight_are_a_group_and_join_others() -> None:
    (group,) = found(
        node("MatMul", "x w", "p"),
        node("MatMul", "x v", "q"),
        node("Add", "p q", "s"),
        node("MatMul", "s w", "r"),
        node("MatMul", "r v", "y"),
        v=values(WIDTH, WIDTH, seed=1),
    )
    assert outputs(group) == ["p", "q", "r", "y"]
    assert group.inputs == ("x", "s", "r")
    assert group.width == WIDTH


def test_shared_weights_behind_identity_nodes() -> None:
    nodes = [
        node("Identity", "w", "w2"),
        node("Identity", "w2", "w3"),
        node("Identity", "b", "b2"),
        node("MatMul", "x w", "p"),
        node("Add", "p b", "s"),
        node("MatMul", "s w3", "q"),
        node("Add", "q b2", "y"),
    ]
    model = graph(nodes, W)
    name_constants_once(model.graph)
    assert [each.op_type for each in model.graph.node] == ["MatMul", "Add", "MatMul", "Add"]
    (group,) = find_groups(model, Path())
    assert outputs(group) == ["s", "y"]
    assert {matmul.weight_name for matmul in group.matmuls} == {"w"}


def test_an_identity_that_is_an_output_stays() -> None:
    model = graph([node("Identity", "w", "y")], W)
    name_constants_once(model.graph)
    assert [each.op_type for each in model.graph.node] == ["Identity"]


def test_what_is_no_product_for_int8() -> None:
    assert found(node("MatMul", "x x", "y")) == ()
    assert found(node("MatMul", "w x", "y")) == ()
    assert found(node("Relu", "w", "r"), node("MatMul", "r w", "p"), node("Add", "x p", "y")) == ()
    assert found(node("MatMul", "x small", "y"), small=values(WIDTH, 32)) == ()
    assert found(node("MatMul", "x many", "y"), many=values(2, WIDTH, WIDTH)) == ()
    assert found(node("MatMul", "x whole", "y"), whole=np.ones((WIDTH, WIDTH), dtype=np.int64)) == ()


def test_what_subgraphs_read_is_kept() -> None:
    inner = helper.make_graph([node("Add", "x b", "z")], "inner", [], [helper.make_empty_tensor_value_info("z")])
    model = graph([node("If", "yes", "y", then_branch=inner, else_branch=inner)], {**W, "yes": np.array(True)})
    drop_unread(model.graph)
    assert constant_names(model) == {"b", "yes"}
    assert len(readers_of(model.graph)["b"]) == 2
