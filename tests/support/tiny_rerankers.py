"""Tiny cross-encoders: a real ONNX graph that gives every pair the mean weight of its tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support.tiny_models import write_json
from tests.support.tiny_tokenizers import save_tokenizer, wordpiece

_TABLE_ROWS, _WIDTH = 500, 4
_DIRECTION = np.array([[1.0], [-0.5], [0.25], [2.0]], dtype=np.float32)


@dataclass(frozen=True)
class TinyReranker:
    """A BERT-like cross-encoder with ``weights`` of words; other words weigh nothing. It has ``labels`` scores."""

    weights: Mapping[str, float] = field(default_factory=dict)
    labels: int = 1
    limit: int = 64

    def save(self, folder: Path) -> Path:
        """Write the folder, as transformers and optimum would: no modules.json."""
        config = {
            "architectures": ["BertForSequenceClassification"],
            "model_type": "bert",
            "max_position_embeddings": self.limit,
            "vocab_size": _TABLE_ROWS,
            "id2label": {str(label): f"LABEL_{label}" for label in range(self.labels)},
        }
        save_tokenizer(folder, wordpiece(), pad_token="[PAD]", model_max_length=self.limit)
        write_json(folder / "config.json", config)
        (folder / "onnx").mkdir()
        onnx.save(self._graph(), str(folder / "onnx" / "model.onnx"))
        return folder

    def logit(self, query: str, document: str) -> float:
        """The expected logit of a pair within the limit."""
        rows = self._table()[wordpiece().encode(query, document).ids]
        return float((rows.mean(axis=0) @ _DIRECTION)[0])

    def _table(self) -> NDArray[np.float32]:
        table = np.zeros((_TABLE_ROWS, _WIDTH), dtype=np.float32)
        for word, weight in self.weights.items():
            token = wordpiece().token_to_id(word)
            assert token is not None, word
            table[token] = weight * _DIRECTION[:, 0] / (_DIRECTION**2).sum()
        return table

    def _graph(self) -> onnx.ModelProto:
        node = helper.make_node
        nodes = [
            node("Gather", ["table", "input_ids"], ["vectors"]),
            node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            node("Unsqueeze", ["mask", "last_axis"], ["weights"]),
            node("Mul", ["vectors", "weights"], ["own"]),
            node("ReduceSum", ["own", "token_axis"], ["sum"], keepdims=0),
            node("ReduceSum", ["mask", "token_axis"], ["count"], keepdims=1),
            node("Div", ["sum", "count"], ["mean"]),
            node("MatMul", ["mean", "directions"], ["logits"]),
        ]
        constants: dict[str, NDArray[Any]] = {
            "table": self._table(),
            "directions": np.repeat(_DIRECTION, self.labels, axis=1),
            "token_axis": np.array([1], dtype=np.int64),
            "last_axis": np.array([-1], dtype=np.int64),
        }
        graph = helper.make_graph(
            nodes,
            "reranker",
            [_ids(name) for name in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", self.labels])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _ids(name: str) -> onnx.ValueInfoProto:
    axes: Sequence[str] = ("batch", "tokens")
    return helper.make_tensor_value_info(name, TensorProto.INT64, axes)
