"""The parity of the heads of a folder's graphs with the original's."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_st.models.bge_m3 import BGEM3
from edge_st.verification.comparison import FLOAT32_DIFFERENCE
from edge_st.verification.heads import GOLDEN_HEADS, ends, open_heads
from edge_st.verification.variants import GraphVariant
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER
from edge_st_runtime.model.folder import ONLY_ROUTE, read_folder
from edge_st_runtime.vectors.parity import cosines

from ..errors import ExportError, converting
from ..original.head_files import HeadWeights
from ..original.head_reference import HeadReference, head_reference
from ..original.texts import is_golden, texts_for
from .parity import GraphReport

_LIMIT = 512  # tokens, for a model that names none


@dataclass(frozen=True)
class HeadParity:
    """How near a graph's heads are to the original's, over all texts.

    ``dense``, ``token_vectors`` and ``lexical`` are the lowest cosines of two vectors, ``token_vectors_mean`` is the
    mean. ``token_weights_difference`` is the largest difference of two weights of a token, ``token_weights_scale`` the
    largest weight.
    """

    dense: float
    token_vectors: float
    token_vectors_mean: float
    lexical: float
    token_weights_difference: float
    token_weights_scale: float


def compare_heads(
    folder: Path, graphs: Sequence[GraphReport], original: Any, heads: HeadWeights | None, gate: float
) -> tuple[list[GraphReport], dict[str, Any]]:
    """``graphs`` with the parity of their ``heads``, and what the record says of what the original's give.

    A model with one head has None. Raises ExportError where the heads of a float32 graph are below the ``gate``.
    """
    if heads is None:
        return list(graphs), {}
    limit = read_folder(folder).routes[ONLY_ROUTE].max_seq_length(None) or _LIMIT
    texts = [text for text in texts_for(SENTENCE_TRANSFORMER, limit) if isinstance(text, str)]
    with converting("running the heads of the original", "report this bug"):
        reference = head_reference(original, heads, texts, limit)
    found = [with_heads(folder, graph, reference) for graph in graphs]
    check_heads(found, gate)
    return found, golden_heads(reference)


def with_heads(folder: Path, report: GraphReport, reference: HeadReference) -> GraphReport:
    """``report`` with the parity of the heads, for a graph that ran on this CPU."""
    if report.arithmetic is not None or report.dtype == "float16":
        return report
    model = open_heads(folder, GraphVariant(report.file, report.engine, report.dtype, report.cpu_features))
    found = head_parity(model, reference)
    return replace(report, heads=asdict(found))


def head_parity(model: BGEM3, reference: HeadReference) -> HeadParity:
    """The parity of the heads of ``model``, over the texts of the reference."""
    sparse, colbert = any(reference.lexical), bool(reference.colbert)
    found = model.encode(
        list(reference.texts),
        max_length=reference.limit,
        return_sparse=sparse,
        return_colbert_vecs=colbert,
        show_progress_bar=False,
    )
    vectors = _token_cosines(found["colbert_vecs"], reference.colbert) if colbert else np.ones(1)
    return HeadParity(
        dense=_least(cosines(found["dense_vecs"], reference.dense)),
        token_vectors=_least(vectors),
        token_vectors_mean=float(vectors.mean()),
        lexical=min(map(cosine_of_weights, found["lexical_weights"], reference.lexical)) if sparse else 1.0,
        token_weights_difference=_difference(found["lexical_weights"], reference.lexical) if sparse else 0.0,
        token_weights_scale=max((max(each.values(), default=0.0) for each in reference.lexical), default=0.0),
    )


def check_heads(reports: list[GraphReport], gate: float) -> None:
    """Raise ExportError where the heads of a float32 graph are below ``gate``, or weights differ by more than 1e-4."""
    for report in reports:
        if report.dtype != "float32" or not report.heads:
            continue
        found = HeadParity(**report.heads)
        most = FLOAT32_DIFFERENCE * max(1.0, found.token_weights_scale)
        near = found.token_weights_difference <= most
        if not (found.dense >= gate and found.token_vectors >= gate and near):
            raise ExportError(
                f"the heads of {report.file} reach a cosine of {found.dense:.7f} (dense) and {found.token_vectors:.7f} "
                f"(token vectors) at worst, and token weights differ by {found.token_weights_difference:.1e}, where "
                f"{most:.1e} is allowed; the gate is {gate}, so nothing was written. Lower gate= (--gate) if that is "
                "near enough, or take the .pt files of the heads away to export the dense model alone"
            )


def golden_heads(reference: HeadReference) -> dict[str, Any]:
    """The record's entry with what the original's heads give for the golden texts; see `edge_st.verification.heads`."""
    rows = [place for place, text in enumerate(reference.texts) if is_golden(text)]
    kept = [ends(reference.colbert[row]).tolist() for row in rows] if reference.colbert else []
    lexical = [reference.lexical[row] for row in rows] if any(reference.lexical) else []
    return {
        GOLDEN_HEADS: {
            "max_length": reference.limit,
            "lexical": [{token: round(weight, 7) for token, weight in each.items()} for each in lexical],
            "token_vectors": [[[round(value, 7) for value in vector] for vector in vectors] for vectors in kept],
        }
    }


def _least(values: Any) -> float:
    return float(np.nan_to_num(values, nan=-1).min())


def _token_cosines(found: list[Floats], wanted: tuple[Floats, ...]) -> Any:
    """The cosine of each token's vector; -1 where there are more or fewer of them."""
    if [each.shape for each in found] != [each.shape for each in wanted]:
        return np.array([-1.0])
    return cosines(np.concatenate(found), np.concatenate(wanted))


def _difference(found: list[dict[str, Any]], wanted: tuple[dict[str, float], ...]) -> float:
    """The largest difference of two weights of the same token; a token that is missing weighs 0."""
    pairs = zip(found, wanted, strict=True)
    return float(max((abs(a.get(token, 0) - b.get(token, 0)) for a, b in pairs for token in {*a, *b}), default=0))


def cosine_of_weights(one: dict[str, Any], other: dict[str, float]) -> float:
    """The cosine of two sparse embeddings; 1 where both are empty."""
    tokens = [*{*one, *other}]
    a, b = (np.array([[each.get(token, 0) for token in tokens]], dtype=np.float32) for each in (one, other))
    return float(cosines(a, b)[0])
