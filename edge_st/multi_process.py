"""Encode with several processes. Source: sentence-transformers' multi-process pools."""

import math
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edge_st_runtime.errors import EdgeSTError, EngineError, OptionError
from edge_st_runtime.threads import thread_count
from edge_st_runtime.tokenizer import TextOrPair

from .progress import progress_bar

if TYPE_CHECKING:
    from .sentence_transformer import SentenceTransformer

Pool: TypeAlias = dict[str, Any]
_DEFAULT_WORKERS = 4
_LARGEST_CHUNK = 5000
_POLL_SECONDS = 1.0


def start_pool(model: "SentenceTransformer", devices: Sequence[str] | None) -> Pool:
    """Processes that each load the model on one of ``devices``: {"input", "output", "processes"}."""
    devices = ["cpu"] * _DEFAULT_WORKERS if devices is None else list(devices)
    if not devices:
        raise OptionError("target_devices is empty; expected one device a process, such as ['cpu', 'cpu']")
    context = multiprocessing.get_context("spawn")
    pool: Pool = {"input": context.Queue(), "output": context.Queue(), "processes": []}
    threads = max(1, thread_count() // len(devices))
    for device in devices:
        state = model.state_for(device=None if device == "cpu" else device, num_threads=threads)
        arguments = type(model), state, pool["input"], pool["output"]
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        pool["processes"].append(process)
    return pool


def stop_pool(pool: Pool) -> None:
    """End every process of ``pool`` and close its queues."""
    for process in pool["processes"]:
        process.terminate()
    for process in pool["processes"]:
        process.join()
        process.close()
    for queue in (pool["input"], pool["output"]):
        queue.close()


@contextmanager
def borrowed_pool(model: "SentenceTransformer", pool: Pool | None, devices: Sequence[str] | None) -> Iterator[Pool]:
    """``pool`` itself, or one over ``devices`` that ends with the block."""
    workers = start_pool(model, devices) if pool is None else pool
    try:
        yield workers
    finally:
        if pool is None:
            stop_pool(workers)


def encode_chunks(
    pool: Pool,
    texts: list[TextOrPair],
    options: Mapping[str, Any],
    chunk_size: int | None,
    show_progress_bar: bool | None,
) -> Any:
    """What one process would give for all ``texts``, in their order; raises what a worker raised."""
    if chunk_size is None:
        chunk_size = max(1, min(math.ceil(len(texts) / len(pool["processes"]) / 10), _LARGEST_CHUNK))
    # An empty list still goes to a worker: it knows the dimension.
    chunks = [texts[start : start + chunk_size] for start in range(0, max(1, len(texts)), chunk_size)]
    for number, chunk in enumerate(chunks):
        pool["input"].put((number, chunk, dict(options)))
    results: list[Any] = [None] * len(chunks)
    failures: list[EdgeSTError] = []
    with progress_bar(len(texts), show_progress_bar) as advance:
        for _ in chunks:
            number, result = _next_result(pool)
            if isinstance(result, EdgeSTError):
                failures.append(result)
            results[number] = result
            advance(len(chunks[number]))
    if failures:
        raise failures[0]
    return np.concatenate(results) if isinstance(results[0], np.ndarray) else list(chain.from_iterable(results))


def _next_result(pool: Pool) -> tuple[int, Any]:
    from queue import Empty

    while True:
        try:
            result: tuple[int, Any] = pool["output"].get(timeout=_POLL_SECONDS)
        except Empty:
            dead = [process.exitcode for process in pool["processes"] if not process.is_alive()]
            if dead:
                raise EngineError(
                    f"a worker process ended with exit code {dead[0]}; start the pool under "
                    "`if __name__ == '__main__':` and see its message above"
                ) from None
        else:
            return result


def _work(kind: "type[SentenceTransformer]", state: dict[str, Any], inputs: Any, outputs: Any) -> None:
    model = kind.__new__(kind)
    model.__setstate__(state)
    while True:
        number, texts, options = inputs.get()
        try:
            outputs.put((number, model._encode_all(texts, show_progress_bar=False, **options)))
        except EdgeSTError as error:
            outputs.put((number, error))
