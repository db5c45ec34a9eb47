"""What the functions with sentence-transformers' names share: its model as input, our record as an afterthought."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sentence_transformers

from edge_st.models.base import BaseModel
from edge_st.verification.variants import GraphVariant, open_variant, recorded_variants, runs_here
from edge_st_runtime.errors import MissingFileError
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.record import FILE_NAME, read_record

from ..folder.graph_files import ONNX_FILE, weights_beside
from ..folder.record import add_graph, forget_graph
from ..folder.verify import Part, make_reference, measure
from ..original.texts import texts_for
from ..progress import silent_libraries
from .convert import move_weights_beside, move_weights_inside
from .ir import OPENVINO_FILE

_FILES = {"onnx": ONNX_FILE, "openvino": OPENVINO_FILE}
_NOT_COPIED = ("onnx", "openvino", FILE_NAME)


@contextmanager
def as_peer(model: Any, backend: str) -> Iterator[Any]:
    """``model`` as sentence-transformers' own, loaded with ``backend``: itself, or one made from an edge-st model.

    Its ONNX graph is one file: of a graph with its weights beside it, sentence-transformers would write only the
    graph. Raises MissingFileError where an edge-st model's folder does not have the backend's float32 graph.
    """
    if isinstance(model, BaseModel):
        kind = getattr(sentence_transformers, type(model).__name__)
        folder = _folder_with(model, _FILES[backend])
        if backend == "openvino":
            yield _load(kind, folder, backend)
            return
        copy = partial(shutil.copytree, folder, ignore=shutil.ignore_patterns(*_NOT_COPIED), dirs_exist_ok=True)
        with _with_one_file(kind, copy, folder / ONNX_FILE) as peer:
            yield peer
    elif backend == "onnx" and (graph := _graph_with_weights_beside(model)) is not None:
        with _with_one_file(type(model), model.save_pretrained, graph) as peer:
            yield peer
    else:
        yield model


@contextmanager
def _with_one_file(kind: Any, save: Callable[[str], Any], graph: Path) -> Iterator[Any]:
    """A model of class ``kind`` from the folder that ``save`` writes, with the weights inside its ``graph``."""
    with tempfile.TemporaryDirectory() as scratch:
        save(scratch)
        move_weights_inside(graph, Path(scratch) / ONNX_FILE)
        yield _load(kind, Path(scratch), "onnx")


def _graph_with_weights_beside(peer: Any) -> Path | None:
    path = getattr(peer.transformers_model, "path", None)
    return Path(path) if path and weights_beside(Path(path)).is_file() else None


def _folder_with(model: BaseModel, file: str) -> Path:
    folder = Path(model.info()["path"])
    if not (folder / file).is_file():
        engine = file.partition("/")[0]
        raise MissingFileError(
            f"{folder} has no {file}; export the original again: edge-st export MODEL FOLDER --engine {engine}"
        )
    return folder


def _load(kind: Any, folder: Path, backend: str) -> Any:
    kwargs = {"file_name": _FILES[backend], **({"provider": "CPUExecutionProvider"} if backend == "onnx" else {})}
    with silent_libraries():
        return kind(str(folder), device="cpu", backend=backend, local_files_only=True, model_kwargs=kwargs)


def enter(folder: Path, variant: GraphVariant) -> None:
    """Where ``folder`` has a record, measure the new ``variant`` against its float32 graph and write it down."""
    if not (folder / FILE_NAME).is_file():
        return
    if variant.engine == "onnx":
        move_weights_beside(folder / variant.file)
    forget_graph(folder, variant.file)
    record = read_record(folder)
    assert record is not None
    variants = [known for _, known in recorded_variants(record) if known.dtype == "float32" and runs_here(known)]
    if variants:
        original, texts = open_variant(folder, variants[0]), texts_for(read_folder(folder).model_type)
        reference = make_reference(original, original.prompts, original.tasks, texts)
    else:
        reference = tuple(
            Part(golden.prompt_name, golden.task, record.golden_texts, golden.embeddings) for golden in record.golden
        )
    add_graph(folder, measure(folder, variant, reference))
