"""Run a model in several processes. Source: sentence-transformers' multi-process pools."""

import math
import multiprocessing
import queue
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edge_st_runtime.errors import EngineError, OptionError
from edge_st_runtime.machine.threads import thread_count
from edge_st_runtime.text.tokens import TextOrPair

from ..progress import progress_bar

if TYPE_CHECKING:
    from .running import Running

Pool: TypeAlias = dict[str, Any]
_DEFAULT_WORKERS = 4
_LARGEST_CHUNK = 1000


@dataclass(frozen=True, eq=False)
class _Worker:
    """A process with a copy of the model, and our end of the line to it. Only one thread may ask it at a time."""

    process: Any
    line: Connection

    def ask(self, *request: Any) -> Any:
        """The answer to ``request``; raises what the process raised, EngineError where it is no longer there."""
        try:
            self.line.send(request)
            answer = self.line.recv()
        except (EOFError, OSError):
            self.process.join()
            raise EngineError(
                f"a worker process ended with exit code {self.process.exitcode}; see its message above, then start "
                "another pool (in a script under `if __name__ == '__main__':`)"
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def start_pool(model: "Running", devices: Sequence[str] | None) -> Pool:
    """Processes that each load the model on one of ``devices``: {"processes": them, "idle": a queue of workers}."""
    devices = ["cpu"] * _DEFAULT_WORKERS if devices is None else list(devices)
    if not devices:
        raise OptionError("target_devices is empty; expected one device a process, such as ['cpu', 'cpu']")
    threads = max(1, thread_count() // len(devices))
    states = [model.state_for(device=None if device == "cpu" else device, num_threads=threads) for device in devices]
    workers = [_start(type(model), state) for state in states]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)
    return {"processes": [worker.process for worker in workers], "idle": idle}


def stop_pool(pool: Pool) -> None:
    """End every process of ``pool``; once is enough, again is no error."""
    processes, pool["processes"] = pool["processes"], []
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextmanager
def borrowed_pool(model: "Running", pool: Pool | None, devices: Sequence[str] | None) -> Iterator[Pool]:
    """``pool`` itself, or one over ``devices`` that ends with the block."""
    workers = start_pool(model, devices) if pool is None else pool
    try:
        yield workers
    finally:
        if pool is None:
            stop_pool(workers)


def run_chunks(
    pool: Pool,
    settings: Mapping[str, Any],
    texts: list[TextOrPair],
    options: Mapping[str, Any],
    chunk_size: int | None,
    show_progress_bar: bool | None,
) -> Any:
    """What one process with ``settings`` would give for all ``texts``, in their order; raises what a worker raised.

    Several threads may share a pool. After an interrupt or an error it serves on.
    """
    count = len(pool["processes"])
    if not count:
        raise OptionError("the pool was stopped; start another with start_multi_process_pool()")
    if chunk_size is None:
        chunk_size = max(1, min(math.ceil(len(texts) / count / 10), _LARGEST_CHUNK))
    if not isinstance(chunk_size, int) or chunk_size < 1:
        raise OptionError(f"chunk_size is {chunk_size!r}; expected a whole number of at least 1, or None")
    # An empty list still goes to a worker: it knows the dimension.
    chunks = [texts[start : start + chunk_size] for start in range(0, max(1, len(texts)), chunk_size)]
    ask = partial(_ask_idle, pool["idle"], settings, options)
    # Never on this thread: an interrupt between a question and its answer would mix up the next ones.
    with progress_bar(len(texts), show_progress_bar) as advance, ThreadPoolExecutor(count) as threads:
        return _joined(_told(threads.map(ask, chunks), advance), len(texts))


def _told(results: Iterator[Any], advance: Callable[[int], Any]) -> Iterator[Any]:
    for result in results:
        yield result
        advance(len(result))


def _joined(results: Iterator[Any], count: int) -> Any:
    """The chunks' results as one of ``count`` rows: arrays and sparse matrices below each other, lists as a list."""
    first = next(results)
    everything = chain([first], results)
    if isinstance(first, list):
        return list(chain.from_iterable(everything))
    if not isinstance(first, np.ndarray):
        return type(first).concatenate(list(everything))
    joined, start = np.empty((count, *first.shape[1:]), dtype=first.dtype), 0
    for result in everything:
        joined[start : start + len(result)] = result
        start += len(result)
    return joined


def _ask_idle(
    idle: "queue.SimpleQueue[_Worker]",
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
    chunk: list[TextOrPair],
) -> Any:
    worker = idle.get()
    try:
        return worker.ask(settings, options, chunk)
    finally:
        idle.put(worker)


def _start(kind: "type[Running]", state: dict[str, Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(kind, state, theirs), daemon=True)
    process.start()
    theirs.close()  # so that the line breaks when the process ends
    return _Worker(process, ours)


def _work(kind: "type[Running]", state: dict[str, Any], line: Connection) -> None:
    """Answer until the other end is closed; an interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = kind.__new__(kind)
    model.__setstate__(state)
    while True:
        try:
            settings, options, texts = line.recv()
        except EOFError:
            return
        try:
            model.adopt(settings)
            answer = model._run_all(texts, show_progress_bar=False, **options)
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            answer = error
        line.send(answer)
