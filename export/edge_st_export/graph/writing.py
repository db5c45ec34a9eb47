"""Write the float32 and float16 graphs of an export, one engine after the other."""

from collections.abc import Collection, Sequence

from edge_st.verification.variants import GraphVariant

from ..folder.paths import ONNX_FILE, OPENVINO_FILE
from ..progress import Progress
from .leading_modules import LeadingModules
from .onnx_export import to_onnx
from .openvino_export import to_openvino
from .optimize import FLOAT16_LEVEL, optimize, optimized_file


def write_graphs(
    leading: Sequence[LeadingModules], engines: Collection[str], level: str | None, fp16: bool, progress: Progress
) -> list[GraphVariant]:
    """Write the graphs of every route, and return the variants that they give, the best ONNX graph first.

    ``level`` is an optimization level, such as "O2". The OpenVINO graph gives two variants: it is computed in float32
    or in bfloat16. A model without a graph gives none. Raises ExportError.
    """
    if not leading:
        return []
    variants = _onnx_variants(leading, level, fp16, progress) if "onnx" in engines else []
    if "openvino" in engines:
        progress.step("converting to OpenVINO")
        for modules in leading:
            to_openvino(modules)
        variants += [GraphVariant(OPENVINO_FILE, "openvino"), GraphVariant(OPENVINO_FILE, "openvino", "bfloat16")]
    return variants


def _onnx_variants(
    leading: Sequence[LeadingModules], level: str | None, fp16: bool, progress: Progress
) -> list[GraphVariant]:
    progress.step("converting to ONNX")
    for modules in leading:
        to_onnx(modules)
    variants = [GraphVariant(ONNX_FILE, "onnx")]
    if level:
        progress.step(f"optimizing for ONNX Runtime ({level})")
        _optimize_all(leading, level)
        variants.insert(0, GraphVariant(optimized_file(level), "onnx"))
    if fp16:
        progress.step("converting to float16 for GPUs")
        _optimize_all(leading, FLOAT16_LEVEL)
        variants.append(GraphVariant(optimized_file(FLOAT16_LEVEL), "onnx", "float16"))
    return variants


def _optimize_all(leading: Sequence[LeadingModules], level: str) -> None:
    for modules in leading:
        optimize(modules.path / ONNX_FILE, modules.config, level)
