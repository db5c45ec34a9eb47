"""Write int8 graphs for an exported folder: calibrate, fit, search, write, measure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edge_st.comparison.running import measure_model
from edge_st.verification.outputs import plain_output
from edge_st.verification.variants import GraphVariant, open_variant
from edge_st_runtime.errors import DamagedFileError, EngineError
from edge_st_runtime.model.folder import read_folder

from ..errors import ExportError
from ..folder.parity import GraphReport, measure, parity
from ..folder.paths import INT8_FILES, ONNX_FILE, graph_files
from ..original.reference import Reference, ReferencePart
from .fitted_graphs import FittedGraph, fit_graphs
from .options import Int8
from .search import Attempt, search
from .write import write_int8

_SENSITIVITY_TEXTS = 64


@dataclass(frozen=True)
class Quantized:
    """The int8 graphs that pass the gate, all attempts, notes on what is left out, and the record's entries."""

    graphs: tuple[GraphReport, ...] = ()
    tried: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()
    entries: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def quantize_folder(folder: Path, engines: Sequence[str], options: Int8, reference: Reference) -> Quantized:
    """Write the int8 graphs for ``engines`` beside the float32 ONNX graphs of ``folder``.

    ``reference`` is what the original gives. For each engine a variant that passes the gate is searched for. ONNX
    Runtime's must be found; that of another engine is left out with a note. Raises ExportError where no variant passes
    the gate, nothing can be computed in int8, or the float32 model scores 0 on a data set; InputError for calibration
    texts that the model does not take.
    """
    trials = _Trials(folder, options, reference)
    graphs, tried, notes = list[GraphReport](), list[Attempt](), list[str]()
    for engine in ("onnx", *(each for each in engines if each != "onnx")):
        attempt, sensitivity = partial(trials.attempt, engine), partial(trials.sensitivity, engine)
        try:
            _, found = search(list(trials.keys), options.gate, attempt, sensitivity)
        except (ExportError, DamagedFileError, EngineError) as error:
            if engine == "onnx":
                raise
            trials.remove(engine)
            notes.append("\n".join((f"int8 for {engine} is left out: {error}", *getattr(error, "__notes__", ()))))
        else:
            graphs.append(found[-1].report)
            tried += found
    return Quantized(tuple(graphs), tuple(tried), tuple(notes), options.entry(tried))


class _Trials:
    """A folder whose int8 graphs are being tried: every attempt is written into it and run as users will run it."""

    def __init__(self, folder: Path, options: Int8, reference: Reference) -> None:
        self.folder, self.options, self.reference = folder, options, reference
        self.plain_metrics = self._metrics(GraphVariant(ONNX_FILE, "onnx"))
        for name, value in self.plain_metrics.items():
            if not value > 0:
                raise ExportError(
                    f"the model reaches {value:.4f} on {name}, of which no share can be kept; leave that set out"
                )
        self.graphs: list[FittedGraph] = fit_graphs(folder, options.texts(read_folder(folder).model_type))
        self.keys = {key for graph in self.graphs for key in graph.fits}
        if not self.keys:
            raise ExportError("the model has no MatMul with a constant matrix of 64 by 64 or more; leave int8 out")

    def attempt(self, engine: str, left: Set[str]) -> Attempt:
        """Write all groups but ``left`` in int8, and measure the variant."""
        self._write(engine, self.keys - left)
        report = measure(self.folder, GraphVariant(INT8_FILES[engine], engine, "int8"), self.reference)
        found = Attempt(len(left), len(self.keys), report)
        if not found.passes(self.options.gate):
            return found
        return replace(found, shares=self._shares(engine))

    def sensitivity(self, engine: str, key: str) -> float:
        """The mean loss of parity when only this group is int8."""
        self._write(engine, {key})
        model = open_variant(self.folder, GraphVariant(INT8_FILES[engine], engine, "int8"))
        part = self._sensitivity_part
        found = plain_output(model, list(part.texts), None, part.task)
        return float(1 - parity(found, part).mean())

    def remove(self, engine: str) -> None:
        """Delete the engine's int8 graphs."""
        for path in graph_files(self.folder, INT8_FILES[engine]):
            path.unlink()

    def _write(self, engine: str, keys: Set[str]) -> None:
        self.remove(engine)
        for graph in self.graphs:
            fits = [fit for key, fit in graph.fits.items() if key in keys]
            folder = (graph.path / ONNX_FILE).parent
            write_int8(graph.model, folder, fits, engine, graph.path / INT8_FILES[engine])

    @cached_property
    def _sensitivity_part(self) -> ReferencePart:
        part = self.reference[0]
        kept = slice(None, None, max(1, len(part.texts) // _SENSITIVITY_TEXTS))
        return replace(part, texts=part.texts[kept], embeddings=part.embeddings[kept])

    def _shares(self, engine: str) -> Mapping[str, float]:
        """The share of each data set's metric that the int8 variant keeps."""
        found = self._metrics(GraphVariant(INT8_FILES[engine], engine, "int8"))
        return {name: value / self.plain_metrics[name] for name, value in found.items()}

    def _metrics(self, variant: GraphVariant) -> dict[str, float]:
        if not self.options.evaluation:
            return {}
        model = open_variant(self.folder, variant)
        found: dict[str, Any] = {}
        for data in self.options.evaluation:
            measured = measure_model(model, data)
            found[f"{data.name} {measured.primary_metric}"] = measured.metrics[measured.primary_metric]
        return found
