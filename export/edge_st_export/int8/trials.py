"""A folder whose int8 graphs are being tried: every attempt is written into it and run as users will run it."""

from collections.abc import Callable, Set
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

from edge_st.comparison.running import measure_model
from edge_st.verification.variants import GraphVariant, open_variant
from edge_st_runtime.model.folder import read_folder

from ..errors import ExportError
from ..folder.parity import measure
from ..folder.paths import INT8_FILES, ONNX_FILE, graph_files
from ..original.reference import Reference
from .fitted_graphs import FittedGraph, fit_graphs
from .heads import HeadStandard
from .kept_fits import Kept, of_attempt, to_attempt
from .odd_texts import odd_texts
from .options import Int8
from .quality import Standard
from .search import Attempt
from .write import write_among, write_int8

#: how much one product loses is measured on every fifth passage
_PROBED_EVERY = 5
_ALONE = GraphVariant("onnx/model_int8_alone.onnx", "onnx", "int8")


class Trials:
    """The fits of a folder, and what variants made of them keep.

    ``reference`` is what the original gives. ``say`` is told how far it is. Raises ExportError where nothing can be
    computed in int8, or the float32 model scores 0 on a data set; InputError for calibration texts that the model does
    not take.
    """

    def __init__(self, folder: Path, options: Int8, reference: Reference, say: Callable[[str], None]) -> None:
        self.folder, self.options, self.reference, self.say = folder, options, reference, say
        described, plain = read_folder(folder), open_variant(folder, GraphVariant(ONNX_FILE, "onnx"))
        self.plain_metrics = self._metrics(plain)
        for name, value in self.plain_metrics.items():
            if not value > 0:
                raise ExportError(
                    f"the model reaches {value:.4f} on {name}, of which no share can be kept; leave that set out"
                )
        texts = options.texts(described.model_type), odd_texts(described.model_type)
        self.kept = Kept(graph_files(folder, ONNX_FILE), chain(*texts))
        self.graphs: list[FittedGraph] = fit_graphs(folder, texts, self.kept, say)
        self.keys = {key for graph in self.graphs for key in graph.fits}
        if not self.keys:
            raise ExportError("the model has no MatMul with a constant matrix of 64 by 64 or more; leave int8 out")
        self._standard = partial(Standard, plain, described.model_type, described.tasks)
        self.standard = self._standard()
        self.heads = HeadStandard(folder, GraphVariant(ONNX_FILE, "onnx"), options.gate)

    @cached_property
    def quick_standard(self) -> Standard:
        """What one product's loss is measured with, where there is a search."""
        return self._standard(_PROBED_EVERY)

    def attempt(self, engine: str, left: Set[str]) -> Attempt:
        """Write all groups but ``left`` in int8, and measure the variant.

        One that is known to miss the gate is not written again, where there are no data sets to measure.
        """
        name = f"{engine} without {sorted(left)}"
        kept = self.kept.measurements().get(name)
        known = None if kept is None or self.options.evaluation else to_attempt(kept)
        found = known if known is not None and known.shortfall(self.options.gate) else self._measured(engine, left)
        if found.shortfall(self.options.gate) and not found.shares:
            self.kept.keep_measurement(name, of_attempt(found))
        self.say(str(found))
        return found

    def sensitivity(self, key: str) -> float:
        """How much ordinary texts lose on ONNX Runtime when only this group is int8."""
        known = self.kept.measurements().get(key)
        if known is None:
            try:
                for graph in self.graphs:
                    alone = [fit for name, fit in graph.fits.items() if name == key]
                    write_among(graph.model, alone, graph.path / _ALONE.file)
                known = 1 - self.quick_standard.quality(open_variant(self.folder, _ALONE)).cosine_mean
            finally:
                self._remove(_ALONE)
            self.kept.keep_measurement(key, known)
        return float(known)

    def remove(self, engine: str) -> None:
        """Delete the engine's int8 graphs."""
        self._remove(_variant(engine))

    def _measured(self, engine: str, left: Set[str]) -> Attempt:
        variant = _variant(engine)
        self._write(variant, self.keys - left)
        report, model = measure(self.folder, variant, self.reference), open_variant(self.folder, variant)
        found = Attempt(len(left), len(self.keys), report, self.standard.quality(model))
        shares = {name: value / self.plain_metrics[name] for name, value in self._metrics(model).items()}
        return replace(found, shares=shares | self.heads.shares(variant))

    def _write(self, variant: GraphVariant, keys: Set[str]) -> None:
        self._remove(variant)
        for graph in self.graphs:
            fits = [fit for key, fit in graph.fits.items() if key in keys]
            folder = (graph.path / ONNX_FILE).parent
            write_int8(graph.model, folder, fits, variant.engine, graph.path / variant.file)

    def _remove(self, variant: GraphVariant) -> None:
        for path in graph_files(self.folder, variant.file):
            path.unlink()

    def _metrics(self, model: Any) -> dict[str, float]:
        found: dict[str, Any] = {}
        for data in self.options.evaluation:
            measured = measure_model(model, data)
            found[f"{data.name} {measured.primary_metric}"] = measured.metrics[measured.primary_metric]
        return found


def _variant(engine: str) -> GraphVariant:
    return GraphVariant(INT8_FILES[engine], engine, "int8")
