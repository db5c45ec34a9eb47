"""What the drop-ins for sentence-transformers' export functions share: its model as input, our record afterwards."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sentence_transformers

from edge_st.models.base import BaseModel
from edge_st.verification.variants import GraphVariant, open_variant, recorded_variants, runs_here
from edge_st_runtime.errors import MissingFileError, PackageMissingError
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.record import FILE_NAME, read_record

from ..folder.parity import measure
from ..folder.paths import ONNX_FILE, OPENVINO_FILE, weights_beside
from ..folder.record import add_graph, forget_graph
from ..original.reference import ReferencePart, compute_reference
from ..original.texts import texts_for
from ..progress import silent_libraries
from .external_data import move_weights_beside, move_weights_inside

_FILES = {"onnx": ONNX_FILE, "openvino": OPENVINO_FILE}
_NOT_COPIED = ("onnx", "openvino", FILE_NAME)


@contextmanager
def as_sentence_transformers(model: Any, backend: str) -> Iterator[Any]:
    """``model`` as sentence-transformers loads it with ``backend``; an edge-st model is loaded from its folder.

    Its ONNX graph is a single file, because sentence-transformers would not copy weights beside it. Raises
    MissingFileError where an edge-st model's folder lacks the backend's float32 graph, and PackageMissingError where
    "onnx" needs optimum-onnx, which is not installed.
    """
    if backend == "onnx":
        _require_optimum_onnx()
    if isinstance(model, BaseModel):
        kind = getattr(sentence_transformers, type(model).__name__)
        folder = folder_with(model, _FILES[backend])
        if backend == "openvino":
            yield _load(kind, folder, backend)
            return
        copy = partial(shutil.copytree, folder, ignore=shutil.ignore_patterns(*_NOT_COPIED), dirs_exist_ok=True)
        with _in_one_file(kind, copy, folder / ONNX_FILE) as single:
            yield single
    elif backend == "onnx" and (graph := _graph_with_weights_beside(model)) is not None:
        with _in_one_file(type(model), model.save_pretrained, graph) as single:
            yield single
    else:
        yield model


@contextmanager
def _in_one_file(kind: Any, save: Callable[[str], Any], graph: Path) -> Iterator[Any]:
    """A model of class ``kind`` from the folder that ``save`` writes, with the weights inside its ``graph``."""
    with tempfile.TemporaryDirectory() as scratch:
        save(scratch)
        move_weights_inside(graph, Path(scratch) / ONNX_FILE)
        yield _load(kind, Path(scratch), "onnx")


def _graph_with_weights_beside(model: Any) -> Path | None:
    path = getattr(model.transformers_model, "path", None)
    return Path(path) if path and weights_beside(Path(path)).is_file() else None


def folder_with(model: BaseModel, file: str) -> Path:
    """The folder of ``model``; raises MissingFileError where it lacks ``file``."""
    folder = Path(model.info()["path"])
    if not (folder / file).is_file():
        engine = file.partition("/")[0]
        raise MissingFileError(
            f"{folder} has no {file}; export the original again: edge-st export MODEL FOLDER --engine {engine}"
        )
    return folder


def _require_optimum_onnx() -> None:
    if find_spec("optimum") is None or find_spec("optimum.onnxruntime") is None:
        raise PackageMissingError(
            "a model of sentence-transformers, or a configuration object in place of a name such as 'O2' or 'avx2', "
            "needs optimum-onnx, which is not installed and takes transformers before 4.58; make an environment with: "
            "pip install -c export/constraints-4.57.txt . './export[openvino]' optimum-onnx (in a checkout of edge-st)"
        )


def written(
    make: Callable[[Path], None],
    function: str,
    config: str,
    target: str,
    push_to_hub: bool,
    create_pr: bool,
    suffix: str,
) -> None:
    """Let ``make`` write the graph onnx/model_SUFFIX.onnx of the folder or Hub repository ``target``.

    Source: sentence_transformers.backend.utils.save_or_push_to_hub_model, which does the work.
    """
    from sentence_transformers.backend.utils import save_or_push_to_hub_model

    save_or_push_to_hub_model(
        export_function=lambda folder: make(Path(folder, f"model_{suffix}.onnx")),
        export_function_name=function,
        config=config,
        model_name_or_path=target,
        push_to_hub=push_to_hub,
        create_pr=create_pr,
        file_suffix=suffix,
        backend="onnx",
    )


def _load(kind: Any, folder: Path, backend: str) -> Any:
    kwargs = {"file_name": _FILES[backend], **({"provider": "CPUExecutionProvider"} if backend == "onnx" else {})}
    with silent_libraries():
        return kind(str(folder), device="cpu", backend=backend, local_files_only=True, model_kwargs=kwargs)


def record_variant(folder: Path, variant: GraphVariant) -> None:
    """Measure the parity of the new ``variant`` with the float32 graph and add it to the record of ``folder``, if any.

    Without a float32 graph that runs here, the golden vectors are the reference.
    """
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
        reference = compute_reference(original, original.prompts, original.tasks, texts)
    else:
        reference = tuple(
            ReferencePart(golden.prompt_name, golden.task, record.golden_texts, golden.embeddings, golden.counts)
            for golden in record.golden
        )
    add_graph(folder, measure(folder, variant, reference))
