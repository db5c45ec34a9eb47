"""The nodes of a graph that stay in float32 when the others become float16 or bfloat16."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import numpy_helper

from .observed import Seen

#: half of the largest float16: other texts may have larger values than those that were observed
LARGEST = 32752.0
_LEAST_NORMAL = 6.104e-05
#: operators that lose too much below float32, or have no kernel on GPUs
_EXACT = """
    ArgMax Ceil Cos CumSum Einsum Exp Floor GatherElements GatherND IsInf IsNaN LSTM Log LogSoftmax LpNormalization
    Max Min Mod NonZero OneHot Pow Range Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum
    ReduceSumSquare Resize Round ScatterElements ScatterND Sin Softplus Sqrt TopK
"""
#: operators with a CUDA kernel for bfloat16. Source: docs/OperatorKernels.md of ONNX Runtime 1.26 and later
_BFLOAT16 = """
    Add Attention BiasGelu Cast Concat Div FastGelu FusedMatMul Gather Gelu Gemm Identity LayerNormalization MatMul
    Mul MultiHeadAttention QuickGelu Relu Reshape RotaryEmbedding Shape Sigmoid SimplifiedLayerNormalization
    SkipLayerNormalization SkipSimplifiedLayerNormalization Slice Softmax Split Squeeze Sub Transpose Unsqueeze
"""
#: operators that compute positions, masks and angles, and those between nodes that stay
_BETWEEN = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Neg",
    "Unsqueeze",
    "Squeeze",
    "Cast",
    "Where",
    "Concat",
    "Slice",
    "Abs",
    "Sign",
)
_FEW = 256  # values of a constant of such a computation


def exact_nodes(graph: Any, seen: Mapping[str, Seen], weights: Mapping[str, Any], dtype: str) -> list[bool]:
    """For each node of ``graph`` whether it stays in float32.

    ``seen`` are the float tensors that nodes give, ``weights`` those that are constant. A node stays where one of its
    values was too large for float16, where its operator loses too much or has no kernel in bfloat16, where it computes
    from whole numbers alone, such as positions, and where it stands between such nodes.
    """
    narrow = {name for name, tensor in weights.items() if dtype == "float16" and _does_not_fit(tensor)}
    narrow |= {name for name, each in seen.items() if dtype == "float16" and each.largest > LARGEST}
    inner = {name for node in graph.node for name in _subgraph_names(node)}
    counted = _counted(graph, seen, weights)
    nodes = list(graph.node)
    exact = [
        _is_exact(node, dtype)
        or not narrow.isdisjoint((*node.input, *node.output))
        or not inner.isdisjoint(node.output)
        or not counted.isdisjoint(node.output)
        for node in nodes
    ]
    makers = {name: place for place, node in enumerate(nodes) for name in node.output}
    readers: dict[str, list[int]] = {}
    for place, node in enumerate(nodes):
        for name in node.input:
            readers.setdefault(name, []).append(place)
    outputs = {port.name for port in graph.output}
    for place, node in enumerate(nodes):
        read = [makers[name] for name in node.input if name in seen]
        followed = [reader for name in node.output for reader in readers.get(name, [])]
        if node.op_type in _BETWEEN and followed and outputs.isdisjoint(node.output):
            exact[place] |= all(exact[other] for other in (*read, *followed))
    return exact


def _counted(graph: Any, seen: Mapping[str, Seen], weights: Mapping[str, Any]) -> set[str]:
    """The float tensors that are computed from whole numbers and a few constants alone."""
    few = {name for name, tensor in weights.items() if np.prod(tensor.dims) <= _FEW}
    counted: set[str] = set()
    for node in graph.node:
        floats = [name for name in node.input if name in seen or name in weights]
        if node.op_type in (*_BETWEEN, *_EXACT.split()) and counted.union(few).issuperset(floats):
            counted.update(name for name in node.output if name in seen)
    return counted


def _is_exact(node: Any, dtype: str) -> bool:
    mixed = node.op_type == "LayerNormalization" and sum(map(bool, node.output)) > 1
    unknown = dtype == "bfloat16" and node.op_type not in _BFLOAT16.split()
    return mixed or unknown or node.op_type in _EXACT.split() or bool(_subgraph_names(node))


def _does_not_fit(tensor: Any) -> bool:
    """Whether float16 has no such values: too large ones, or a single one so small that it would lose its digits."""
    values = np.abs(numpy_helper.to_array(tensor))
    finite = values[np.isfinite(values)]
    largest = float(finite.max(initial=0))
    return largest > LARGEST or (values.size == 1 and 0 < largest < _LEAST_NORMAL)


def _subgraph_names(node: Any) -> set[str]:
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return {name for graph in graphs for each in graph.node for name in (*each.input, *_subgraph_names(each))}
