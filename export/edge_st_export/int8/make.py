"""Int8 graphs for an exported folder: calibrate, fit, search, write, measure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_st.comparison.running import measure_model
from edge_st.verification.outputs import plain_output
from edge_st.verification.variants import Variant, open_variant
from edge_st_runtime.errors import DamagedFileError, EngineError
from edge_st_runtime.folder import read_folder

from ..errors import ExportError
from ..graph_files import ONNX_FILE
from ..verify import GraphReport, Part, Reference, graph_files, measure, nearness
from .files import INT8_FILES
from .options import Int8
from .search import Attempt, search, table
from .subject import Subject, fitted
from .write import write_int8

_DAMAGE_TEXTS = 64


@dataclass(frozen=True)
class Made:
    """The int8 graphs that pass the gate, what was tried, and what there is to say about it."""

    graphs: tuple[GraphReport, ...] = ()
    tried: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()


def make_int8(folder: Path, engines: Sequence[str], options: Int8, reference: Reference) -> Made:
    """Write the int8 graphs for ``engines`` beside the float32 ONNX graphs of ``folder``.

    ``reference`` is what the original gave. Raises ExportError where no variant passes the gate, there is nothing to
    compute in int8, or a data set tells nothing; InputError for calibration texts that the model does not take.
    """
    work = _Work(folder, options, reference)
    left, tried = search(list(work.keys), options.gate, work.attempt, work.damage)
    made, notes = [tried[-1].report], []
    for engine in (engine for engine in engines if engine != "onnx"):
        report, why = work.report_or_reason(left, engine)
        made += [report] if report else []
        notes += [f"int8 for {engine} is left out: {why}"] if why else []
    for engine in INT8_FILES:
        if engine not in [graph.engine for graph in made]:
            work.remove(engine)
    return Made(tuple(made), tuple(tried), tuple(notes))


class _Work:
    """A folder while its int8 graphs are made; every attempt is written into it and run as users will."""

    def __init__(self, folder: Path, options: Int8, reference: Reference) -> None:
        self.folder, self.options, self.reference = folder, options, reference
        self.plain_metrics = self._metrics(Variant(ONNX_FILE, "onnx"))
        for name, value in self.plain_metrics.items():
            if not value > 0:
                raise ExportError(
                    f"the model reaches {value:.4f} on {name}, of which no share can be kept; leave it out"
                )
        self.subjects: list[Subject] = fitted(folder, options.texts(read_folder(folder).model_type))
        self.keys = {key for subject in self.subjects for key in subject.fits}
        if not self.keys:
            raise ExportError("the model has no product with a constant matrix of 64 by 64 or more; leave int8 out")

    def attempt(self, left: Set[str], engine: str = "onnx") -> Attempt:
        """All groups but ``left`` in int8, measured."""
        self._write(engine, self.keys - left)
        report = measure(self.folder, Variant(INT8_FILES[engine], engine, "int8"), self.reference)
        found = Attempt(len(left), len(self.keys), report)
        if not found.passes(self.options.gate):
            return found
        return replace(found, shares=self._shares(engine))

    def report_or_reason(self, left: Set[str], engine: str) -> tuple[GraphReport | None, str]:
        """The same for an engine that may do without: the report of what passes, or why there is none."""
        try:
            found = self.attempt(left, engine)
        except (ExportError, DamagedFileError, EngineError) as error:
            return None, str(error)
        if found.passes(self.options.gate):
            return found.report, ""
        return None, f"it misses the gate {self.options.gate}\n{table([found])}"

    def damage(self, key: str) -> float:
        """How far the vectors move when only this group is int8."""
        self._write("onnx", {key})
        model = open_variant(self.folder, Variant(INT8_FILES["onnx"], "onnx", "int8"))
        part = self._part_of_damage
        found = plain_output(model, list(part.texts), None, part.task)
        return float(1 - nearness(found, part).mean())

    def remove(self, engine: str) -> None:
        """Delete the engine's int8 graphs."""
        for path in graph_files(self.folder, INT8_FILES[engine]):
            path.unlink()

    def _write(self, engine: str, keys: Set[str]) -> None:
        self.remove(engine)
        for subject in self.subjects:
            fits = [fit for key, fit in subject.fits.items() if key in keys]
            folder = (subject.path / ONNX_FILE).parent
            write_int8(subject.model, folder, fits, engine, subject.path / INT8_FILES[engine])

    @cached_property
    def _part_of_damage(self) -> Part:
        part = self.reference[0]
        kept = slice(None, None, max(1, len(part.texts) // _DAMAGE_TEXTS))
        return replace(part, texts=part.texts[kept], embeddings=part.embeddings[kept])

    def _shares(self, engine: str) -> Mapping[str, float]:
        """What is kept of each data set's metric."""
        found = self._metrics(Variant(INT8_FILES[engine], engine, "int8"))
        return {name: value / self.plain_metrics[name] for name, value in found.items()}

    def _metrics(self, variant: Variant) -> dict[str, float]:
        if not self.options.evaluation:
            return {}
        model = open_variant(self.folder, variant)
        found: dict[str, Any] = {}
        for data in self.options.evaluation:
            measured = measure_model(model, data)
            found[f"{data.name} {measured.measure}"] = measured.metrics[measured.measure]
        return found
