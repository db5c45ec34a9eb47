"""Where the graphs of a model folder and their weights are."""

from pathlib import Path

from edge_st_runtime.model.folder import read_folder

ONNX_FILE = "onnx/model.onnx"
OPENVINO_FILE = "openvino/openvino_model.xml"
#: by engine; first the one that answers a single text sooner
INT8_FILES = {"onnx": "onnx/model_int8.onnx", "openvino": "openvino/openvino_model_int8.xml"}


def weights_beside(path: Path) -> Path:
    """The file for the weights of the ONNX graph at ``path``, which are external data beside it."""
    return path.with_name(f"{path.name}_data")


def graph_files(folder: Path, file: str) -> list[Path]:
    """The graph ``file`` of every route that has it, and the files of its weights."""
    found = []
    for path in {route.path for route in read_folder(folder).routes.values()}:
        graph = path / file
        beside = (f"{graph.stem}.bin", f"{graph.name}_data", f"{graph.name}.data")
        found += [graph, *(graph.with_name(name) for name in beside)]
    return [path for path in found if path.is_file()]
