"""BGE-M3's heads as the last nodes of a graph, which then gives all three kinds of embeddings in one pass.

Its outputs are ``sentence_embedding`` (batch, dim), the first token's vector, normalized; ``token_weights`` (batch,
tokens), not negative; and ``token_embeddings`` (batch, tokens, width), normalized, with the first token and padding,
which are dropped at run time. ``last_hidden_state`` stays, for what SentenceTransformer gives besides.
Source: FlagEmbedding's EncoderOnlyEmbedderM3ModelForInference.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_st_runtime.engines.signature import HIDDEN_STATES, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS, TOKEN_WEIGHTS
from edge_st_runtime.model.heads import HEADS_FILE

from ..original.head_files import HeadWeights, Linear

#: what the names of their weights begin with
PREFIX = "heads/"
_LEAST_LENGTH = 1e-12
_LAST = np.array([-1])
_BATCH, _TOKENS = "batch_size", "sequence_length"


def write_heads_file(heads: HeadWeights | None, folder: Path) -> None:
    """Write heads.json into the model folder; nothing for None, a model with one head."""
    if heads is not None:
        (folder / HEADS_FILE).write_text(json.dumps(heads.entries, indent=1) + "\n", encoding="utf-8")


def add_heads_to_onnx(path: Path, heads: HeadWeights) -> None:
    """Add the heads to the graph at ``path``, whose output is the last hidden state; its own weights stay in place."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    _OnnxHeads(model).add(heads)
    onnx.save_model(model, path)


class _OnnxHeads:
    """The nodes to add to an onnx.ModelProto."""

    def __init__(self, model: Any) -> None:
        self._graph = model.graph

    def add(self, heads: HeadWeights) -> None:
        hidden = HIDDEN_STATES[0]
        first = self._node("Gather", hidden, self._constant("first", np.array(0)), axis=1)
        self._output(SENTENCE_EMBEDDING, self._normalized(first, "dense"), [_BATCH, heads.width])
        if heads.sparse is not None:
            positive = self._positive(self._linear(hidden, heads.sparse, "sparse"))
            weights = self._node("Squeeze", positive, self._constant("last", _LAST))
            self._output(TOKEN_WEIGHTS, weights, [_BATCH, _TOKENS])
        if heads.colbert is not None:
            vectors = self._normalized(self._linear(hidden, heads.colbert, "colbert"), "colbert")
            self._output(TOKEN_EMBEDDINGS, vectors, [_BATCH, _TOKENS, len(heads.colbert.weight)])

    def _linear(self, x: str, layer: Linear, name: str) -> str:
        product = self._node("MatMul", x, self._constant(f"{name}/weight", np.ascontiguousarray(layer.weight.T)))
        return self._node("Add", product, self._constant(f"{name}/bias", layer.bias))

    def _positive(self, x: str) -> str:
        """ReLU; unlike the operator of this name it leaves NaN as it is in every engine, so that it is noticed."""
        zero = self._constant("zero", np.array(0, dtype=np.float32))
        return self._node("Where", self._node("Less", x, zero), zero, x)

    def _normalized(self, x: str, name: str) -> str:
        squares = self._node("ReduceSum", self._node("Mul", x, x), self._constant(f"{name}/axis", _LAST), keepdims=1)
        least = self._constant(f"{name}/least", np.array(_LEAST_LENGTH, dtype=np.float32))
        return self._node("Div", x, self._node("Max", self._node("Sqrt", squares), least))

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{PREFIX}{operator}_{len(self._graph.node)}"
        self._graph.node.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def _constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(values, f"{PREFIX}{name}"))
        return f"{PREFIX}{name}"

    def _output(self, name: str, value: str, shape: list[Any]) -> None:
        from onnx import TensorProto, helper

        self._graph.node.append(helper.make_node("Identity", [value], [name], name=f"{PREFIX}{name}"))
        self._graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


def add_heads_to_openvino(path: Path, heads: HeadWeights) -> None:
    """Add the heads to the OpenVINO graph at ``path``, whose output is the last hidden state."""
    from edge_st_runtime.engines.quiet_openvino import openvino

    beside = path.with_name(f"heads_{path.name}")
    openvino.save_model(_openvino_with_heads(path, heads), beside, compress_to_fp16=False)
    for ending in (".bin", ".xml"):  # no model maps the old weights now
        beside.with_suffix(ending).replace(path.with_suffix(ending))


def _openvino_with_heads(path: Path, heads: HeadWeights) -> Any:
    from edge_st_runtime.engines.quiet_openvino import openvino

    ops, model = openvino.opset13, openvino.Core().read_model(path)
    hidden = model.output(HIDDEN_STATES[0]).get_node().input_value(0)
    first = ops.gather(hidden, ops.constant(np.array(0)), ops.constant(np.array(1)))
    found = {SENTENCE_EMBEDDING: _openvino_normalized(ops, first)}
    if heads.sparse is not None:
        weights, zero = _openvino_linear(ops, hidden, heads.sparse), ops.constant(np.float32(0))
        positive = ops.select(ops.less(weights, zero), zero, weights)  # ReLU, which leaves NaN as it is
        found[TOKEN_WEIGHTS] = ops.squeeze(positive, ops.constant(_LAST))
    if heads.colbert is not None:
        found[TOKEN_EMBEDDINGS] = _openvino_normalized(ops, _openvino_linear(ops, hidden, heads.colbert))
    for name, node in found.items():
        node.output(0).set_names({name})
    model.add_results([ops.result(node.output(0)) for node in found.values()])
    model.validate_nodes_and_infer_types()
    return model


def _openvino_linear(ops: Any, x: Any, layer: Linear) -> Any:
    return ops.add(ops.matmul(x, ops.constant(layer.weight), False, True), ops.constant(layer.bias))


def _openvino_normalized(ops: Any, x: Any) -> Any:
    length = ops.reduce_l2(x, ops.constant(_LAST), keep_dims=True)
    return ops.divide(x, ops.maximum(length, ops.constant(np.float32(_LEAST_LENGTH))))
