"""Check the heads of a folder's graphs by its record: the golden weights of token ids, and token vectors.

The record has them as "golden_heads": {"max_length": …, "lexical": [{id: weight}, …], "token_vectors": [rows, …]}, each
for the golden texts in their order. Of a text's token vectors only the first and the last are stored.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edge_st_runtime.files.fields import Fields
from edge_st_runtime.files.reading import CORRECT, read_json, reading
from edge_st_runtime.model.record import FLOAT32_COSINE, Record

from ..models.bge_m3 import BGEM3
from .comparison import FLOAT32_DIFFERENCE, Comparison, compared
from .variants import GraphVariant

GOLDEN_HEADS = "golden_heads"
#: how much lower a cosine may be than the one that was measured at the export, in dtypes below float32
_TOLERANCE = 0.005


def open_heads(folder: Path, variant: GraphVariant) -> BGEM3:
    """The folder with this graph, all heads of it."""
    return BGEM3(folder, backend=variant.engine, dtype=variant.dtype, model_kwargs={"file_name": variant.file})


def ends(vectors: Any) -> Any:
    """The first and the last of a text's token vectors (tokens, width)."""
    return vectors[[0, -1]]


def head_comparisons(folder: Path, record: Record, variant: GraphVariant) -> list[Comparison]:
    """The heads of ``variant`` for the golden texts against those of the original; [] where the record has none.

    Raises DamagedFileError where the record is not as the exporter writes it.
    """
    content = read_json(record.path)
    if content.get(GOLDEN_HEADS) is None or not record.golden_texts:
        return []
    with reading(record.path):
        golden = Fields(content, record.path, CORRECT).object(GOLDEN_HEADS)
        lexical, vectors = golden.items("lexical"), golden.items("token_vectors")
        found = open_heads(folder, variant).encode(
            [str(text) for text in record.golden_texts],
            max_length=golden.count("max_length", 1),
            return_sparse=bool(lexical),
            return_colbert_vecs=bool(vectors),
            show_progress_bar=False,
        )
        measured = _measured(content, variant)
        rows: list[Comparison] = []
        if lexical:
            own, wanted = _matrices(found["lexical_weights"], lexical)
            most = FLOAT32_DIFFERENCE if variant.dtype == "float32" else None
            rows.append(compared("lexical weights", own, wanted, _least(variant, measured, "lexical"), most))
        if vectors:
            own, wanted = np.concatenate(list(map(ends, found["colbert_vecs"]))), np.concatenate(vectors)
            rows.append(compared("token vectors", own, wanted, _least(variant, measured, "token_vectors")))
    return rows


def _measured(content: dict[str, Any], variant: GraphVariant) -> dict[str, float]:
    """The parity of the heads of ``variant`` at the export."""
    wanted = (variant.file, variant.engine, variant.dtype)
    found = (each for each in content["graphs"] if (each["file"], each["engine"], each["dtype"]) == wanted)
    entry: dict[str, Any] = next(found, {})
    return dict(entry.get("heads") or {})


def _least(variant: GraphVariant, measured: dict[str, float], head: str) -> float:
    return FLOAT32_COSINE if variant.dtype == "float32" else measured.get(head, 0.0) - _TOLERANCE


def _matrices(found: list[dict[str, Any]], wanted: list[dict[str, float]]) -> tuple[Any, Any]:
    """The weights of both as arrays (texts, ids), for the ids that occur in either."""
    ids = sorted({token for each in (*found, *wanted) for token in each})
    own, original = ([[each.get(token, 0) for token in ids] for each in rows] for rows in (found, wanted))
    return np.array(own, dtype=np.float32), np.array(original, dtype=np.float32)
