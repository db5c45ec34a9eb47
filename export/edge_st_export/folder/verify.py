"""Compare the graphs of a model folder, each run by edge-st itself, with the vectors of the original."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge_st.verification.comparison import FLOAT32_DIFFERENCE, queries_in_order
from edge_st.verification.outputs import plain_output
from edge_st.verification.variants import GraphVariant, open_variant
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.record import FLOAT32_COSINE, Golden
from edge_st_runtime.text.tokens import TextOrPair
from edge_st_runtime.vectors.parity import correlations, cosines

from ..errors import ExportError
from ..original.texts import ALL, is_golden

GATE = FLOAT32_COSINE
_SHORT_TEXT = "How do I reset the password of my router?"
_RUNS = 25


@dataclass(frozen=True)
class GraphReport:
    """How near a variant comes to the original over all texts or pairs, and what it costs.

    Of a model that scores pairs the cosine is that of a label's scores for all pairs, less their mean, and
    ``in_order`` of ``queries`` rank their documents as the original does. ``golden_min`` is the least over the golden
    ones alone. ``scale`` is the original's largest value.
    ``milliseconds`` is the median for one short text on the machine of the export; ``megabytes`` (10⁶ bytes) is the
    graph with its weights. ``fused`` counts the operators that ONNX Runtime fused, over the graphs of all routes.
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
    scale: float = 1.0
    golden_min: float | None = None
    in_order: int = 0
    queries: int = 0
    fused: Mapping[str, int] = field(default_factory=dict)
    worst_text: TextOrPair = field(default="", repr=False)

    def entry(self) -> dict[str, Any]:
        """The row of the record."""
        left_out = {"worst_text", *(() if self.queries else ("in_order", "queries"))}
        if not self.fused:
            left_out.add("fused")
        kept = {name: value for name, value in asdict(self).items() if name not in left_out}
        return {**kept, "cpu_features": list(self.cpu_features)}


@dataclass(frozen=True, eq=False)
class Part:
    """What the original gives with a prompt (None: without naming one) and a task.

    ``embeddings`` are vectors (texts, dim), or logits (pairs, labels).
    """

    prompt_name: str | None
    task: str | None
    texts: tuple[TextOrPair, ...]
    embeddings: Floats

    @property
    def golden_texts(self) -> list[TextOrPair]:
        """The golden ones among the texts."""
        return [text for text in self.texts if is_golden(text)]

    @property
    def golden(self) -> Golden:
        """What the original gives for the golden texts."""
        rows = [row for row, text in enumerate(self.texts) if is_golden(text)]
        return Golden(self.prompt_name, self.task, self.embeddings[rows])


Reference: TypeAlias = tuple[Part, ...]


def make_reference(
    model: Any,
    prompts: Mapping[str, str | None],
    tasks: Sequence[str | None],
    texts: Sequence[TextOrPair] = ALL,
) -> Reference:
    """Run ``model``, the original or an edge-st one, over ``texts``, and with each prompt over the golden ones too."""
    golden = tuple(text for text in texts if is_golden(text))
    calls: list[tuple[str | None, str | None, tuple[TextOrPair, ...]]] = [(None, task, tuple(texts)) for task in tasks]
    calls += [(name, tasks[0], golden) for name, prompt in sorted(prompts.items()) if prompt]
    return tuple(Part(name, task, texts, plain_output(model, list(texts), name, task)) for name, task, texts in calls)


def measure(folder: Path, variant: GraphVariant, reference: Reference) -> GraphReport:
    """Run ``variant`` of ``folder`` over the reference's texts."""
    model = open_variant(folder, variant)
    names = [text for part in reference for text in part.texts]
    found = [plain_output(model, list(part.texts), part.prompt_name, part.task) for part in reference]
    both = list(zip(found, reference, strict=True))  # routes may differ in width
    differences = np.concatenate([np.abs(own - part.embeddings).max(axis=1) for own, part in both])
    scores = not isinstance(names[0], str)
    similar = np.concatenate([nearness(own, part) for own, part in both])
    worst = int(
        np.argmax(np.nan_to_num(differences, nan=np.inf)) if scores else np.argmin(np.nan_to_num(similar, nan=-1))
    )
    in_order, queries = _in_order(reference[0], found[0]) if scores else (0, 0)
    return GraphReport(
        file=variant.file,
        engine=variant.engine,
        dtype=variant.dtype,
        cpu_features=variant.cpu_features,
        cosine_min=float(np.nan_to_num(similar, nan=-1).min()),
        cosine_mean=float(similar.mean()),
        max_abs_difference=float(differences.max()),
        milliseconds=_milliseconds(model, reference[0]),
        megabytes=sum(path.stat().st_size for path in graph_files(folder, variant.file)) / 1e6,
        scale=max(float(np.abs(part.embeddings).max()) for part in reference),
        golden_min=min(_golden_nearness(own, part) for own, part in both),
        in_order=in_order,
        queries=queries,
        worst_text=names[worst],
    )


def _golden_nearness(found: Floats, part: Part) -> float:
    """The worst `nearness` over the golden texts alone, as a self-test will see it; 1 without any."""
    rows = [row for row, text in enumerate(part.texts) if is_golden(text)]
    if not rows:
        return 1.0
    golden = replace(part, texts=tuple(part.golden_texts), embeddings=part.embeddings[rows])
    return float(np.nan_to_num(nearness(found[rows], golden), nan=-1).min())


def nearness(found: Floats, part: Part) -> Any:
    """The cosine of each text's vector with the original's; of pairs the correlation of each label's scores."""
    scores = not isinstance(part.texts[0], str)
    return (correlations if scores else cosines)(found, part.embeddings)


def _in_order(part: Part, found: Floats) -> tuple[int, int]:
    if part.embeddings.shape[1] > 1:
        return 0, 0
    scale = max(1.0, float(np.abs(part.embeddings).max()))
    pairs = [text for text in part.texts if not isinstance(text, str)]
    return queries_in_order(pairs, found[:, 0], part.embeddings[:, 0], FLOAT32_DIFFERENCE * scale)


def check_gate(reports: Iterable[GraphReport], gate: float, *, dense: bool) -> None:
    """Raise ExportError where a float32 variant's worst cosine is below ``gate``, or no number.

    Unless the gate was lowered or the vectors are ``dense``, of which the direction counts, nothing may differ by more
    than 1e-4 times the scale either, and every query must rank its documents as the original does.
    """
    for report in reports:
        if report.dtype != "float32":
            continue
        near = report.max_abs_difference <= FLOAT32_DIFFERENCE * max(1.0, report.scale)
        ordered = report.in_order == report.queries
        if not report.cosine_min >= gate or (gate >= GATE and not dense and not (near and ordered)):
            order = f", {report.in_order} of {report.queries} queries in order" if report.queries else ""
            raise ExportError(
                f"{report.file} reaches a cosine of {report.cosine_min:.7f} at worst and differs by up to "
                f"{report.max_abs_difference:.1e}{order}, for {str(report.worst_text)[:60]!r}; the gate is {gate}, so "
                "nothing was written. Leave the variant out with engines= or optimize= (--engine, --optimize), or "
                "lower gate= (--gate) if that is near enough"
            )


def graph_files(folder: Path, file: str) -> list[Path]:
    """The graph ``file`` of every route that has it, and the weights that it keeps beside it."""
    found = []
    for path in {route.path for route in read_folder(folder).routes.values()}:
        graph = path / file
        beside = (f"{graph.stem}.bin", f"{graph.name}_data", f"{graph.name}.data")
        found += [graph, *(graph.with_name(name) for name in beside)]
    return [path for path in found if path.is_file()]


def _milliseconds(model: Any, part: Part) -> float:
    text = _SHORT_TEXT if isinstance(part.texts[0], str) else (_SHORT_TEXT, ALL[5])
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        plain_output(model, [text], None, part.task)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
