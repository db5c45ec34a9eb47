"""Compare the graphs of a model folder, each run by edge-st itself, with the vectors of the original."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st import SentenceTransformer
from edge_st_runtime.arrays import Floats
from edge_st_runtime.backend import installed_engines
from edge_st_runtime.cpu import cpu_features, has_bfloat16
from edge_st_runtime.errors import MissingFileError
from edge_st_runtime.record import Record, read_record

from .errors import ExportError
from .texts import ALL, GOLDEN

GATE = 0.99999
_SHORT_TEXT = "How do I reset the password of my router?"
_RUNS = 25


@dataclass(frozen=True)
class Variant:
    """One way to run a folder: a graph file, an engine, what it computes in, and the CPU features it was made for."""

    file: str
    engine: str
    dtype: str = "float32"
    cpu_features: tuple[str, ...] = ()


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
class Reference:
    """Vectors of the original: for each part the name of a prompt (None: as `encode` is called without one), texts
    and embeddings (texts, dim).
    """

    parts: tuple[tuple[str | None, tuple[str, ...], Floats], ...]

    @property
    def golden(self) -> Floats:
        """The vectors of the golden texts."""
        _, texts, embeddings = self.parts[0]
        return embeddings[[texts.index(text) for text in GOLDEN]]


def make_reference(model: Any, prompts: Mapping[str, str | None]) -> Reference:
    """Encode every text with ``model``, the original or an edge-st one, and the golden texts with each prompt too."""
    parts: list[tuple[str | None, tuple[str, ...]]] = [(None, ALL)]
    parts += [(name, GOLDEN) for name, prompt in sorted(prompts.items()) if prompt]
    return Reference(tuple((name, texts, _encode(model, texts, name)) for name, texts in parts))


def measure(folder: Path, variant: Variant, reference: Reference) -> GraphReport:
    """Run ``variant`` of ``folder`` over the reference's texts."""
    model = open_variant(folder, variant)
    names = [text for _, texts, _ in reference.parts for text in texts]
    found = np.concatenate([_encode(model, texts, name) for name, texts, _ in reference.parts])
    wanted = np.concatenate([embeddings for _, _, embeddings in reference.parts])
    similar = cosines(found, wanted)
    worst = int(np.argmin(np.nan_to_num(similar, nan=-1)))
    return GraphReport(
        file=variant.file,
        engine=variant.engine,
        dtype=variant.dtype,
        cpu_features=variant.cpu_features,
        cosine_min=float(similar[worst]),
        cosine_mean=float(similar.mean()),
        max_abs_difference=float(np.abs(found - wanted).max()),
        milliseconds=_milliseconds(model),
        megabytes=sum(path.stat().st_size for path in graph_files(folder, variant.file)) / 1e6,
        worst_text=names[worst],
    )


def open_variant(folder: Path, variant: Variant) -> SentenceTransformer:
    """The folder with this graph. A float16 graph is for GPUs, yet a CPU can compute it: slowly, but the same."""
    if variant.engine == "numpy":
        return SentenceTransformer(folder)
    dtype = "float32" if variant.dtype == "float16" else variant.dtype
    return SentenceTransformer(folder, backend=variant.engine, dtype=dtype, model_kwargs={"file_name": variant.file})


def check_gate(reports: Iterable[GraphReport], gate: float) -> None:
    """Raise ExportError where a float32 variant's worst cosine is below ``gate``, or no number."""
    for report in reports:
        if report.dtype == "float32" and not report.cosine_min >= gate:
            raise ExportError(
                f"{report.file} reaches a cosine of {report.cosine_min:.7f} at worst, for the text "
                f"{report.worst_text[:60]!r}; the gate is {gate}, so nothing was written. Leave the variant out with "
                "engines= or optimize= (--engine, --optimize), or lower gate= (--gate) if that is near enough"
            )


def verify_folder(folder: str | Path) -> list[GraphReport]:
    """Check a finished folder against its record, without the original.

    Every file's checksum is compared; every recorded graph that this machine can run is run over the golden texts.
    Raises MissingFileError where there is no record, DamagedFileError for a wrong checksum. The reports' cosines are
    to the original's recorded vectors; judging them is up to the caller.
    """
    folder = Path(folder)
    record = read_record(folder)
    if record is None:
        raise MissingFileError(f"{folder} has no edge_st.json; export the model with: edge-st export MODEL FOLDER")
    record.check_files(record.files)
    reference = Reference(((None, record.golden_texts, record.golden_embeddings),))
    return [measure(folder, variant, reference) for variant in recorded_variants(record) if runs_here(variant)]


def recorded_variants(record: Record) -> list[Variant]:
    """The record's graphs."""
    return [
        Variant(entry.file, entry.engine, entry.dtype, tuple(sorted(entry.cpu_features))) for entry in record.graphs
    ]


def runs_here(variant: Variant) -> bool:
    """Whether the engine is installed and the CPU has what the variant needs."""
    if variant.dtype == "bfloat16" and not has_bfloat16():
        return False
    return variant.engine in ("numpy", *installed_engines()) and cpu_features().issuperset(variant.cpu_features)


def graph_files(folder: Path, file: str) -> list[Path]:
    """The graph and the weights that it keeps beside it."""
    graph = folder / file
    beside = (graph.with_suffix(".bin"), graph.with_name(f"{graph.name}_data"), graph.with_name(f"{graph.name}.data"))
    return [graph, *(path for path in beside if path.is_file())]


def cosines(found: Floats, wanted: Floats) -> NDArray[np.float64]:
    """The cosine (texts,) of each row with its counterpart, in float64; 1 where both are zero."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    return np.where(both_zero, 1.0, (a * b).sum(axis=1) / np.where(lengths == 0, 1, lengths))


def _encode(model: Any, texts: Sequence[str], prompt_name: str | None) -> Floats:
    embeddings = model.encode(list(texts), prompt_name=prompt_name, show_progress_bar=False)
    return np.asarray(embeddings, dtype=np.float32)


def _milliseconds(model: SentenceTransformer) -> float:
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        model.encode(_SHORT_TEXT)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
