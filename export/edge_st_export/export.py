"""Export a model: save, convert, optimize, compare with the original, describe. Everything or nothing is written."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st.models.classes import open_model
from edge_st.verification.outputs import plain_output
from edge_st.verification.variants import GraphVariant
from edge_st_runtime.errors import OptionError
from edge_st_runtime.machine.cpu import has_bfloat16
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER
from edge_st_runtime.model.fingerprint import joined_digest
from edge_st_runtime.model.folder import ModelFolder, plain_architecture
from edge_st_runtime.model.record import LOSSLESS_COSINE, read_record
from edge_st_runtime.text.tokens import TextOrPair

from .errors import ExportError
from .folder.graph_files import ONNX_FILE
from .folder.layout import save_layout
from .folder.new_folder import check_target, new_folder
from .folder.record import Testimony, write_record
from .folder.verify import GATE, GraphReport, Reference, check_gate, make_reference, measure, nearness
from .graph.convert import to_onnx
from .graph.fused import unfused_notes, with_fused
from .graph.heads import Head, digest_of_route, unused_copies
from .graph.ir import OPENVINO_FILE, to_openvino
from .graph.optimize import FLOAT16_LEVEL, optimize, optimized_file
from .int8.make import Made, make_int8
from .int8.options import Int8
from .int8.search import Attempt, table
from .original.alone import comparable
from .original.loading import Source, find_source, load_original, torch_routes
from .original.texts import is_golden, texts_for
from .plan import ENGINES, Plan, checked_plan
from .progress import Progress, silent_libraries


@dataclass(frozen=True)
class ExportReport:
    """What was written to ``path``: the graphs with their nearness to the original, and what was left out and why."""

    path: Path
    model_type: str
    graphs: tuple[GraphReport, ...]
    notes: tuple[str, ...]
    tried: tuple[Attempt, ...] = ()

    def table(self) -> str:
        """One line a variant, then what was tried for int8, then the notes."""
        head = f"{'variant':<20}{'file':<34}{'MB':>9}{'cosine min':>13}{'mean':>12}{'ms':>8}"
        rows = [
            f"{f'{graph.engine} {graph.dtype}':<20}{graph.file:<34}{graph.megabytes:>9.1f}"
            f"{graph.cosine_min:>13.7f}{graph.cosine_mean:>12.7f}{graph.milliseconds:>8.2f}"
            for graph in self.graphs
        ]
        tried = [f"tried for int8:\n{table(self.tried)}"] if self.tried else []
        return "\n".join([head, *rows, *tried, *(f"note: {note}" for note in self.notes)])


def export_model(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engines: Sequence[str] = ENGINES,
    optimize: str | None = None,
    fp16: bool = False,
    revision: str | None = None,
    token: str | bool | None = None,
    trust_remote_code: bool = False,
    task: str | None = None,
    gate: float = GATE,
    int8: Int8 | None = None,
    force: bool = False,
    quiet: bool = False,
) -> ExportReport:
    """Write ``model``, a Hub name or a folder, to the folder ``out`` in the form that edge-st runs without PyTorch.

    ``engines`` chooses among "onnx" and "openvino". ``optimize`` ("O1", "O2", "O3") adds a graph that ONNX Runtime's
    optimizer fused beforehand; ONNX Runtime fuses the plain one when it loads it, and on CPUs that has measured
    faster. ``fp16`` adds onnx/model_O4.onnx, for GPUs. ``task`` ("sentence-embedding", "cross-encoder",
    "sparse-encoder") is needed where the model is a plain transformer that may become several.

    Each variant runs over difficult texts; where the CPU has bfloat16, OpenVINO in bfloat16 is measured too and
    recorded if its worst cosine is at least 0.9999. ``gate`` is the least cosine that a float32 variant may have at
    worst; scores and sparse weights must also be within 1e-4 of the original's, and 210 queries must rank their
    documents in its order. ``int8`` adds a graph in int8 for each engine, made within a gate of its own: see `Int8`.
    ``force`` replaces an existing model folder. Progress goes to standard error unless ``quiet``.

    Raises UnsupportedModelError before any download of weights, ExportError for a failed conversion or a variant
    below the gate, OptionError, FolderError and HubError. Whatever is raised, ``out`` stays as it was.
    """
    plan = checked_plan(engines, optimize, fp16, gate, int8)
    target = Path(out)
    check_target(target, force=force)
    source = find_source(model, revision, token, task)
    if int8 is not None:
        if not source.needs_graph:
            raise OptionError(f"{source.name} has no graph that int8 would make faster; leave int8 out")
        int8.check(source.model_type)
    progress = Progress(4 + plan.conversions if source.needs_graph else 4, quiet)
    progress.step(f"loading {source.name} in PyTorch")
    with silent_libraries():
        if source.needs_graph:
            plan.import_libraries()
        original = load_original(source, trust_remote_code=trust_remote_code)
        with new_folder(target, force=force) as folder:
            graphs, made, notes = _fill(folder, original, source, plan, progress)
    if task is None and (plain_architecture(source.folder) or "").endswith("ForMaskedLM"):
        notes.append("taken as sentence-embedding; task='sparse-encoder' (--task) makes a SPLADE model of it")
    return ExportReport(target, source.model_type, tuple(graphs), (*notes, *made.notes), made.tried)


def _fill(
    folder: Path, original: Any, source: Source, plan: Plan, progress: Progress
) -> tuple[list[GraphReport], Made, list[str]]:
    described = save_layout(original, source, folder)
    digest, heads = _first_modules(original, described)
    progress.step("encoding the texts of comparison with the original")
    reference = make_reference(*_compared(original, described))
    variants, notes = _convert(heads, plan, progress) if heads else ([_tables(folder)], [])
    progress.step("comparing every variant with the original")
    graphs = [measure(folder, variant, reference) for variant in variants]
    check_gate(graphs, plan.gate, dense=source.model_type == SENTENCE_TRANSFORMER)
    graphs, notes = _lossless_only(graphs, notes)
    made = _int8(folder, plan, reference, progress)
    graphs = [with_fused(folder, graph) for graph in (*graphs, *made.graphs)]
    progress.step("writing the record")
    texts, golden = reference[0].golden_texts, [part.golden for part in reference]
    testimony = Testimony(source.name, source.revision, source.model_type, digest, texts, golden)
    write_record(folder, testimony, graphs, None if plan.int8 is None else plan.int8.entry(made.tried))
    dtype = "float32" if plan.int8 is not None and plan.int8.default else "auto"
    _check_finished(folder, reference, min(plan.gate, LOSSLESS_COSINE), dtype)
    return graphs, made, [*notes, *unfused_notes(graphs)]


def _int8(folder: Path, plan: Plan, reference: Reference, progress: Progress) -> Made:
    if plan.int8 is None:
        return Made()
    progress.step("computing in int8, and searching for what must stay float32")
    return make_int8(folder, plan.engines, plan.int8, reference)


def _compared(
    original: Any, described: ModelFolder
) -> tuple[Any, Mapping[str, str], list[str | None], list[TextOrPair]]:
    """The arguments of `make_reference`; raises ExportError where the original encodes none of the golden texts."""
    peer, texts = comparable(original, texts_for(described.model_type), described.tasks)
    if not any(map(is_golden, texts)):
        raise ExportError("the original encodes none of the texts of comparison; check it with sentence-transformers")
    return peer, original.prompts, described.tasks, texts


def _tables(folder: Path) -> GraphVariant:
    """What runs a model without a graph."""
    return GraphVariant(open_model(folder).info()["graph"], "numpy")


def _first_modules(original: Any, described: ModelFolder) -> tuple[str, list[Head]]:
    """A digest of the weights that are not part of a module after the first, and what becomes a graph."""
    modules = torch_routes(original)
    digests, heads = {}, {}
    for name, route in described.routes.items():
        leading = modules[name][: 1 + route.modules_exported]
        digests[route.path] = digest_of_route(route, leading)
        if route.needs_graph:
            heads[route.path] = Head(route.path, unused_copies(leading), route)
    return joined_digest(digests.values()), list(heads.values())


def _convert(heads: list[Head], plan: Plan, progress: Progress) -> tuple[list[GraphVariant], list[str]]:
    """Write the graphs that the plan asks for, of every first module that has one."""
    variants, notes = [], []
    if "onnx" in plan.engines:
        progress.step("converting to ONNX")
        for head in heads:
            to_onnx(head)
        variants.append(GraphVariant(ONNX_FILE, "onnx"))
    if plan.optimize:
        progress.step(f"optimizing for ONNX Runtime ({plan.optimize})")
        for head in heads:
            optimize(head.path / ONNX_FILE, head.config, plan.optimize)
        variants.insert(0, GraphVariant(optimized_file(plan.optimize), "onnx"))
    if plan.fp16:
        progress.step("converting to float16 for GPUs")
        for head in heads:
            optimize(head.path / ONNX_FILE, head.config, FLOAT16_LEVEL)
        variants.append(GraphVariant(optimized_file(FLOAT16_LEVEL), "onnx", "float16"))
    if "openvino" in plan.engines:
        progress.step("converting to OpenVINO")
        for head in heads:
            to_openvino(head)
        variants.append(GraphVariant(OPENVINO_FILE, "openvino"))
        if has_bfloat16():
            variants.append(GraphVariant(OPENVINO_FILE, "openvino", "bfloat16"))
        else:
            notes.append("bfloat16 is not in the record: this CPU cannot measure it")
    return variants, notes


def _lossless_only(graphs: list[GraphReport], notes: list[str]) -> tuple[list[GraphReport], list[str]]:
    """bfloat16 stays where it is lossless; it is the same file as float32, so nothing has to be deleted."""
    kept = [graph for graph in graphs if graph.dtype != "bfloat16" or graph.cosine_min >= LOSSLESS_COSINE]
    lost = [graph for graph in graphs if graph not in kept]
    return kept, notes + [
        f"bfloat16 is not in the record: its worst cosine is {graph.cosine_min:.6f}, below {LOSSLESS_COSINE}"
        for graph in lost
    ]


def _check_finished(folder: Path, reference: Reference, least: float, dtype: str) -> None:
    """Open the folder as a user will, by its record, and compare once more."""
    model = open_model(folder, dtype=dtype)
    first = reference[0]
    nearest = nearness(plain_output(model, list(first.texts), None, first.task), first).min()
    record = read_record(folder)
    if record is None or model.fingerprint != record.fingerprint or not nearest >= least:
        raise ExportError(f"the finished folder does not reproduce its record (cosine {nearest:.6f}); report this bug")
