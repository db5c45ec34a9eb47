"""What happens to texts beyond the model's limit."""

import logging
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError, TextTooLongError
from edge_st_runtime.model.repeats import Distinct
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


def as_limit(value: float) -> int:
    """``value`` as a whole number; raises OptionError for what is none."""
    if not isinstance(value, int | float | np.integer) or not float(value).is_integer():
        raise OptionError(f"max_seq_length is {value!r}; expected a whole number of tokens, or None")
    return int(value)


def truncation_guard(
    truncation: Truncation, limit: int | None, distinct: Distinct, prompt: str | None, tokenizer: Tokenizer
) -> Callable[[NDArray[np.int64], Tokens], None] | None:
    """A function that warns of cut texts as they are tokenized, or None where nothing need be said.

    With "error", all texts are counted first: raises TextTooLongError for the first beyond the limit.
    """
    if limit is None or truncation == "silent":
        return None
    if truncation == "warn":
        return lambda rows, tokens: _warn(distinct, rows[tokens.counts > limit], limit)
    start = 0
    for window in windows(distinct.texts):
        counts = tokenizer(window, None, prompt).counts
        if (counts > limit).any():
            first = int((counts > limit).argmax())
            raise TextTooLongError(
                f"inputs[{distinct.first[start + first]}] has {counts[first]} tokens, the model takes {limit}; split "
                "it, or pass truncation='warn'"
            )
        start += len(window)
    return None


def _warn(distinct: Distinct, rows: NDArray[np.int64], limit: int) -> None:
    if len(rows):
        rows = distinct.places(distinct.first[rows])
        logger.warning("%d text(s) cut to %d tokens: inputs %s", len(rows), limit, _short(rows.tolist()))


def _short(rows: list[int]) -> str:
    return ", ".join(map(str, rows[:10])) + (" …" if len(rows) > 10 else "")
