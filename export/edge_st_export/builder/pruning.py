"""Prune sparse embeddings in an ONNX graph: it can give just each text's largest weights.

Then a row as wide as the vocabulary is never copied out of the engine.
"""

from pathlib import Path

from edge_st_runtime.engines.signature import ACTIVE_INDICES, ACTIVE_VALUES, MAX_ACTIVE_DIMS, SENTENCE_EMBEDDING


def prune_onnx(path: Path) -> None:
    """Give the graph at ``path`` the input max_active_dims, and the outputs active_values and active_indices."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(path, load_external_data=False)
    outputs = [ACTIVE_VALUES, ACTIVE_INDICES]
    inputs = [SENTENCE_EMBEDDING, MAX_ACTIVE_DIMS]
    model.graph.node.append(helper.make_node("TopK", inputs, outputs, axis=-1, largest=1, sorted=0))
    model.graph.input.append(helper.make_tensor_value_info(MAX_ACTIVE_DIMS, TensorProto.INT64, [1]))
    for name, kind in zip(outputs, (TensorProto.FLOAT, TensorProto.INT64), strict=True):
        model.graph.output.append(helper.make_tensor_value_info(name, kind, ["batch_size", MAX_ACTIVE_DIMS]))
    onnx.save_model(model, path)
