"""The parity of a model folder's graphs, each run by edge-st itself, with the original."""

import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_st.verification.comparison import FLOAT32_DIFFERENCE
from edge_st.verification.outputs import output_rows, plain_output
from edge_st.verification.variants import GraphVariant, open_variant
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.record import FLOAT32_COSINE
from edge_st_runtime.text.tokens import TextOrPair
from edge_st_runtime.vectors.parity import correlations, cosines, rows_of

from ..errors import ExportError
from ..original.reference import Reference, ReferencePart
from ..original.texts import ALL
from .ordering import in_order
from .paths import graph_files

GATE = FLOAT32_COSINE
_SHORT_TEXT = "How do I reset the password of my router?"
_RUNS = 25


@dataclass(frozen=True)
class GraphReport:
    """The parity of one variant with the original, over all texts or pairs, and what the variant costs.

    ``cosine_min`` and ``cosine_mean`` are over the texts. For a model that scores pairs there is one cosine a label:
    that of its scores for all pairs, each less their mean; for one that gives token vectors one a token. ``in_order``
    of ``queries`` then rank their documents as the original does. ``golden_min`` is the lowest cosine over the golden
    texts alone. ``max_abs_difference`` is to be read against ``scale``, the original's largest absolute value.
    ``milliseconds`` is the median for one short text on the machine of the export; ``megabytes`` (10⁶ bytes) is the
    graph with its weights. ``fused`` counts the operators that ONNX Runtime fused, over the graphs of all routes.
    ``arithmetic`` is "float32" where a graph for GPUs was emulated on a CPU, whose speed then says nothing; None where
    the graph itself ran. ``heads`` is the parity of the heads of a graph that has several.
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
    arithmetic: str | None = None
    heads: Mapping[str, float] = field(default_factory=dict)
    worst_text: TextOrPair = field(default="", repr=False)

    def entry(self) -> dict[str, Any]:
        """This variant's row in edge_st.json."""
        left_out = {"worst_text", *(() if self.queries else ("in_order", "queries"))}
        left_out |= {name for name in ("fused", "heads") if not getattr(self, name)}
        left_out.add("arithmetic" if self.arithmetic is None else "milliseconds")
        kept = {name: value for name, value in asdict(self).items() if name not in left_out}
        return {**kept, "cpu_features": list(self.cpu_features)}


def measure(folder: Path, variant: GraphVariant, reference: Reference, device: str | None = None) -> GraphReport:
    """Run ``variant`` of ``folder`` over the texts of the reference, on the CPU or ``device``.

    Raises ExportError where it gives another number of token vectors than the original.
    """
    model = open_variant(folder, variant, device)
    texts = [text for part in reference for text in _text_of_rows(part)]
    found = [_rows(model, part) for part in reference]
    both = list(zip(found, reference, strict=True))  # the dimension may differ from route to route
    differences = np.concatenate([np.abs(own - part.embeddings).max(axis=1) for own, part in both])
    cosine = np.concatenate([parity(own, part) for own, part in both])
    scores = not isinstance(texts[0], str)
    worst = int(
        np.argmax(np.nan_to_num(differences, nan=np.inf)) if scores else np.argmin(np.nan_to_num(cosine, nan=-1))
    )
    ordered, queries = in_order(found, reference)
    return GraphReport(
        file=variant.file,
        engine=variant.engine,
        dtype=variant.dtype,
        cpu_features=variant.cpu_features,
        cosine_min=float(np.nan_to_num(cosine, nan=-1).min()),
        cosine_mean=float(cosine.mean()),
        max_abs_difference=float(differences.max()),
        milliseconds=_milliseconds(model, reference[0]),
        megabytes=megabytes(folder, variant.file),
        scale=max(float(np.abs(part.embeddings).max()) for part in reference),
        golden_min=min(_golden_min(own, part) for own, part in both),
        in_order=ordered,
        queries=queries,
        worst_text=texts[worst],
    )


def _rows(model: Any, part: ReferencePart) -> Floats:
    """What ``model`` gives for the part's texts, with as many rows for each as the original has."""
    found, counts = output_rows(model, list(part.texts), part.prompt_name, part.task)
    if counts is None or part.counts is None or np.array_equal(counts, part.counts):
        return found
    place = int(np.flatnonzero(counts != part.counts)[0])
    raise ExportError(
        f"the model gives {counts[place]} token vectors for {str(part.texts[place])[:60]!r} with task={part.task!r}, "
        f"the original {part.counts[place]}; report this bug"
    )


def _text_of_rows(part: ReferencePart) -> list[TextOrPair]:
    """The text of each row."""
    counts = [1] * len(part.texts) if part.counts is None else part.counts.tolist()
    return [text for text, count in zip(part.texts, counts, strict=True) for _ in range(count)]


def megabytes(folder: Path, file: str) -> float:
    """The size of a graph with its weights, in 10⁶ bytes."""
    return sum(path.stat().st_size for path in graph_files(folder, file)) / 1e6


def parity(found: Floats, part: ReferencePart) -> Any:
    """The cosine of each text's vector with the original's (texts,); for pairs each label's correlation (labels,)."""
    scores = not isinstance(part.texts[0], str)
    return (correlations if scores else cosines)(found, part.embeddings)


def check_gate(reports: Iterable[GraphReport], gate: float, *, dense: bool) -> None:
    """Raise ExportError where a float32 variant's lowest cosine is below ``gate``, or not a number.

    Only the direction of ``dense`` vectors counts. For scores, sparse weights and token vectors no value may differ by
    more than 1e-4 times the scale either, and every query must rank its documents as the original does. A lowered gate
    leaves these two checks out.
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


def _golden_min(found: Floats, part: ReferencePart) -> float:
    """The lowest `parity` over the golden texts alone, which a self-test will compare; 1 without golden texts."""
    rows = rows_of(part.golden_places, part.counts)
    if not len(rows):
        return 1.0
    golden = replace(part, texts=tuple(part.golden_texts), embeddings=part.embeddings[rows])
    return float(np.nan_to_num(parity(found[rows], golden), nan=-1).min())


def _milliseconds(model: Any, part: ReferencePart) -> float:
    """The median time for one short text or pair."""
    text = _SHORT_TEXT if isinstance(part.texts[0], str) else (_SHORT_TEXT, ALL[5])
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        plain_output(model, [text], None, part.task)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
