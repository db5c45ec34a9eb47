"""What happens to texts that are longer than the model's limit."""

import logging
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError, TextTooLongError
from edge_st_runtime.model.repeats import Distinct
from edge_st_runtime.text.long_texts import is_long
from edge_st_runtime.text.tokens import Tokenizer, Tokens
from edge_st_runtime.text.windows import windows

Truncation = Literal["silent", "warn", "error"]
logger = logging.getLogger(__name__)


def check_truncation(truncation: str) -> Truncation:
    """``truncation`` itself; raises OptionError unless it is "silent", "warn" or "error"."""
    for known in get_args(Truncation):
        if truncation == known:
            return known
    raise OptionError(f"truncation is {truncation!r}; expected one of {get_args(Truncation)}")


def truncation_guard(
    truncation: Truncation, limit: int | None, distinct: Distinct, prompt: str | None, tokenizer: Tokenizer
) -> Callable[[NDArray[np.int64], Tokens], None] | None:
    """With "warn" a function that is shown the tokens of each window of texts, and warns of those that are cut.

    With "error" all texts are counted here; raises TextTooLongError for the first one beyond the limit.
    """
    if limit is None or truncation == "silent":
        return None
    if truncation == "warn":
        return lambda rows, tokens: _warn(distinct, rows[tokens.counts > limit], limit)
    start = 0
    for window in windows(distinct.texts):
        counts = tokenizer(window, limit, prompt).counts
        if (counts > limit).any():
            first = int((counts > limit).argmax())
            count = f"more than {limit}" if is_long(window[first]) else counts[first]
            raise TextTooLongError(
                f"inputs[{distinct.first[start + first]}] has {count} tokens, the model takes {limit}; split it, or "
                "pass truncation='warn'"
            )
        start += len(window)
    return None


def _warn(distinct: Distinct, rows: NDArray[np.int64], limit: int) -> None:
    if len(rows):
        rows = distinct.places(distinct.first[rows])
        logger.warning("%d text(s) cut to %d tokens: %s", len(rows), limit, _short(rows.tolist()))


def _short(rows: list[int]) -> str:
    return ", ".join(f"inputs[{row}]" for row in rows[:10]) + (" …" if len(rows) > 10 else "")
