"""The parity of graphs in float16 and bfloat16, on a GPU where there is one, else by emulation on the CPU."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from edge_st.verification.variants import GraphVariant
from edge_st_runtime.engines.devices import CUDA
from edge_st_runtime.engines.ort_sessions import offers
from edge_st_runtime.errors import EngineError
from edge_st_runtime.model.record import LOSSLESS_COSINE

from ..errors import ExportError
from ..folder.parity import GraphReport, measure, megabytes
from ..folder.paths import graph_files
from ..original.reference import Reference
from .half_graphs import HALF_FILES, emulated_file

#: the lowest cosine; below it something overflowed, or no digits are left
_GATES = {"float16": 0.99, "bfloat16": 0.9}


def measured(folder: Path, variant: GraphVariant, reference: Reference) -> GraphReport:
    """The parity of ``variant`` of ``folder``.

    A graph for GPUs is run on CUDA where it opens there. Elsewhere the graph that emulates it is run on the CPU, in
    float32 arithmetic with every weight and every result rounded, and the report says so. The emulation is deleted.
    """
    if variant.file not in HALF_FILES.values():
        return measure(folder, variant, reference)
    stand_in = emulated_file(variant.file)
    try:
        found = _on_cuda(folder, variant, reference) or _emulated(folder, variant, stand_in, reference)
    finally:
        for path in graph_files(folder, stand_in):
            path.unlink()
    return found


def _on_cuda(folder: Path, variant: GraphVariant, reference: Reference) -> GraphReport | None:
    """The parity on the GPU; None where there is none that opens the graph."""
    if not offers(CUDA):
        return None
    try:
        return measure(folder, variant, reference, device="cuda")
    except EngineError:
        return None


def _emulated(folder: Path, variant: GraphVariant, stand_in: str, reference: Reference) -> GraphReport:
    return replace(
        measure(folder, GraphVariant(stand_in, "onnx"), reference),
        file=variant.file,
        dtype=variant.dtype,
        cpu_features=variant.cpu_features,
        megabytes=megabytes(folder, variant.file),
        arithmetic="float32",
    )


def check_half(reports: Iterable[GraphReport]) -> list[str]:
    """Notes on graphs for GPUs; raises ExportError for a lowest cosine below 0.99 in float16, 0.9 in bfloat16."""
    notes = []
    for report in reports:
        if report.file not in HALF_FILES.values():
            continue
        gate = _GATES[report.dtype]
        if not report.cosine_min >= gate:
            raise ExportError(
                f"{report.file} reaches a cosine of {report.cosine_min:.6f} at worst, for "
                f"{str(report.worst_text)[:60]!r}; expected {gate}, so nothing was written. Leave {report.dtype} out "
                "(--dtype, --fp16), or try the other of float16 and bfloat16"
            )
        if report.arithmetic is not None:
            notes.append(
                f"{report.file} was compared on this CPU, in {report.arithmetic} arithmetic with every weight and "
                f"every result rounded to {report.dtype}: no GPU was here"
            )
        if report.cosine_min < LOSSLESS_COSINE:
            notes.append(
                f"{report.file} is below {LOSSLESS_COSINE}, so dtype='auto' does not take it; ask for "
                f"dtype={report.dtype!r}"
            )
    return notes
