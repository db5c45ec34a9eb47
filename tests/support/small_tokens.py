"""Token vectors of small multi-vector indexes, and what a search must find among them."""

from typing import Any

import numpy as np

from edge_st_runtime.store.rows.snapshot import SearchOptions
from edge_st_runtime.store.tokens.snapshot import TokenSnapshot

DIM = 8
#: by precision, how far a number of a unit vector may be from what is stored of it
_TOLERANCES = {"int8": 0.02, "int4": 0.4, "int2": 1.0}


def token_vectors(seed: int) -> Any:
    """Those of the text ``str(seed)``: 0 to 4 unit vectors; the text "0" has none."""
    vectors = np.random.default_rng(abs(seed)).standard_normal((abs(seed) % 5, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def maxsim_of(query: Any, vectors: Any) -> float:
    """MaxSim of a query with the vectors (tokens, dim) of a row."""
    return float((query.astype(np.float64) @ vectors.astype(np.float64).T).max(axis=1).sum())


def decoded(snapshot: TokenSnapshot, row: int) -> Any:
    """The vectors (tokens, dim) of a row as they are stored."""
    stored = snapshot.stored(np.array([row]))
    return np.empty((0, DIM)) if stored.codec is None or not stored.tokens else stored.codec.decode(stored.columns)


def check_token_search(snapshot: TokenSnapshot, held: dict[Any, int]) -> None:
    """Compare the stored vectors with the originals, and what is found with MaxSim of the stored ones."""
    tolerance = _TOLERANCES[snapshot.layout.precision]
    rows = snapshot.rows().tolist()
    stored = {row: decoded(snapshot, row) for row in rows}
    for row, seed in zip(rows, held.values(), strict=True):
        np.testing.assert_allclose(stored[row], token_vectors(seed), atol=tolerance)
    found_by_all = {row for row in rows if len(stored[row])}
    queries = [token_vectors(seed) for seed in (3, 4, 0, 8)]
    scores, found = snapshot.search(queries, 10)
    assert scores.shape == found.shape == (4, min(10, len(rows)))
    for query, own_scores, own_rows in zip(queries, scores, found.tolist(), strict=True):
        expected = {row: maxsim_of(query, stored[row]) for row in found_by_all} if len(query) else {}
        best = sorted(expected.values(), reverse=True)[: len(own_rows)]
        kept = [row for row in own_rows if row >= 0]
        assert len(kept) == len(set(kept)) == len(best)
        np.testing.assert_allclose(own_scores[: len(best)], best, atol=1e-4)
        np.testing.assert_allclose(own_scores[: len(best)], [expected[row] for row in kept], atol=1e-4)
        assert (own_scores[len(best) :] == -np.inf).all()
    odd = {row for row, seed in zip(rows, held.values(), strict=True) if seed % 2}
    _, found = snapshot.search(queries[:1], max(1, len(held)), SearchOptions(lambda metadata: metadata["odd"]))
    assert set(found[0].tolist()) - {-1} == odd & found_by_all
