"""A progress bar over texts, shown as sentence-transformers would."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger("edge_st")


@contextmanager
def progress_bar(
    total: int, show: bool | None, unit: str = "text", name: str | None = None
) -> Iterator[Callable[[int], Any]]:
    """A function to call with the number of items done; None shows a bar where the package logs INFO or DEBUG."""
    if not (logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG) if show is None else show):
        yield lambda _done: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=unit, desc=name) as bar:
        yield bar.update
