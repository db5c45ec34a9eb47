"""Write the float32, float16 and bfloat16 graphs of an export, one engine after the other."""

from collections.abc import Collection, Sequence

from edge_st.verification.variants import GraphVariant
from edge_st_runtime.model.variants import GPU
from edge_st_runtime.text.tokens import TextOrPair

from ..folder.paths import ONNX_FILE, OPENVINO_FILE
from ..progress import Progress
from .half_graphs import HALF_FILES, write_half
from .leading_modules import LeadingModules
from .onnx_export import to_onnx
from .openvino_export import to_openvino
from .optimize import optimize, optimized_file

#: on CPUs ONNX Runtime has no kernels for bfloat16
_NEEDS: dict[str, tuple[str, ...]] = {"float16": (), "bfloat16": (GPU,)}


def write_graphs(
    leading: Sequence[LeadingModules],
    engines: Collection[str],
    level: str | None,
    halves: Collection[str],
    texts: Sequence[TextOrPair],
    progress: Progress,
) -> list[GraphVariant]:
    """Write the graphs of every route, and return the variants that they give, the best ONNX graph first.

    ``level`` is an optimization level, such as "O2"; ``halves`` are the dtypes to convert to for GPUs, for which
    ``texts`` show what overflows. The OpenVINO graph gives two variants: it is computed in float32 or in bfloat16. A
    model without a graph gives none. Raises ExportError.
    """
    if not leading:
        return []
    variants = _onnx_variants(leading, level, progress) if "onnx" in engines else []
    for dtype in halves:
        progress.step(f"converting to {dtype} for GPUs")
        for modules in leading:
            write_half(modules.path / ONNX_FILE, modules.route, modules.config.to_dict(), dtype, texts)
        variants.append(GraphVariant(HALF_FILES[dtype], "onnx", dtype, _NEEDS[dtype]))
    if "openvino" in engines:
        progress.step("converting to OpenVINO")
        for modules in leading:
            to_openvino(modules)
        variants += [GraphVariant(OPENVINO_FILE, "openvino"), GraphVariant(OPENVINO_FILE, "openvino", "bfloat16")]
    return variants


def _onnx_variants(leading: Sequence[LeadingModules], level: str | None, progress: Progress) -> list[GraphVariant]:
    progress.step("converting to ONNX")
    for modules in leading:
        to_onnx(modules)
    variants = [GraphVariant(ONNX_FILE, "onnx")]
    if level:
        progress.step(f"optimizing for ONNX Runtime ({level})")
        for modules in leading:
            optimize(modules.path / ONNX_FILE, modules.config.to_dict(), level)
        variants.insert(0, GraphVariant(optimized_file(level), "onnx"))
    return variants
