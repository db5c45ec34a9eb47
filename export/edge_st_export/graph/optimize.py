"""Optimized and float16 variants of onnx/model.onnx, by ONNX Runtime's transformer optimizer through optimum."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from edge_st.verification.variants import GraphVariant
from edge_st_runtime.engines import quiet_onnxruntime  # noqa: F401 - before optimum imports onnxruntime

from ..errors import converting
from ..folder.paths import weights_beside
from .drop_ins import as_sentence_transformers, record_variant
from .external_data import move_weights_beside, move_weights_inside

LEVELS = ("O1", "O2", "O3")
FLOAT16_LEVEL = "O4"
_ONE_FILE = 1_900_000_000  # bytes; protobuf's format ends at 2 GiB


def optimized_file(level: str) -> str:
    """The name that sentence-transformers gives the file, such as onnx/model_O2.onnx."""
    return f"onnx/model_{level}.onnx"


def optimize(plain: Path, config: Any, level: str) -> Path:
    """Write the optimized graph of ``level`` beside ``plain``; ``config`` is the transformer's.

    "O4" is for GPUs and computes in float16; the inputs and outputs keep their types. Raises ExportError, for instance
    where the optimizer does not know the architecture.
    """
    from optimum.onnxruntime import ORTOptimizer

    optimized = plain.parent / f"{plain.stem}_{level}.onnx"
    what = f"ONNX Runtime's optimization {level} of {config.model_type}"
    with (
        converting(what, "leave optimize= or fp16= (--optimize, --fp16) out"),
        tempfile.TemporaryDirectory() as scratch,
    ):
        optimizer = ORTOptimizer([_one_file(plain, Path(scratch))], config, from_ortmodel=True)
        optimizer.optimize(_configuration(level), Path(scratch, "optimized"), file_suffix=level)
        for path in Path(scratch, "optimized").glob(f"{optimized.name}*"):
            shutil.move(path, plain.parent / path.name)
        move_weights_beside(optimized)
    return optimized


def _one_file(plain: Path, scratch: Path) -> Path:
    """A copy with the weights inside, so that the optimizer sees them; ``plain`` itself where they are too large."""
    beside = weights_beside(plain)
    if beside.is_file() and beside.stat().st_size > _ONE_FILE:
        return plain
    move_weights_inside(plain, scratch / plain.name)
    return scratch / plain.name


def _configuration(level: str) -> Any:
    """Attention gets the raw mask. By default it gets lengths, which are wrong for padding on the left."""
    from optimum.onnxruntime.configuration import AutoOptimizationConfig, OptimizationConfig

    if level == FLOAT16_LEVEL:  # optimum's own O4 wants a GPU for the export, which the conversion does not need
        return OptimizationConfig(fp16=True, enable_gelu_approximation=True, use_raw_attention_mask=True)
    return AutoOptimizationConfig.with_optimization_level(level, use_raw_attention_mask=True)


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
    is measured and added to it. Raises ValueError for a model or level that does not fit.
    Source: sentence_transformers.backend.export_optimized_onnx_model, which does the work.
    """
    from sentence_transformers import backend

    with as_sentence_transformers(model, "onnx") as original:
        backend.export_optimized_onnx_model(
            original, optimization_config, model_name_or_path, push_to_hub, create_pr, file_suffix
        )
    level = optimization_config if isinstance(optimization_config, str) else None
    half = level == FLOAT16_LEVEL or bool(getattr(optimization_config, "fp16", False))
    variant = GraphVariant(
        f"onnx/model_{file_suffix or level or 'optimized'}.onnx", "onnx", "float16" if half else "float32"
    )
    if not push_to_hub:
        record_variant(Path(model_name_or_path), variant)
