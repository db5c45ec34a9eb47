"""How `mine_hard_negatives` runs models: prompts, batches, processes and the cache."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError


@dataclass(frozen=True)
class Prompt:
    """The prompt of a kind of texts, by its name in the model or as it is; None where there is none."""

    name: str | None
    text: str | None


@dataclass(frozen=True)
class Encoding:
    """The arguments of `mine_hard_negatives` about running models.

    Raises OptionError for a ``batch_size`` below 1 and a ``use_multi_process`` that is neither a bool nor devices.
    """

    batch_size: int
    query_prompt: Prompt
    corpus_prompt: Prompt
    use_multi_process: Sequence[str] | bool
    cache_folder: str | None
    verbose: bool

    def __post_init__(self) -> None:
        check_count("batch_size", self.batch_size)
        if not isinstance(self.use_multi_process, bool | list | tuple):
            raise OptionError(f"use_multi_process is {self.use_multi_process!r}; expected a bool or ['cpu', 'cpu']")


@contextmanager
def processes(model: Any, encoding: Encoding, *, are_needed: bool = True) -> Iterator[Any]:
    """A pool of processes of ``model`` for the time of the block; None where ``encoding`` asks for none."""
    if not encoding.use_multi_process or not are_needed:
        yield None
        return
    devices = None if isinstance(encoding.use_multi_process, bool) else list(encoding.use_multi_process)
    pool = model.start_multi_process_pool(target_devices=devices)
    try:
        yield pool
    finally:
        model.stop_multi_process_pool(pool)
