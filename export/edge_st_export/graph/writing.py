"""Write the float32 and float16 graphs of an export, one engine after the other."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_st.verification.variants import GraphVariant

from ..folder.paths import ONNX_FILE, OPENVINO_FILE
from ..progress import Progress
from .leading_modules import LeadingModules
from .onnx_export import to_onnx
from .openvino_export import to_openvino
from .optimize import FLOAT16_LEVEL, optimize, optimized_file


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
    leading: Sequence[LeadingModules], engines: Collection[str], level: str | None, fp16: bool, progress: Progress
) -> Written:
    """Write the graphs of every route.

    ``level`` is an optimization level, such as "O2". The OpenVINO graph gives two variants: it is computed in float32
    or in bfloat16. A model without a graph gives none. Raises ExportError.
    """
    written = Written()
    if leading and "onnx" in engines:
        progress.step("converting to ONNX")
        written.makers |= {modules.route.prefix + ONNX_FILE: to_onnx(modules) for modules in leading}
        written.variants += _onnx_variants(leading, level, fp16, progress)
    if leading and "openvino" in engines:
        progress.step("converting to OpenVINO")
        written.makers |= {modules.route.prefix + OPENVINO_FILE: to_openvino(modules) for modules in leading}
        written.variants += [GraphVariant(OPENVINO_FILE, "openvino", dtype) for dtype in ("float32", "bfloat16")]
    return written


def _onnx_variants(
    leading: Sequence[LeadingModules], level: str | None, fp16: bool, progress: Progress
) -> list[GraphVariant]:
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
