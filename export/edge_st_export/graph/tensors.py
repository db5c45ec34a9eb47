"""The constants of an ONNX graph, whose values may be in a file beside it, and the nodes that read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from onnx import numpy_helper


def values_of(tensor: Any, folder: Path) -> NDArray[Any]:
    """The values of an onnx.TensorProto; ``folder`` is where the graph's file is."""
    return numpy_helper.to_array(tensor, str(folder))


def readers_of(graph: Any) -> dict[str, list[Any]]:
    """The nodes that read each tensor, themselves or in a subgraph; a node is listed once for each time it reads it."""
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in _read(node):
            readers.setdefault(name, []).append(node)
    return readers


def varying(graph: Any) -> set[str]:
    """The tensors that depend on the graph's inputs. Engines compute the others once, when they load the graph."""
    found = {port.name for port in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if not found.isdisjoint(_read(node)):
            found.update(node.output)
    return found


def name_constants_once(graph: Any) -> None:
    """Remove Identity nodes after constants, so that all nodes read a constant under one name.

    PyTorch's exporter writes such nodes where modules share their weights, as the layers of ALBERT do.
    """
    constants = {tensor.name for tensor in graph.initializer}
    needed = {output.name for output in graph.output} | {name for node in graph.node for name in _inner(node)}
    others: dict[str, str] = {}  # from the output of an Identity node to its constant
    nodes = []
    for node in graph.node:
        if node.op_type == "Identity" and node.output[0] not in needed:
            source = others.get(node.input[0], str(node.input[0]))
            if source in constants:
                others[node.output[0]] = source
                continue
        for place, name in enumerate(node.input):
            node.input[place] = others.get(name, name)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def drop_unread(graph: Any) -> None:
    """Remove the constants that no node reads and that are not outputs."""
    read = {*readers_of(graph), *(output.name for output in graph.output)}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _read(node: Any) -> Iterator[str]:
    yield from node.input
    yield from _inner(node)


def _inner(node: Any) -> Iterator[str]:
    """The names that the subgraphs of a node read or give, their internal names included."""
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read(inner)
            yield from (output.name for output in graph.output)
