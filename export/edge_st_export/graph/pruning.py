"""Prune sparse embeddings in an OpenVINO graph, as `builder.pruning` does in an ONNX graph."""

from pathlib import Path

from edge_st_runtime.engines.signature import ACTIVE_INDICES, ACTIVE_VALUES, MAX_ACTIVE_DIMS, SENTENCE_EMBEDDING


def prune_openvino(path: Path) -> None:
    """Give the graph at ``path`` the input max_active_dims, and the outputs active_values and active_indices."""
    import numpy as np

    from edge_st_runtime.engines.quiet_openvino import openvino

    ops, core = openvino.opset13, openvino.Core()
    model = core.read_model(path)
    most = ops.parameter([1], np.int64, name=MAX_ACTIVE_DIMS)
    most.output(0).set_names({MAX_ACTIVE_DIMS})
    weights = model.output(SENTENCE_EMBEDDING).get_node().input_value(0)
    count = ops.squeeze(most, ops.constant(np.array([0])))
    found = ops.topk(weights, count, -1, "max", "none", index_element_type="i64")
    for place, name in enumerate((ACTIVE_VALUES, ACTIVE_INDICES)):
        found.output(place).set_names({name})
    model.add_parameters([most])
    model.add_results([ops.result(found.output(place)) for place in (0, 1)])
    model.validate_nodes_and_infer_types()
    beside = path.with_name(f"pruning_{path.name}")
    openvino.save_model(model, beside, compress_to_fp16=False)
    del model, weights, found  # they map the old weights
    for ending in (".bin", ".xml"):
        beside.with_suffix(ending).replace(path.with_suffix(ending))
