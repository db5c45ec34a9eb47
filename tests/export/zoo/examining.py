"""Export a case of the zoo, and compare what the export gives with what the original gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from edge_st import SentenceTransformer
from edge_st.models.classes import open_model
from edge_st.verification.checks import compare
from edge_st.verification.comparison import Comparison, compared
from edge_st_export import ExportReport, export_model
from edge_st_export.original.loading import find_source, load_original
from edge_st_export.original.texts import ALL, PAIRS
from edge_st_export.original.unbatched import comparable
from edge_st_export.plan import ENGINES
from edge_st_export.stack import version_of
from edge_st_runtime.model.classes import CROSS_ENCODER
from tests.export.remembered import Remembered
from tests.export.zoo.answers import answers
from tests.export.zoo.building import NUMPY
from tests.export.zoo.cases import CASES, CONVERTED
from tests.support.made_once import MadeOnce

#: engine → outputs
Results: TypeAlias = Mapping[str, Sequence[Comparison]]
_LONG = 1000


class Zoo:
    """The originals and exports of the cases, each made once a session; nobody may change them."""

    def __init__(self, once: MadeOnce) -> None:
        self._once = once

    def original(self, name: str) -> Path:
        """The original of the case ``name``."""
        path: Path = self._once(f"zoo-{name}", CASES[name].build)
        return path

    def exported(self, name: str) -> ExportReport:
        """Its export."""
        original = self.original(name)
        report: ExportReport = self._once(f"zoo-{name}-exported", lambda folder: export(name, original, folder / "out"))
        return report


def export(name: str, original: Path, out: Path) -> ExportReport:
    """Export the case ``name``.

    For speed there is an OpenVINO graph of `CONVERTED` cases only; of the others OpenVINO runs the ONNX graph, as it
    does of all where optimum-intel is not installed.
    """
    case = CASES[name]
    engines = ENGINES if name in CONVERTED and version_of("optimum-intel") else ENGINES[:1]
    trust = case.trust_remote_code
    return export_model(original, out, engines=engines, task=case.task, trust_remote_code=trust, quiet=True)


def examine(name: str, original: Path, out: Path) -> Results:
    """Compare every public output of the case ``name`` in float32 with the original's."""
    case = CASES[name]
    source = find_source(original, None, None, case.task)
    peer = load_original(source, trust_remote_code=case.trust_remote_code)
    short = [text for text in ALL if case.long_text is None or len(text) < _LONG]
    texts = PAIRS if source.model_type == CROSS_ENCODER else short
    backends = {engine: "auto" if case.engines == NUMPY else engine for engine in case.engines}
    models = {engine: open_model(out, backend=backend, dtype="float32") for engine, backend in backends.items()}
    asked, texts = comparable(peer, texts, next(iter(models.values())).tasks)
    remembered = Remembered(asked)
    found = {}
    for engine, model in models.items():
        found[engine] = [*answers(model, peer), *compare(model, remembered, texts)]
        if case.long_text is not None and isinstance(model, SentenceTransformer):
            long = [case.long_text]
            found[engine].insert(0, compared("a long text", model.encode(long), peer.encode(long)))
    return found
