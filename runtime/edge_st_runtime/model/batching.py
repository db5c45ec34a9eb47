"""Cut texts into batches by a token budget, so that a batch stays in cache and memory does not grow with the input."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import TokenBatch

_SHORT, _HUGE = 32, 2**16


def plan_batches(
    lengths: NDArray[np.int64], budget: int, batch_size: int, workers: int = 1, least: int = 1
) -> Iterator[NDArray[np.int64]]:
    """The positions (n,) of each batch's texts, longest texts first.

    ``lengths`` (texts,) are token counts. A batch has at most ``batch_size`` texts and at most ``budget`` tokens,
    padding included; a longer text is a batch by itself. ``workers`` batches run at the same time. Texts that do not
    fill a batch for every worker are divided evenly among them, so that all finish together, unless a batch would have
    fewer than ``least`` tokens.
    """
    order = np.argsort(-lengths, kind="stable")
    ordered = np.maximum(lengths[order], 1)
    ends = np.cumsum(ordered)
    start = number = share = 0
    while start < len(order):
        longest = int(ordered[start])
        if number % workers == 0:
            even = -(-int(ends[-1] - ends[start] + longest) // workers)
            share = even if least <= even < budget else budget
        rows = min(batch_size, max(1, budget // longest), -(-share // longest))
        yield order[start : start + rows]
        start, number = start + rows, number + 1


def padded_length(longest: int, step: int, limit: int | None) -> int:
    """``longest`` rounded up to a multiple of ``step``, but not beyond ``limit``; up to 32 tokens it stays as it is.

    At least 1: engines do not take a batch without columns.
    """
    if longest <= _SHORT:
        return max(1, longest)
    rounded = -(-longest // step) * step
    return rounded if limit is None else max(longest, min(rounded, limit))


def pad_batch(
    ids: Sequence[NDArray[np.int32]],
    type_ids: Sequence[NDArray[np.int32]] | None,
    pad_id: int,
    pad_left: bool,
    step: int = 1,
    limit: int | None = None,
    least: int = 0,
) -> TokenBatch:
    """Token lists as arrays (texts, `padded_length`), padded with ``pad_id`` and type 0, to ``least`` columns."""
    lengths = np.array([len(row) for row in ids])
    if len(ids) == 1 and _HUGE < len(ids[0]) == padded_length(len(ids[0]), step, limit):
        everywhere = np.broadcast_to(np.int64(1), (1, len(ids[0])))  # takes no memory
        return TokenBatch(_alone(ids[0]), everywhere, None if type_ids is None else _alone(type_ids[0]))
    columns = np.arange(padded_length(lengths.max(initial=least), step, limit))
    attended = columns >= (len(columns) - lengths)[:, None] if pad_left else columns < lengths[:, None]
    return TokenBatch(
        _fill(ids, attended, pad_id),
        attended.astype(np.int64),
        None if type_ids is None else _fill(type_ids, attended, 0),
    )


def _alone(row: NDArray[np.int32]) -> NDArray[np.int64]:
    return row.astype(np.int64)[None]


def _fill(rows: Sequence[NDArray[np.int32]], attended: NDArray[np.bool_], padding: int) -> NDArray[np.int64]:
    filled = np.full(attended.shape, padding, dtype=np.int64)
    filled[attended] = np.concatenate(rows)
    return filled
