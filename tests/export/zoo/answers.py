"""What the zoo's models answer beyond vectors and scores: ranks, the tokens of an embedding, how sparse it is."""

from typing import Any

import numpy as np

from edge_st import CrossEncoder, SparseEncoder
from edge_st.verification.comparison import FLOAT32_DIFFERENCE, Comparison, compared
from edge_st_export.original.texts import ORDINARY

_TEXTS = list(ORDINARY[:5])


def answers(model: Any, original: Any) -> list[Comparison]:
    """The answers of ``model``'s class, each with that of the ``original``; none of embedding models."""
    if isinstance(model, SparseEncoder):
        return _of_sparse(model, original)
    return [_ranks(model, original)] if isinstance(model, CrossEncoder) and model.num_labels == 1 else []


def _ranks(model: CrossEncoder, original: Any) -> Comparison:
    """The original's scores in the order of either; what is nearly the same there may change places."""
    query, *documents = ORDINARY
    found, wanted = model.rank(query, documents), original.rank(query, documents)
    assert [list(row) for row in found] == [list(row) for row in wanted]
    scores = {row["corpus_id"]: [row["score"]] for row in wanted}
    own, best = (np.array([scores[row["corpus_id"]] for row in rows]) for rows in (found, wanted))
    return compared("ranks", own, best, most=2 * FLOAT32_DIFFERENCE, scores=True)


def _of_sparse(model: SparseEncoder, original: Any) -> list[Comparison]:
    """The tokens of embeddings by their weights, how sparse these are, and what they have in common."""
    task = model.tasks[-1]
    own, other = (each.encode(_TEXTS, task=task) for each in (model, original))
    found, wanted = (_by_token(each.decode(rows)) for each, rows in ((model, own), (original, other)))
    assert [token for token, _ in found] == [token for token, _ in wanted]
    weights = ([[weight for _, weight in rows]] for rows in (found, wanted))
    sparsity = ([list(each.sparsity(rows).values())] for each, rows in ((model, own), (original, other)))
    common = (each.intersection(rows[0], rows).to_dense() for each, rows in ((model, own), (original, other)))
    pairs = {"decode": weights, "sparsity": sparsity, "intersection": common}
    return [compared(name, *both, most=FLOAT32_DIFFERENCE) for name, both in pairs.items()]


def _by_token(decoded: Any) -> list[tuple[str, float]]:
    """All tokens in order, those without a name by their weights; in each row the heaviest must come first."""
    assert all(row == sorted(row, key=lambda pair: -pair[1]) for row in decoded)
    return [pair for row in decoded for pair in sorted((str(token), weight) for token, weight in row)]
