"""Fused and half-precision variants of onnx/model.onnx, by ONNX Runtime's transformer optimizer through optimum."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from edge_st.verification.variants import GraphVariant

from ..errors import converting
from ..folder.graph_files import weights_beside
from .convert import move_weights_beside, move_weights_inside
from .peers import as_peer, enter

LEVELS = ("O1", "O2", "O3")
FLOAT16_LEVEL = "O4"
_ONE_FILE = 1_900_000_000  # a file in protobuf's format ends at 2 GiB


def optimized_file(level: str) -> str:
    """The name that sentence-transformers gives the file, such as onnx/model_O2.onnx."""
    return f"onnx/model_{level}.onnx"


def optimize(plain: Path, config: Any, level: str) -> Path:
    """Write the optimized graph of ``level`` beside ``plain``; ``config`` is the transformer's.

    "O4" is O3 in float16, for GPUs; the inputs and outputs keep their types. Raises ExportError, for instance where
    the optimizer does not know the architecture.
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
    """The graph with its weights inside, so that the optimizer sees all of it; as it is where they are too many."""
    beside = weights_beside(plain)
    if beside.is_file() and beside.stat().st_size > _ONE_FILE:
        return plain
    move_weights_inside(plain, scratch / plain.name)
    return scratch / plain.name


def _configuration(level: str) -> Any:
    """Attention takes the mask as it is: reduced to lengths, as is the default, it is wrong for padding on the left."""
    from optimum.onnxruntime.configuration import AutoOptimizationConfig, OptimizationConfig

    if level == FLOAT16_LEVEL:  # optimum's own O4 asks for a GPU at export, where the conversion needs none
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
    ``optimization_config`` is "O1" to "O4" or optimum's OptimizationConfig. A folder with edge_st.json gets the graph
    entered. Raises ValueError for a model or level that does not fit.
    Source: sentence_transformers.backend.export_optimized_onnx_model, which does the work.
    """
    from sentence_transformers import backend

    with as_peer(model, "onnx") as peer:
        backend.export_optimized_onnx_model(
            peer, optimization_config, model_name_or_path, push_to_hub, create_pr, file_suffix
        )
    level = optimization_config if isinstance(optimization_config, str) else None
    half = level == FLOAT16_LEVEL or bool(getattr(optimization_config, "fp16", False))
    variant = GraphVariant(
        f"onnx/model_{file_suffix or level or 'optimized'}.onnx", "onnx", "float16" if half else "float32"
    )
    if not push_to_hub:
        enter(Path(model_name_or_path), variant)
