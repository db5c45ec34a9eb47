"""A process that holds one model, of edge-st or of a peer, and runs it."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..models.processes import new_process
from .measuring import load
from .peers import PEERS, TASKS, Setting, opened, prepare
from .settings import Setting as Own

_opened: list[Callable[[Any], Any]] = []  # in the process of a runner: the function that runs its model


class Texts(NamedTuple):
    """The inputs of each measurement."""

    short: Any
    mixed: Any
    singles: list[Any]


class Runner:
    """A process that holds one model. ``opening`` is a function and its arguments, called in that process."""

    def __init__(self, stack: ExitStack, label: str, versions: Mapping[str, str], opening: tuple[Any, ...]) -> None:
        self.label, self.versions, self.opening = label, versions, opening
        self._process = stack.enter_context(new_process())

    def ask(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """What ``work`` returns there; raises RuntimeError with the reason where it fails."""
        return _asked(self._process, work, *arguments)


def made_files(label: str, setting: Setting) -> str | None:
    """Make the peer's own files, if it needs some, in a process that ends; returns the reason where that fails."""
    if PEERS[label].make is None:
        return None
    with new_process() as process:
        try:
            _asked(process, _prepare, label, setting)
        except RuntimeError as error:
            return str(error)
    return None


def _asked(process: ProcessPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        result, reason = process.submit(_caught, work, *arguments).result()
    except BrokenProcessPool as error:
        raise RuntimeError("its process crashed") from error
    if reason is not None:
        raise RuntimeError(reason)
    return result


# What follows runs in the process of a runner.


def _caught(work: Callable[..., Any], *arguments: Any) -> tuple[Any, str | None]:
    """What ``work`` returns, and None; or None and why it failed: not every library's exceptions can be pickled."""
    try:
        return work(*arguments), None
    except Exception as error:  # noqa: BLE001 - other libraries raise anything
        lines = str(error).strip().splitlines() or [""]
        return None, f"{type(error).__name__}: {lines[0]}"


def _prepare(label: str, setting: Setting) -> None:
    _quiet(setting.threads)
    prepare(label, PEERS[label], setting)


def open_peer(label: str, setting: Setting) -> None:
    """Load the model with the peer of this name."""
    _quiet(setting.threads)
    _opened.append(opened(label, PEERS[label], setting))


def open_own(folder: Path, task: str, setting: Own) -> None:
    """Load the model with edge-st."""
    _opened.append(TASKS[task].ask(load(folder, setting)))


def _quiet(threads: int | None) -> None:
    """Keep what libraries print away from edge-st's output, and them from the network; limit their threads."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.environ.update({"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads)})


def turn(texts: Texts, with_outputs: bool) -> tuple[float, float, float, Any]:
    """Texts per second of the short and the mixed texts, milliseconds of a single one, and the mixed texts' outputs."""
    (run,) = _opened
    short, _ = _timed(run, texts.short)
    mixed, outputs = _timed(run, texts.mixed)
    singles = statistics.median(_timed(run, text)[0] for text in texts.singles)
    return _count(texts.short) / short, _count(texts.mixed) / mixed, singles * 1000, _array(outputs, with_outputs)


def _timed(run: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    found = run(given)
    return time.perf_counter() - start, found


def _count(given: Any) -> int:
    """How many texts; of a reranker's one search how many documents."""
    return len(given[0][1]) if isinstance(given[0], tuple) else len(given)


def _array(outputs: Any, wanted: bool) -> NDArray[np.float64] | None:
    """Vectors as rows; the scores of a reranker in the order of the documents."""
    if not wanted:
        return None
    if hasattr(outputs, "to_dense"):
        outputs = outputs.to_dense()
    elif isinstance(outputs, list):
        outputs = [score for _, score in sorted(outputs[0])]
    return np.asarray(outputs, np.float64)
