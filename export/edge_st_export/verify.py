"""Compare the graphs of a model folder, each run by edge-st itself, with the vectors of the original."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge_st import SentenceTransformer
from edge_st.verification import FLOAT32_COSINE, Variant, cosines, open_variant
from edge_st_runtime.arrays import Floats
from edge_st_runtime.folder import read_folder
from edge_st_runtime.record import Golden

from .errors import ExportError
from .texts import ALL, GOLDEN

GATE = FLOAT32_COSINE
_SHORT_TEXT = "How do I reset the password of my router?"
_RUNS = 25
_FEW = 4  # the original pads a batch to its longest text


@dataclass(frozen=True)
class GraphReport:
    """How near a variant comes to the original over all texts, and what it costs.

    ``milliseconds`` is the median for one short text on the machine of the export; ``megabytes`` (10⁶ bytes) is the
    graph with its weights.
    """

    file: str
    engine: str
    dtype: str
    cpu_features: tuple[str, ...]
    cosine_min: float
    cosine_mean: float
    max_abs_difference: float
    milliseconds: float
    megabytes: float
    worst_text: str = field(default="", repr=False)

    def entry(self) -> dict[str, Any]:
        """The row of the record."""
        kept = {name: value for name, value in asdict(self).items() if name != "worst_text"}
        return {**kept, "cpu_features": list(self.cpu_features)}


@dataclass(frozen=True, eq=False)
class Part:
    """Vectors (texts, dim) of the original, as encoded with a prompt (None: without naming one) and a task."""

    prompt_name: str | None
    task: str | None
    texts: tuple[str, ...]
    embeddings: Floats

    @property
    def golden_texts(self) -> list[str]:
        """The golden ones among the texts."""
        return [text for text in self.texts if text in GOLDEN]

    @property
    def golden(self) -> Golden:
        """The vectors of the golden texts."""
        rows = [row for row, text in enumerate(self.texts) if text in GOLDEN]
        return Golden(self.prompt_name, self.task, self.embeddings[rows])


Reference: TypeAlias = tuple[Part, ...]


def make_reference(
    model: Any, prompts: Mapping[str, str | None], tasks: Sequence[str | None], texts: Sequence[str] = ALL
) -> Reference:
    """Encode ``texts`` with ``model``, the original or an edge-st one, and the golden texts with each prompt too."""
    golden = tuple(text for text in texts if text in GOLDEN)
    calls: list[tuple[str | None, str | None, tuple[str, ...]]] = [(None, task, tuple(texts)) for task in tasks]
    calls += [(name, tasks[0], golden) for name, prompt in sorted(prompts.items()) if prompt]
    return tuple(Part(name, task, texts, _encode(model, texts, name, task)) for name, task, texts in calls)


def measure(folder: Path, variant: Variant, reference: Reference) -> GraphReport:
    """Run ``variant`` of ``folder`` over the reference's texts."""
    model = open_variant(folder, variant)
    names = [text for part in reference for text in part.texts]
    found = [_encode(model, part.texts, part.prompt_name, part.task) for part in reference]  # roads may differ in width
    similar = np.concatenate([cosines(own, part.embeddings) for own, part in zip(found, reference, strict=True)])
    worst = int(np.argmin(np.nan_to_num(similar, nan=-1)))
    return GraphReport(
        file=variant.file,
        engine=variant.engine,
        dtype=variant.dtype,
        cpu_features=variant.cpu_features,
        cosine_min=float(similar[worst]),
        cosine_mean=float(similar.mean()),
        max_abs_difference=max(
            float(np.abs(own - part.embeddings).max()) for own, part in zip(found, reference, strict=True)
        ),
        milliseconds=_milliseconds(model, reference[0].task),
        megabytes=sum(path.stat().st_size for path in graph_files(folder, variant.file)) / 1e6,
        worst_text=names[worst],
    )


def check_gate(reports: Iterable[GraphReport], gate: float) -> None:
    """Raise ExportError where a float32 variant's worst cosine is below ``gate``, or no number."""
    for report in reports:
        if report.dtype == "float32" and not report.cosine_min >= gate:
            raise ExportError(
                f"{report.file} reaches a cosine of {report.cosine_min:.7f} at worst, for the text "
                f"{report.worst_text[:60]!r}; the gate is {gate}, so nothing was written. Leave the variant out with "
                "engines= or optimize= (--engine, --optimize), or lower gate= (--gate) if that is near enough"
            )


def graph_files(folder: Path, file: str) -> list[Path]:
    """The graph ``file`` of every road that has it, and the weights that it keeps beside it."""
    found = []
    for path in {road.path for road in read_folder(folder).roads.values()}:
        graph = path / file
        beside = (f"{graph.stem}.bin", f"{graph.name}_data", f"{graph.name}.data")
        found += [graph, *(graph.with_name(name) for name in beside)]
    return [path for path in found if path.is_file()]


def _encode(model: Any, texts: Sequence[str], prompt_name: str | None, task: str | None) -> Floats:
    embeddings = model.encode(list(texts), prompt_name=prompt_name, batch_size=_FEW, show_progress_bar=False, task=task)
    return np.asarray(embeddings, dtype=np.float32)


def _milliseconds(model: SentenceTransformer, task: str | None) -> float:
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        model.encode(_SHORT_TEXT, task=task)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
