"""Approximate search in two steps: scan the codes of all rows, then score the best candidates by finer numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ids
from ..machine.parallel import parallel_map
from ..machine.threads import thread_count
from ..vectors.similarity import Similarity, dot_score, pairwise_dot_score
from .best import NO_ROW, Allowed, Best, hide
from .blocks import ROWS
from .codes import EncodedVectors
from .exact import QUERY_CHUNK

_FEW_BLOCKS = 4
#: bytes of a mapped file that may stay in the process' memory
_STAYS = 512 * 2**20


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """The encoded rows of a corpus from number ``start`` on; a row is found only if ``allowed`` (rows,) is true for it.

    ``allowed`` None: all rows may be found.
    """

    codes: EncodedVectors
    start: int = 0
    allowed: Allowed | None = None


def scan(parts: Sequence[Part], queries: Floats, k: int, similarity: Similarity = dot_score) -> Ids:
    """The best rows (queries, k) by their codes, best first, filled up with -1. Several threads scan the blocks.

    The first 512 MB of mapped files stay in the process' memory; pages beyond are released as soon as they were read.
    """
    chunks = (queries[start : start + QUERY_CHUNK] for start in range(0, len(queries), QUERY_CHUNK))
    found = [_scan(parts, chunk, k, similarity).ranked()[1] for chunk in chunks]
    return np.concatenate([np.empty((0, k), dtype=np.int64), *found])


def _scan(parts: Sequence[Part], queries: Floats, k: int, similarity: Similarity) -> Best:
    jobs = [(number, at) for number, part in enumerate(parts) for at in _starts(part)]
    mapped = np.cumsum([parts[number].codes.blocks.block(at).nbytes for number, at in jobs])
    threaded = len(jobs) >= _FEW_BLOCKS and all(part.codes.precision.threaded for part in parts)
    workers = min(thread_count(), len(jobs)) if threaded else 1

    def work(first: int) -> Best:
        best = Best(len(queries), k)
        scorers = [part.codes.precision.scorer(queries, part.codes, similarity) for part in parts]
        for job in range(first, len(jobs), workers):
            number, at = jobs[job]
            part = parts[number]
            best.offer(hide(scorers[number](at), part.allowed, at), part.start + at)
            if mapped[job] > _STAYS:
                part.codes.blocks.release(at)
        return best

    first, *others = parallel_map(work, iter(range(workers)), workers)
    for other in others:
        first.join(other)
    return first


def _starts(part: Part) -> list[int]:
    """The first row of each block in which any row is allowed."""
    starts = range(0, len(part.codes), ROWS)
    return [at for at in starts if part.allowed is None or part.allowed[at : at + ROWS].any()]


def rescored(
    queries: Floats,
    candidates: Ids,
    vectors: Callable[[Ids], Floats],
    k: int,
    pairwise: Similarity = pairwise_dot_score,
    threshold: float | None = None,
) -> tuple[Floats, Ids]:
    """Scores and rows (queries, k) of the best of each query's ``candidates`` (queries, n), best first.

    ``vectors`` gives the vectors of rows, and ``pairwise`` scores them row by row. (In a matrix multiplication the last
    digits of a score depend on the other rows, so that equal vectors would not always have equal scores.) Candidates
    and results are filled up with -1, scores with minus infinity. Rows with equal scores are in order of their number.
    """
    scores, ids = np.full((len(queries), k), -np.inf, dtype=np.float32), np.full((len(queries), k), NO_ROW)
    for number, query in enumerate(queries):
        rows = np.sort(candidates[number][candidates[number] != NO_ROW])
        if len(rows):
            found, best = vectors(rows), Best(1, k, threshold)
            best.offer(pairwise(query[None], found)[None].astype(np.float32, copy=False), 0)
            (scores[number],), (places,) = best.ranked()
            ids[number] = np.where(places == NO_ROW, NO_ROW, rows[places])
    return scores, ids
