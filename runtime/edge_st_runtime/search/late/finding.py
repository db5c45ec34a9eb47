"""The best passages for a query of several tokens: the likely ones by their postings, then MaxSim over their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...arrays import Floats, Ids
from ...errors import DamagedFileError
from ..best import NO_ROW, Allowed
from .codec import Columns, TokenCodec
from .postings import Postings
from .scoring import Scorer
from .workspace import Workspace

Found: TypeAlias = tuple[Floats, Ids]

_PROBED = 12
_LEAST, _FOR_EACH = 1000, 20
#: further passages that are scored alone, for those whose scores equal that of the last
_SPARE = 16


@dataclass(frozen=True, eq=False)
class Part:
    """The passages of a segment, numbered from ``start``: the codes ``columns`` (tokens, width) that ``codec`` made.

    The tokens of passage i end at ``ends[i]``. Only passages for which ``allowed`` is true are found; None: all.
    """

    codec: TokenCodec
    columns: Columns
    ends: Ids
    postings: Postings
    start: int = 0
    allowed: Allowed | None = None

    def found(self) -> Ids:
        """The passages that may be found: those that are allowed and have a token."""
        may = np.diff(self.ends, prepend=0) > 0
        return np.flatnonzero(may if self.allowed is None else may & self.allowed)


def find(queries: Sequence[Floats], parts: Sequence[Part], k: int, candidates: int | None = None) -> Found:
    """Scores (queries, k) float32 and rows (queries, k) int64 of each query's best passages, best first.

    A query is an array (tokens, dim). ``candidates`` passages, or all where there are fewer, are scored exactly; None:
    20 times ``k``, at least 1,000. Passages with equal scores are in the order of their rows. Where fewer are found,
    the rest is filled with minus infinity and -1; a query without tokens finds nothing. The score of a passage does
    not depend on what else is found.

    Raises DamagedFileError for postings or codes that point beyond their segment.
    """
    most = max(k, max(_LEAST, _FOR_EACH * k) if candidates is None else candidates)
    scores, rows = np.full((len(queries), k), -np.inf, dtype=np.float32), np.full((len(queries), k), NO_ROW)
    may, space = [part.found() for part in parts], Workspace()
    for place, query in enumerate(queries):
        if not len(query):
            continue
        try:
            found = _best(query, parts, may, k, most, space)
        except IndexError as error:
            raise DamagedFileError(
                f"a segment was changed since it was written ({error}); find the file with verify()"
            ) from error
        scores[place, : len(found[0])], rows[place, : len(found[1])] = found
    return scores, rows


def _best(query: Floats, parts: Sequence[Part], may: Sequence[Ids], k: int, most: int, space: Workspace) -> Found:
    scorers = [Scorer.of(query, part.codec, part.columns, space) for part in parts]
    chosen = may if sum(map(len, may)) <= most else _likely(parts, [scorer.near for scorer in scorers], may, most)
    scored = [scorer.scores(*_spans(part, rows)) for scorer, part, rows in zip(scorers, parts, chosen, strict=True)]
    bounds = np.cumsum([0, *map(len, chosen)])
    best = np.argsort(-np.concatenate([np.empty(0, dtype=np.float32), *scored]), kind="stable")[: k + _SPARE]
    owners = np.searchsorted(bounds, best, side="right") - 1
    rows = np.empty(len(best), dtype=np.int64)
    scores = np.empty(len(best), dtype=np.float32)
    # Each is scored alone: the last digits of a product depend on what is computed beside it.
    for place, (owner, number) in enumerate(zip(owners.tolist(), (best - bounds[owners]).tolist(), strict=True)):
        part, row = parts[owner], chosen[owner][number : number + 1]
        rows[place] = part.start + row[0]
        scores[place] = scorers[owner].scores(*_spans(part, row))[0]
    order = np.lexsort((rows, -scores))[:k]
    return scores[order], rows[order]


def _likely(parts: Sequence[Part], near: Sequence[Floats], may: Sequence[Ids], most: int) -> list[Ids]:
    """For each part, those of the passages that ``may`` be found whose estimates are among the ``most`` best."""
    estimates = [
        part.postings.scores(products, _PROBED, len(part.ends))[rows]
        for part, products, rows in zip(parts, near, may, strict=True)
    ]
    every = np.concatenate(estimates)
    order = np.argpartition(-every, most - 1)[:most]
    chosen = np.zeros(len(every), dtype=bool)
    chosen[order] = True
    bounds = np.cumsum([0, *map(len, may)])
    return [rows[chosen[start:end]] for rows, start, end in zip(may, bounds[:-1], bounds[1:], strict=True)]


def _spans(part: Part, rows: Ids) -> tuple[Ids, Ids]:
    """Where the tokens of the passages ``rows`` (n,) begin, and how many they are."""
    starts = np.where(rows == 0, 0, part.ends[rows - 1])
    return starts, part.ends[rows] - starts
