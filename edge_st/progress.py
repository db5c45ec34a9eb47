"""A progress bar, shown when sentence-transformers would show one."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger("edge_st")


@contextmanager
def progress_bar(
    total: int, show: bool | None, unit: str = "text", name: str | None = None
) -> Iterator[Callable[[int], Any]]:
    """Yield a function to call with the number of items done since the last call.

    With None for ``show``, the bar is shown if the logger "edge_st" is at level INFO or DEBUG. A program without
    standard error, such as one in a window, shows none.
    """
    wanted = logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG) if show is None else show
    if not wanted or sys.stderr is None:
        yield lambda _done: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=unit, desc=name) as bar:
        yield bar.update
