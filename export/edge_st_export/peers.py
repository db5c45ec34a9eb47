"""What the functions with sentence-transformers' names share: its model as input, our record as an afterthought."""

from pathlib import Path
from typing import Any

import edge_st
from edge_st_runtime.errors import MissingFileError
from edge_st_runtime.record import FILE_NAME, read_record

from .progress import silent_libraries
from .record import add_graph, forget_graph
from .verify import Reference, Variant, make_reference, measure, open_variant, recorded_variants, runs_here

_FILES = {"onnx": "onnx/model.onnx", "openvino": "openvino/openvino_model.xml"}


def as_peer(model: Any, backend: str) -> Any:
    """``model`` as sentence-transformers' own, loaded with ``backend``: itself, or an edge-st model's folder.

    Raises MissingFileError where that folder does not have the backend's float32 graph.
    """
    if not isinstance(model, edge_st.SentenceTransformer):
        return model
    from sentence_transformers import SentenceTransformer

    folder = Path(model.info()["path"])
    if not (folder / _FILES[backend]).is_file():
        raise MissingFileError(
            f"{folder} has no {_FILES[backend]}; export the original again: edge-st export MODEL FOLDER "
            f"--engine {backend}"
        )
    kwargs = {"file_name": _FILES[backend], **({"provider": "CPUExecutionProvider"} if backend == "onnx" else {})}
    with silent_libraries():
        return SentenceTransformer(
            str(folder), device="cpu", backend=backend, local_files_only=True, model_kwargs=kwargs
        )


def enter(folder: Path, variant: Variant) -> None:
    """Where ``folder`` has a record, measure the new ``variant`` against its float32 graph and write it down."""
    if not (folder / FILE_NAME).is_file():
        return
    forget_graph(folder, variant.file)
    record = read_record(folder)
    assert record is not None
    own = next((known for known in recorded_variants(record) if known.dtype == "float32" and runs_here(known)), None)
    if own is None:
        reference = Reference(((None, record.golden_texts, record.golden_embeddings),))
    else:
        original = open_variant(folder, own)
        reference = make_reference(original, original.prompts)
    add_graph(folder, measure(folder, variant, reference))
