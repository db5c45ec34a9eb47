"""A pool of processes that answer questions about texts. Source: sentence-transformers' multi-process pools."""

import math
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import numpy as np

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import EngineError, OptionError
from edge_st_runtime.text.tokens import TextOrPair

from ..progress import progress_bar
from .spawning import spawning

Pool: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[..., Any]
_LARGEST_CHUNK = 1000


@dataclass(frozen=True, eq=False)
class _Worker:
    """A process, and our end of the line to it. Only one thread may ask it at a time."""

    process: Any
    line: Connection

    def ask(self, *request: Any) -> Any:
        """The answer to ``request``. Raises what the process raised, and EngineError if the process has ended."""
        try:
            self.line.send(request)
            answer = self.line.recv()
        except (EOFError, OSError):
            self.process.join()
            raise EngineError(
                f"1 multi-process pool worker(s) died unexpectedly: pid {self.process.pid} (exit code "
                f"{self.process.exitcode}); see its message above, then stop the pool and start another (in a script "
                "under `if __name__ == '__main__':`, in a frozen program after multiprocessing.freeze_support())"
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def start_pool(makers: Sequence[Callable[[], Answer]]) -> Pool:
    """Start a process for each of ``makers``. It is called there, and what it returns answers the questions.

    The pool is ``{"processes": the processes, "idle": a queue of the workers that wait for a question}``.
    """
    workers = [_start(make) for make in makers]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)
    return {"processes": [worker.process for worker in workers], "idle": idle}


def stop_pool(pool: Pool) -> None:
    """End every process of ``pool``. Stopping it again is no error. Raises OptionError for what is no pool."""
    _check_pool(pool)
    processes, pool["processes"] = pool["processes"], []
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextmanager
def borrowed_pool(pool: Pool | None, makers: Callable[[], Sequence[Callable[[], Answer]]]) -> Iterator[Pool]:
    """``pool`` itself. If it is None, a pool of ``makers()``, which is stopped at the end of the block.

    Raises OptionError for what is no pool.
    """
    workers = start_pool(makers()) if pool is None else _check_pool(pool)
    try:
        yield workers
    finally:
        if pool is None:
            stop_pool(workers)


def _check_pool(pool: Any) -> Pool:
    if isinstance(pool, dict) and isinstance(pool.get("processes"), list) and "idle" in pool:
        return pool
    raise OptionError(f"pool is {pool!r:.60}; expected what start_multi_process_pool() returned")


def run_chunks(
    pool: Pool,
    texts: list[TextOrPair],
    question: Callable[[list[TextOrPair]], tuple[Any, ...]],
    chunk_size: int | None,
    show_progress_bar: bool | None,
) -> Any:
    """Have the workers answer for chunks of ``texts``; returns the answers joined, in the order of the texts.

    ``question`` turns a chunk into the arguments of the workers' function. Raises what a worker raised. Several
    threads may share a pool, and it can be used again after an interrupt or an error.
    """
    count = len(pool["processes"])
    if not count:
        raise OptionError("the pool was stopped; start another with start_multi_process_pool()")
    if chunk_size is None:
        chunk_size = max(1, min(math.ceil(len(texts) / count / 10), _LARGEST_CHUNK))
    check_count("chunk_size", chunk_size)
    # An empty list still goes to a worker: it knows the dimension.
    chunks = [texts[start : start + chunk_size] for start in range(0, max(1, len(texts)), chunk_size)]
    answers = _answers(pool, list(map(question, chunks)))
    with progress_bar(len(texts), show_progress_bar) as advance, closing(answers):
        return _joined(_told(answers, advance), len(texts))


def _answers(pool: Pool, questions: Sequence[tuple[Any, ...]]) -> Generator[Any, None, None]:
    """The answers in the order of the questions.

    Other threads ask the workers: an interrupt of this one between a question and its answer would mix up the next
    ones. This thread only waits at a queue, which an interrupt leaves as it was.
    """
    asked: queue.SimpleQueue[tuple[int, tuple[Any, ...]]] = queue.SimpleQueue()
    answered: queue.SimpleQueue[tuple[int, Any, Exception | None]] = queue.SimpleQueue()
    for numbered in enumerate(questions):
        asked.put(numbered)
    for _ in range(min(len(pool["processes"]), len(questions))):
        threading.Thread(target=_ask_all, args=(pool["idle"], asked, answered), daemon=True).start()
    early: dict[int, tuple[Any, Exception | None]] = {}
    try:
        for number in range(len(questions)):
            while number not in early:
                place, answer, error = answered.get()
                early[place] = answer, error
            answer, error = early.pop(number)
            if error is not None:
                raise error
            yield answer
    finally:
        with suppress(queue.Empty):  # what no thread has asked yet is dropped
            while True:
                asked.get_nowait()


def _ask_all(idle: "queue.SimpleQueue[_Worker]", asked: Any, answered: Any) -> None:
    """Ask idle workers one question after the other, until there are no more."""
    with suppress(queue.Empty):
        while True:
            number, question = asked.get_nowait()
            worker = idle.get()
            try:
                answer, error = worker.ask(*question), None
            except Exception as raised:  # noqa: BLE001 - it is raised where the answer is waited for
                answer, error = None, raised
            finally:
                idle.put(worker)
            answered.put((number, answer, error))


def _told(results: Iterator[Any], advance: Callable[[int], Any]) -> Iterator[Any]:
    for result in results:
        yield result
        advance(len(result))


def _joined(results: Iterator[Any], count: int) -> Any:
    """The results of the chunks as one result of ``count`` rows; arrays and sparse matrices are stacked."""
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


def _start(make: Callable[[], Answer]) -> _Worker:
    context = spawning()
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(make, theirs), daemon=True)
    process.start()
    theirs.close()  # so that the line breaks when the process ends
    return _Worker(process, ours)


def _work(make: Callable[[], Answer], line: Connection) -> None:
    """Answer until the other end of the line is closed. Interrupts are handled by the parent alone.

    What goes wrong in ``make`` is the answer to every question.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        answer, failed = make(), None
    except Exception as error:  # noqa: BLE001 - as below
        answer, failed = None, error
    while True:
        try:
            question = line.recv()
        except EOFError:
            return
        try:
            found = failed if answer is None else answer(*question)
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            found = error
        line.send(found)
