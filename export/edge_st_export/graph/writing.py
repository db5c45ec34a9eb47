"""Write the float32, float16 and bfloat16 graphs of an export, one engine after the other."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class Written:
    """The ``variants`` that the graphs give, the best ONNX graph first, and what made each float32 graph.

    ``makers`` are by the graph's file, relative to the model folder.
    """

    variants: list[GraphVariant] = field(default_factory=list)
    makers: dict[str, str] = field(default_factory=dict)

    @property
    def entries(self) -> dict[str, Any]:
        """What the record says of it."""
        return {"converted_by": dict(sorted(self.makers.items()))} if self.makers else {}


def write_graphs(
    leading: Sequence[LeadingModules],
    engines: Collection[str],
    level: str | None,
    halves: Collection[str],
    texts: Sequence[TextOrPair],
    progress: Progress,
) -> Written:
    """Write the graphs of every route.

    ``level`` is an optimization level, such as "O2"; ``halves`` are the dtypes to convert to for GPUs, for which
    ``texts`` show what overflows. The OpenVINO graph gives two variants: it is computed in float32 or in bfloat16. A
    model without a graph gives none. Raises ExportError.
    """
    written = Written()
    if leading and "onnx" in engines:
        progress.step("converting to ONNX")
        written.makers |= {modules.route.prefix + ONNX_FILE: to_onnx(modules) for modules in leading}
        written.variants += _onnx_variants(leading, level, halves, texts, progress)
    if leading and "openvino" in engines:
        progress.step("converting to OpenVINO")
        written.makers |= {modules.route.prefix + OPENVINO_FILE: to_openvino(modules) for modules in leading}
        written.variants += [GraphVariant(OPENVINO_FILE, "openvino", dtype) for dtype in ("float32", "bfloat16")]
    return written


def _onnx_variants(
    leading: Sequence[LeadingModules],
    level: str | None,
    halves: Collection[str],
    texts: Sequence[TextOrPair],
    progress: Progress,
) -> list[GraphVariant]:
    variants = [GraphVariant(ONNX_FILE, "onnx")]
    if level:
        progress.step(f"optimizing for ONNX Runtime ({level})")
        for modules in leading:
            optimize(modules.path / ONNX_FILE, modules.config.to_dict(), level)
        variants.insert(0, GraphVariant(optimized_file(level), "onnx"))
    for dtype in halves:
        progress.step(f"converting to {dtype} for GPUs")
        for modules in leading:
            write_half(modules.path / ONNX_FILE, modules.route, modules.config.to_dict(), dtype, texts)
        variants.append(GraphVariant(HALF_FILES[dtype], "onnx", dtype, _NEEDS[dtype]))
    return variants
