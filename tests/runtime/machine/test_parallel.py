"""Work on several threads: order, errors, what is left behind, and the time after the main thread has ended."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_st_runtime.machine import parallel
from edge_st_runtime.machine.parallel import parallel_map


@pytest.mark.parametrize("workers", [1, 3])
def test_keeps_order_and_takes_no_more_than_it_needs(workers: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    results = parallel_map(lambda item: item * 2, items(), workers)
    assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert taken <= 5 + (0 if workers == 1 else parallel._AHEAD * workers + 1)
    assert list(results) == [item * 2 for item in range(5, 100)]


def test_computes_at_once_but_with_one_worker_on_the_callers_thread() -> None:
    barrier = threading.Barrier(2, timeout=10)
    assert len(list(parallel_map(lambda _item: barrier.wait(), iter(range(4)), 2))) == 4
    assert list(parallel_map(lambda _item: threading.current_thread(), iter([1]), 1)) == [threading.current_thread()]


def test_raises_what_the_function_raises() -> None:
    def fail(item: int) -> int:
        if item == 3:
            raise KeyError(item)
        time.sleep(0.001)
        return item

    with pytest.raises(KeyError, match=r"3"):
        list(parallel_map(fail, iter(range(10)), 2))


def test_makes_items_while_workers_compute() -> None:
    made_while_computing = threading.Event()

    def items() -> Iterator[bool]:
        yield False
        yield True
        made_while_computing.set()
        yield False

    assert list(parallel_map(lambda waits: not waits or made_while_computing.wait(10), items(), 2)) == [True] * 3


@pytest.mark.parametrize("stop", ["close", "error in function", "error in items"])
def test_leaves_no_thread_and_drops_what_has_not_begun(stop: str) -> None:
    threads, begun = threading.active_count(), []

    def compute(item: int) -> int:
        begun.append(item)
        if item == 0 and stop == "error in function":
            raise KeyError(item)
        time.sleep(0.01)
        return item

    def items() -> Iterator[int]:
        yield from range(10)
        if stop == "error in items":
            raise KeyError
        yield from range(10, 100)

    results = parallel_map(compute, items(), 2)
    if stop == "close":
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined] # a generator
    else:
        with pytest.raises(KeyError):
            list(results)
    assert threading.active_count() == threads
    assert len(begun) < 10


LATE = """
import atexit, importlib, sys, threading
import numpy as np
import edge_st

folder, engine, out, when = sys.argv[1:]
TEXTS = [f"the quick fox {i} " * (i % 5 + 1) for i in range(200)]

def load():
    return edge_st.SentenceTransformer(folder, backend=engine, dtype="float32", num_threads=2)

def work(model):
    again, index = load(), edge_st.Index.build(model, TEXTS, f"{out}/index")
    encoded = model.encode(TEXTS), np.stack(list(model.encode_iter(TEXTS))), again.encode(TEXTS)
    np.savez(f"{out}/late.npz", *encoded, hits=[hit["corpus_id"] for hit in index.search(TEXTS[7], 3)])

class Late:
    def __del__(self):
        work(self.model)

def later():
    threading.main_thread().join()
    work(load())

if when == "a thread, loaded late":
    importlib.import_module({"onnx": "onnxruntime", "openvino": "openvino"}[engine])
    threading.Thread(target=later).start()
else:
    model = load()
    np.save(f"{out}/early.npy", model.encode(TEXTS))
    if when == "atexit":
        atexit.register(work, model)
    elif when == "a finalizer":
        late = Late()
        late.model = model
        sys.late = late
        atexit.register(lambda: sys.__dict__.pop("late"))
        del late
    else:
        threading.Thread(target=lambda: (threading.main_thread().join(), work(model))).start()
"""


@pytest.mark.parametrize("when", ["atexit", "a finalizer", "a thread", "a thread, loaded late"])
def test_models_and_indexes_after_the_main_thread_has_ended(
    when: str, tiny_folder: Path, engine: str, tmp_path: Path
) -> None:
    assert _run(LATE, str(tiny_folder), engine, str(tmp_path), when) == ("", "")
    late = np.load(tmp_path / "late.npz")
    assert len(late["hits"]) == 3
    early = np.load(tmp_path / "early.npy") if (tmp_path / "early.npy").exists() else late["arr_0"]
    for name in ("arr_0", "arr_1", "arr_2"):
        np.testing.assert_allclose(late[name], early, atol=1e-6)


DAEMONS = """
import sys, threading, time
import edge_st

model = edge_st.SentenceTransformer(sys.argv[1], backend=sys.argv[2], num_threads=2)
TEXTS = [f"the quick fox {i} " * (i % 5 + 1) for i in range(200)]

def work():
    while True:
        model.encode(TEXTS)

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
"""


def test_a_program_ends_while_its_daemon_threads_encode(tiny_folder: Path, engine: str) -> None:
    for _ in range(3):  # without care every other one aborts
        assert _run(DAEMONS, str(tiny_folder), engine) == ("", "")


LAST = """
import sys
import numpy as np
import edge_st

folder, engine, out = sys.argv[1:]
TEXTS = [f"the quick fox {i} " * (i % 5 + 1) for i in range(200)]

class Late:
    def __init__(self):
        self.model = edge_st.SentenceTransformer(folder, backend=engine, dtype="float32", num_threads=2)
        self.index = edge_st.Index.build(self.model, TEXTS, f"{out}/index")
        self.early = self.work()

    def work(self):
        encoded = [*self.model.encode(TEXTS), *self.model.encode_iter(TEXTS)]
        return np.stack(encoded), self.index.search(TEXTS[7], 3)

    def __del__(self):
        (early, early_hits), (late, hits) = self.early, self.work()
        print(sys.meta_path, hits == early_hits, np.abs(late - early).max() < 1e-6)

late = Late()
"""


def test_models_and_indexes_when_nothing_can_be_imported(tiny_folder: Path, engine: str, tmp_path: Path) -> None:
    assert _run(LAST, str(tiny_folder), engine, str(tmp_path)) == ("None True True\n", "")


def _run(program: str, *arguments: str) -> tuple[str, str]:
    command = [sys.executable, "-c", program, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    return done.stdout, done.stderr
