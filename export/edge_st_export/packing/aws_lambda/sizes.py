"""How large a layer and a function are when Lambda has unpacked them, and what to do where that is too much."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from edge_st_runtime.model.record import Record

from ...errors import ExportError
from .texts import MODELS, PACKAGES

#: bytes of the function and all of its layers, unpacked: 250 MB in AWS's words
LIMIT = 262_144_000
_SMALL = 1_000_000
_INT8_SHARE = 4  # a float32 graph has about four times the bytes of an int8 one


def sizes_of(layer: Path, function: Path) -> Mapping[str, int]:
    """The bytes of each package in the layer, the small ones together, of the model and of the function."""
    found: Counter[str] = Counter()
    for path in (path for top in (PACKAGES, MODELS) for path in (layer / top).rglob("*") if path.is_file()):
        top, name = path.relative_to(layer).parts[:2]
        found["model" if top == MODELS else re.split(r"[.-]", name)[0]] += path.stat().st_size
    large = {name: size for name, size in found.most_common() if size >= _SMALL}
    return {**large, "other packages": found.total() - sum(large.values()), "function": function.stat().st_size}


def check_limit(sizes: Mapping[str, int], record: Record | None, packed: frozenset[str], container: str) -> None:
    """Raise ExportError, which says what would fit, where all ``sizes`` together are more than Lambda takes.

    ``record`` is the model's, ``packed`` are the graphs that were packed, ``container`` is the command for an image.
    """
    total = sum(sizes.values())
    if total <= LIMIT:
        return
    rest = total - sizes["model"]
    raise ExportError(
        f"unpacked it has {_mb(total)}, of which the model {_mb(sizes['model'])}; Lambda takes {_mb(LIMIT)} (its 250 "
        f"MB) for a function with its layers, so that a model may have {_mb(LIMIT - rest)}. What would fit: "
        f"{_int8(sizes['model'], LIMIT - rest, record, packed)}a smaller model, or a container image of up to 10 GB: "
        f"{container}"
    )


def _int8(model: int, room: int, record: Record | None, packed: frozenset[str]) -> str:
    if record is None or any(graph.dtype == "int8" for graph in record.graphs if graph.file in packed):
        return ""
    for graph in record.graphs:
        size = sum(record.files[name][1] for name in record.graph_files(graph.file))
        if graph.dtype == "int8" and graph.file.endswith(".onnx") and size < room:
            return f"the same model in int8 (--graph {graph.file}, {_mb(size)}), "
    fits = model / _INT8_SHARE < room
    return f"the same model exported with --dtype int8 (about {_mb(model // _INT8_SHARE)}), " if fits else ""


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
