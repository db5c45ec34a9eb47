"""Int8 graphs for an exported folder: calibrate, fit, search, write, measure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from edge_st.comparison.running import measure_model
from edge_st.verification.outputs import plain_output
from edge_st.verification.variants import GraphVariant, open_variant
from edge_st_runtime.errors import DamagedFileError, EngineError
from edge_st_runtime.model.folder import read_folder

from ..errors import ExportError
from ..folder.graph_files import INT8_FILES, ONNX_FILE
from ..folder.verify import GraphReport, Part, Reference, graph_files, measure, nearness
from .options import Int8
from .search import Attempt, search
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

    ``reference`` is what the original gave. Each engine's graph is searched for within the gate; ONNX Runtime's must be
    found, another's is left out with a note. Raises ExportError where no variant passes the gate, there is nothing to
    compute in int8, or a data set tells nothing; InputError for calibration texts that the model does not take.
    """
    work, made, tried, notes = _Work(folder, options, reference), list[GraphReport](), list[Attempt](), list[str]()
    for engine in ("onnx", *(each for each in engines if each != "onnx")):
        attempt, damage = partial(work.attempt, engine), partial(work.damage, engine)
        try:
            _, found = search(list(work.keys), options.gate, attempt, damage)
        except (ExportError, DamagedFileError, EngineError) as error:
            if engine == "onnx":
                raise
            work.remove(engine)
            notes.append(f"int8 for {engine} is left out: {error}")
        else:
            made.append(found[-1].report)
            tried += found
    return Made(tuple(made), tuple(tried), tuple(notes))


class _Work:
    """A folder while its int8 graphs are made; every attempt is written into it and run as users will."""

    def __init__(self, folder: Path, options: Int8, reference: Reference) -> None:
        self.folder, self.options, self.reference = folder, options, reference
        self.plain_metrics = self._metrics(GraphVariant(ONNX_FILE, "onnx"))
        for name, value in self.plain_metrics.items():
            if not value > 0:
                raise ExportError(
                    f"the model reaches {value:.4f} on {name}, of which no share can be kept; leave it out"
                )
        self.subjects: list[Subject] = fitted(folder, options.texts(read_folder(folder).model_type))
        self.keys = {key for subject in self.subjects for key in subject.fits}
        if not self.keys:
            raise ExportError("the model has no product with a constant matrix of 64 by 64 or more; leave int8 out")

    def attempt(self, engine: str, left: Set[str]) -> Attempt:
        """All groups but ``left`` in int8, measured."""
        self._write(engine, self.keys - left)
        report = measure(self.folder, GraphVariant(INT8_FILES[engine], engine, "int8"), self.reference)
        found = Attempt(len(left), len(self.keys), report)
        if not found.passes(self.options.gate):
            return found
        return replace(found, shares=self._shares(engine))

    def damage(self, engine: str, key: str) -> float:
        """How far the vectors move when only this group is int8."""
        self._write(engine, {key})
        model = open_variant(self.folder, GraphVariant(INT8_FILES[engine], engine, "int8"))
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
