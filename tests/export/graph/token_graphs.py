"""Small graphs of token ids, and how to run them."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.quiet_onnxruntime import onnxruntime as ort
from tests.export.int8.int8_graphs import node, values

IDS = np.array([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]])
BATCH = TokenBatch(IDS, (IDS > 0).astype(np.int64))
MASK_CONSTANTS = {
    "one": np.array(1, dtype=np.float32),
    "least": np.array(np.finfo(np.float32).min, dtype=np.float32),
    "middle": np.array([1], dtype=np.int64),
}


def model_of(nodes: list[Any], constants: dict[str, NDArray[Any]], outputs: str = "y") -> onnx.ModelProto:
    """A graph of ``input_ids`` and ``attention_mask`` that begins with x, rows of a table."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    given = {"table": values(8, 16, seed=3), **constants}
    return helper.make_model(
        helper.make_graph(
            [node("Gather", "table input_ids", "x"), *nodes],
            "g",
            ports,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()],
            [numpy_helper.from_array(value, name) for name, value in given.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def run(model: onnx.ModelProto) -> NDArray[Any]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": BATCH.input_ids, "attention_mask": BATCH.attention_mask}
    (found,) = session.run(["y"], {port.name: feeds[port.name] for port in session.get_inputs()})
    return np.asarray(found)
