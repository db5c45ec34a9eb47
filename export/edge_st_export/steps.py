"""The steps of an export: save, convert, compare with the original, quantize, record.

The folder appears whole or not at all.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_st.models.classes import open_model
from edge_st.verification.outputs import gives_tokens, plain_output
from edge_st.verification.variants import GraphVariant
from edge_st_runtime.machine.cpu import has_bfloat16
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER
from edge_st_runtime.model.folder import ModelFolder
from edge_st_runtime.model.record import LOSSLESS_COSINE, read_record

from .errors import ExportError, converting
from .folder.atomic import new_folder
from .folder.head_parity import compare_heads
from .folder.layout import save_layout
from .folder.parity import GraphReport, check_gate, parity
from .folder.record import write_record
from .graph.fused import unfused_notes, with_fused
from .graph.half_parity import check_half, measured
from .graph.heads import write_heads_file
from .graph.leading_modules import find_leading_modules, weights_digest_of
from .graph.writing import write_graphs
from .int8.quantize import MINUTES, Quantized, quantize_folder
from .original.adapters import merged
from .original.head_files import notes_on, read_head_files
from .original.loading import Source, find_source, load_original
from .original.reference import Reference, compute_reference
from .original.texts import is_golden, texts_for
from .original.unbatched import comparable
from .plan import Plan
from .progress import Progress, silent_libraries
from .report import ExportReport, Int8MissedError


def run(plan: Plan) -> ExportReport:
    """Export as ``plan`` says; raises as `export_model` does."""
    source = find_source(plan.model, plan.revision, plan.token, plan.task)
    plan.check_source(source)
    progress = Progress(plan.steps(source), plan.quiet)
    with silent_libraries():
        original = _load(source, plan, progress)
        model = merged(original) if source.adapters else original
        with new_folder(plan.target, force=plan.force) as folder:
            layout = save_layout(model, source, folder)
            weights = weights_digest_of(model, layout)
            heads = read_head_files(source, model, layout)
            leading = find_leading_modules(model, layout, heads)
            write_heads_file(heads, folder)
            reference = _encode_reference(original, layout, progress)
            written = write_graphs(
                leading, plan.engines, plan.optimize, plan.halves, reference[0].golden_texts, progress
            )
            graphs, notes = _compare(folder, written.variants or [_tables(folder)], reference, progress)
            check_gate(graphs, plan.gate, dense=source.model_type == SENTENCE_TRANSFORMER)
            notes += check_half(graphs)
            int8 = _quantize(folder, reference, plan, progress)
            graphs = [with_fused(folder, graph) for graph in (*graphs, *int8.graphs)]
            graphs, golden = compare_heads(folder, graphs, model, heads, plan.gate)
            progress.step("writing the record")
            write_record(folder, source, weights, reference, graphs, {**written.entries, **int8.entries, **golden})
            _check_finished(folder, reference, plan)
    notes = [*notes, *unfused_notes(graphs), *_source_notes(source, plan), *notes_on(heads), *int8.notes]
    report = ExportReport(plan.target, source.model_type, tuple(graphs), tuple(notes), int8.tried)
    if int8.missed is not None:
        raise Int8MissedError(int8.missed, report, int8.accepting)
    return report


def _load(source: Source, plan: Plan, progress: Progress) -> Any:
    """The original in PyTorch, once all conversion libraries are imported."""
    progress.step(f"loading {source.name} in PyTorch")
    if source.needs_graph:
        plan.import_libraries()
    return load_original(source, trust_remote_code=plan.trust_remote_code)


def _encode_reference(original: Any, layout: ModelFolder, progress: Progress) -> Reference:
    """What the original gives; raises ExportError where it fails or encodes none of the golden texts."""
    progress.step("encoding the comparison texts with the original")
    limits = [route.max_seq_length(None) or 0 for route in layout.routes.values() if route.needs_graph]
    wanted = texts_for(layout.model_type, max(limits, default=0))
    model, texts = comparable(original, wanted, layout.tasks)
    tokens = gives_tokens(original)
    if not any(is_golden(text, tokens=tokens) for text in texts):
        raise ExportError("the original encodes none of the comparison texts; check it with sentence-transformers")
    with converting("encoding with the original", "check it with sentence-transformers"):
        return compute_reference(model, original.prompts, layout.tasks, texts)


def _tables(folder: Path) -> GraphVariant:
    """The one variant of a model that needs no graph: its tables, in NumPy."""
    return GraphVariant(open_model(folder).info()["graph"], "numpy")


def _compare(
    folder: Path, variants: Sequence[GraphVariant], reference: Reference, progress: Progress
) -> tuple[list[GraphReport], list[str]]:
    """The parity of each variant with the original, and notes on OpenVINO in bfloat16 where it is left out.

    It is left out where the CPU cannot run it and where it is not lossless. Nothing has to be deleted, for its file is
    that of float32.
    """
    progress.step("comparing every variant with the original")
    measurable = [each for each in variants if (each.engine, each.dtype) != ("openvino", "bfloat16") or has_bfloat16()]
    notes = [] if len(measurable) == len(variants) else ["bfloat16 is not in the record: this CPU cannot measure it"]
    graphs = [measured(folder, variant, reference) for variant in measurable]
    on_openvino = [graph for graph in graphs if graph.engine == "openvino"]
    lossy = [graph for graph in on_openvino if graph.dtype == "bfloat16" and graph.cosine_min < LOSSLESS_COSINE]
    notes += [
        f"bfloat16 is not in the record: its lowest cosine is {graph.cosine_min:.6f}, below {LOSSLESS_COSINE}"
        for graph in lossy
    ]
    return [graph for graph in graphs if graph not in lossy], notes


def _quantize(folder: Path, reference: Reference, plan: Plan, progress: Progress) -> Quantized:
    if plan.int8 is None:
        return Quantized()
    progress.step(f"quantizing to int8; a search for what must stay float32 ends after {MINUTES} minutes of CPU")
    return quantize_folder(folder, plan.engines, plan.int8, reference, progress.say)


def _check_finished(folder: Path, reference: Reference, plan: Plan) -> None:
    """Open the folder by its record, as users will, and compare it once more; raises ExportError."""
    dtype = "float32" if plan.int8 is not None and plan.int8.default else "auto"
    model = open_model(folder, dtype=dtype)
    first = reference[0]
    lowest = parity(plain_output(model, list(first.texts), None, first.task), first).min()
    record = read_record(folder)
    if record is None or model.fingerprint != record.fingerprint or not lowest >= min(plan.gate, LOSSLESS_COSINE):
        raise ExportError(f"the finished folder does not reproduce its record (cosine {lowest:.6f}); report this bug")


def _source_notes(source: Source, plan: Plan) -> list[str]:
    """What was merged, and a hint for a masked language model, which may have been meant as a sparse encoder."""
    notes = [f"the adapter is merged into its base model {adapter.name}" for adapter in source.adapters]
    if plan.task is None and source.architecture.endswith("ForMaskedLM"):
        notes.append("taken as sentence-embedding; task='sparse-encoder' (--task) makes a SPLADE model of it")
    return notes
