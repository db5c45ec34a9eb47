"""Optimized variants of onnx/model.onnx, by ONNX Runtime's transformer optimizer."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from edge_st.models.base import BaseModel
from edge_st.verification.variants import GraphVariant
from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import read_json

from ..errors import converting
from ..folder.paths import ONNX_FILE
from ..progress import silent_libraries
from .drop_ins import as_sentence_transformers, folder_with, record_variant, written
from .external_data import move_weights_beside, one_file
from .fusing import LEVELS, Fusions, fuse

FLOAT16_LEVEL = "O4"


def optimized_file(level: str) -> str:
    """The name that sentence-transformers gives the file, such as onnx/model_O2.onnx."""
    return f"onnx/model_{level}.onnx"


def optimize(plain: Path, config: Mapping[str, Any], level: str) -> Path:
    """Write the optimized graph of ``level`` beside ``plain``; ``config`` is the transformer's config.json.

    Raises ExportError where the optimizer fails.
    """
    optimized = plain.parent / f"{plain.stem}_{level}.onnx"
    what = f"ONNX Runtime's optimization {level} of {config.get('model_type')}"
    with converting(what, "leave optimize= (--optimize) out"), tempfile.TemporaryDirectory() as scratch:
        source = one_file(plain, Path(scratch))
        fused = fuse(source, config, LEVELS[level])
        fused.save_model_to_file(str(optimized), use_external_data_format=source == plain)
        move_weights_beside(optimized)
    return optimized


def export_optimized_onnx_model(
    model: Any,
    optimization_config: Any,
    model_name_or_path: str,
    push_to_hub: bool = False,
    create_pr: bool = False,
    file_suffix: str | None = None,
) -> None:
    """Write onnx/model_O3.onnx and the like to a folder or Hub repository, exactly as sentence-transformers does.

    ``model`` is an edge-st model, or one of sentence-transformers loaded with ``backend="onnx"``;
    ``optimization_config`` is "O1" to "O4" or optimum's OptimizationConfig. If the folder has edge_st.json, the graph
    is measured and added to it. Raises ValueError for a model or level that does not fit, and PackageMissingError for
    a model of sentence-transformers or a configuration object where optimum-onnx is not installed.
    Source: sentence_transformers.backend.export_optimized_onnx_model, which does the work where it must.
    """
    level = optimization_config if isinstance(optimization_config, str) else None
    suffix = file_suffix or level or "optimized"
    if level is not None and isinstance(model, BaseModel):
        make = partial(_write_level, folder_with(model, ONNX_FILE), _fusions(level), level == FLOAT16_LEVEL)
        written(make, "export_optimized_onnx_model", level, model_name_or_path, push_to_hub, create_pr, suffix)
    else:
        with as_sentence_transformers(model, "onnx") as original:
            from sentence_transformers import backend

            backend.export_optimized_onnx_model(
                original, optimization_config, model_name_or_path, push_to_hub, create_pr, file_suffix
            )
    half = level == FLOAT16_LEVEL or bool(getattr(optimization_config, "fp16", False))
    if not push_to_hub:
        variant = GraphVariant(f"onnx/model_{suffix}.onnx", "onnx", "float16" if half else "float32")
        record_variant(Path(model_name_or_path), variant)


def _fusions(level: str) -> Fusions:
    """Those of optimum for this level, with its masks; raises OptionError for a level that there is not."""
    if level == FLOAT16_LEVEL:
        return Fusions(2, fast_gelu=True, raw_mask=False, for_gpu=True)
    if level not in LEVELS:
        raise OptionError(
            f"optimization_config is {level!r}; it must be an OptimizationConfig instance or one of "
            f"{', '.join(map(repr, (*LEVELS, FLOAT16_LEVEL)))}"
        )
    return replace(LEVELS[level], raw_mask=False)


def _write_level(folder: Path, fusions: Fusions, half: bool, target: Path) -> None:
    """Write the optimized graph of the model in ``folder`` to the file ``target``."""
    config = read_json(folder / "config.json")
    what = f"ONNX Runtime's optimization of {config.get('model_type')}"
    with silent_libraries(), converting(what, "choose another level"), tempfile.TemporaryDirectory() as scratch:
        fused = fuse(one_file(folder / ONNX_FILE, Path(scratch)), config, fusions)
        if half:
            fused.convert_float_to_float16(use_symbolic_shape_infer=True, keep_io_types=True)
        fused.save_model_to_file(str(target))
