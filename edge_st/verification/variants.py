"""The ways to run a model folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_st_runtime.engines.backend import installed_engines
from edge_st_runtime.machine.cpu import cpu_features, has_bfloat16
from edge_st_runtime.model.record import GraphRecord, Record

from ..models.classes import Model, open_model


@dataclass(frozen=True)
class GraphVariant:
    """One way to run a folder: a graph file, an engine, what it computes in, and the CPU features it was made for.

    ``file`` is relative to each of the model's first modules that has a graph.
    """

    file: str
    engine: str
    dtype: str = "float32"
    cpu_features: tuple[str, ...] = ()


def recorded_variants(record: Record) -> Iterator[tuple[GraphRecord, GraphVariant]]:
    """The record's graphs, each with the variant that runs it."""
    for entry in record.graphs:
        yield entry, GraphVariant(entry.file, entry.engine, entry.dtype, tuple(sorted(entry.cpu_features)))


def runs_here(variant: GraphVariant) -> bool:
    """Whether the engine is installed and the CPU has what the variant needs."""
    if variant.dtype == "bfloat16" and not has_bfloat16():
        return False
    return variant.engine in ("numpy", *installed_engines()) and cpu_features().issuperset(variant.cpu_features)


def open_variant(folder: Path, variant: GraphVariant) -> Model:
    """The folder with this graph. A float16 graph is for GPUs, yet a CPU can compute it: slowly, but the same."""
    if variant.engine == "numpy":
        return open_model(folder)
    dtype = "float32" if variant.dtype == "float16" else variant.dtype
    return open_model(folder, backend=variant.engine, dtype=dtype, model_kwargs={"file_name": variant.file})
