"""What is read from an ONNX file without the onnx package, compared with what that package wrote."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_st_runtime.errors import DamagedFileError, MissingFileError, UnsafePathError
from edge_st_runtime.files.onnx_graphs import external_files, operators, with_links_followed
from tests.support.tiny_graphs import TinyGraph, store_outside


def outside(location: str, **more: str) -> onnx.TensorProto:
    """A tensor whose values are in the file ``location``."""
    tensor = numpy_helper.from_array(np.ones(4, dtype=np.float32), "weights")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"offset": "0", "location": location, "length": "16", **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def save(path: Path, *nodes: onnx.NodeProto, initializers: Any = (), functions: Any = ()) -> Path:
    graph = helper.make_graph(nodes, "g", [], [], initializers)
    path.write_bytes(helper.make_model(graph, functions=functions).SerializeToString())
    return path


def branch(*nodes: onnx.NodeProto, **more: Any) -> onnx.NodeProto:
    """A node with a graph within it."""
    inner = helper.make_graph(nodes, "inner", [], [], **more)
    return helper.make_node("If", ["condition"], ["y"], then_branch=inner)


def constant(tensor: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["c"], value=tensor)


def test_all_weights_inside(tmp_path: Path) -> None:
    assert external_files(TinyGraph().save(tmp_path / "model.onnx")) == []


def test_all_weights_in_one_file(tmp_path: Path) -> None:
    graph = TinyGraph().save(tmp_path / "model.onnx")
    weights = store_outside(graph, "weights.bin")
    assert external_files(graph) == [weights]


def everywhere(location: str) -> dict[str, dict[str, Any]]:
    tensor = outside(location)
    return {
        "initializer": {"initializers": [tensor]},
        "constant": {"nodes": [constant(tensor)]},
        "branch": {"nodes": [branch(initializer=[tensor])]},
        "branch of a branch": {"nodes": [branch(branch(constant(tensor)))]},
        "function": {"functions": [helper.make_function("d", "f", [], [], [constant(tensor)], [])]},
    }


@pytest.mark.parametrize("place", everywhere(""))
def test_wherever_the_tensor_is(place: str, tmp_path: Path) -> None:
    kept = everywhere("a/b.bin")[place]
    graph = save(tmp_path / "model.onnx", *kept.pop("nodes", ()), **kept)
    assert external_files(graph) == [tmp_path / "a" / "b.bin"]


@pytest.mark.parametrize("place", everywhere(""))
def test_links_are_followed_wherever_the_tensor_is(place: str, tmp_path: Path) -> None:
    long = tmp_path / ("long" * 40)  # its length takes two bytes
    (tmp_path / "b.bin").symlink_to(long)
    expected, kept = (everywhere(name)[place] for name in (long.as_posix().removeprefix("/"), "b.bin"))
    wanted = save(tmp_path / "wanted.onnx", *expected.pop("nodes", ()), **expected)
    graph = save(tmp_path / "model.onnx", *kept.pop("nodes", ()), **kept)
    assert with_links_followed(graph, root="/") == wanted.read_bytes()


def test_a_tensor_that_is_not_external(tmp_path: Path) -> None:
    tensor = outside("b.bin")
    tensor.data_location = TensorProto.DEFAULT
    assert external_files(save(tmp_path / "model.onnx", initializers=[tensor])) == []


@pytest.mark.parametrize("location", ["../b.bin", "/b.bin", "a\\..\\..\\b"])
def test_weights_outside_the_folder(location: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError, match=r"leads outside the folder"):
        external_files(save(tmp_path / "model.onnx", initializers=[outside(location)]))


def test_weights_at_an_address(tmp_path: Path) -> None:
    address = "*/_ORT_MEM_ADDR_/*"
    graph = save(tmp_path / "model.onnx", initializers=[outside(address)])
    (tmp_path / address).parent.mkdir(parents=True)
    (tmp_path / address).touch()
    with pytest.raises(UnsafePathError, match=r"has weights at an address in memory; do not use this model"):
        external_files(graph)


def test_operators(tmp_path: Path) -> None:
    node = helper.make_node
    graph = save(
        tmp_path / "model.onnx",
        node("MatMul", ["a"], ["b"], name="MatMulInteger_is_only_its_name"),
        branch(node("DynamicQuantizeLinear", ["a"], ["b"])),
    )
    wanted = ["MatMulInteger", "DynamicQuantizeLinear", "If"]
    assert operators(graph, wanted) == {"DynamicQuantizeLinear", "If"}
    assert operators(graph, ["DynamicQuantizeLinear", "Softmax"]) == {"DynamicQuantizeLinear"}


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x3a\x80", b"\x3a\x05ab", b"\x3b", b"hello, world", b"\x80" * 11])
def test_no_onnx_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"x\.onnx is truncated or not an ONNX file"):
        external_files(tmp_path / "x.onnx")


def test_a_file_that_is_cut(tmp_path: Path) -> None:
    graph = TinyGraph().save(tmp_path / "x.onnx")
    graph.write_bytes(graph.read_bytes()[:-9])
    with pytest.raises(DamagedFileError, match=r"truncated"):
        operators(graph, ["If"])


def test_graphs_without_end(tmp_path: Path) -> None:
    graph = b"\x22\x02If"  # a node's op_type
    for field in ("\x0a", "\x32", "\x2a") * 50 + ("\x0a", "\x3a"):  # node, graph of an attribute, attribute
        graph = field.encode() + _varint(len(graph)) + graph
    (tmp_path / "x.onnx").write_bytes(graph)
    with pytest.raises(DamagedFileError, match=r"more than 100 deep"):
        operators(tmp_path / "x.onnx", ["If"])


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"x\.onnx is missing"):
        external_files(tmp_path / "x.onnx")
