"""The graph variants of a model folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_st_runtime.engines.backend import installed_engines
from edge_st_runtime.machine.cpu import cpu_features, has_bfloat16
from edge_st_runtime.model.record import GraphRecord, Record
from edge_st_runtime.model.variants import GPU

from ..models.classes import Model, open_model


@dataclass(frozen=True)
class GraphVariant:
    """A graph of a model folder with the engine that runs it, its dtype, and the CPU features that it needs.

    ``file`` is relative to the folder of the module that has the graph; each route may have one.
    """

    file: str
    engine: str
    dtype: str = "float32"
    cpu_features: tuple[str, ...] = ()


def recorded_variants(record: Record) -> Iterator[tuple[GraphRecord, GraphVariant]]:
    """The graphs in the record, each with its variant."""
    for entry in record.graphs:
        yield entry, GraphVariant(entry.file, entry.engine, entry.dtype, tuple(sorted(entry.cpu_features)))


def runs_here(variant: GraphVariant, device: str | None = None) -> bool:
    """Whether the engine is installed and the CPU has the features that the variant needs.

    With a ``device`` other than the CPU, it has whatever graphs for GPUs need.
    """
    features = cpu_features() if device is None else cpu_features() | {GPU}
    if variant.dtype == "bfloat16" and device is None and not has_bfloat16():
        return False
    return variant.engine in ("numpy", *installed_engines()) and features.issuperset(variant.cpu_features)


def open_variant(folder: Path, variant: GraphVariant, device: str | None = None) -> Model:
    """Open the folder with this graph, on the CPU or ``device``.

    float16 graphs are for GPUs; a CPU gives the same results, but slowly.
    """
    if variant.engine == "numpy":
        return open_model(folder)
    dtype = "float32" if variant.dtype == "float16" and device is None else variant.dtype
    kwargs = {"file_name": variant.file}
    return open_model(folder, backend=variant.engine, dtype=dtype, device=device, model_kwargs=kwargs)
