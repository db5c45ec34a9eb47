"""A loaded model in a forked child. It runs in a process of its own with a time limit, because a failure is a hang."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import os, sys
import numpy as np
from edge_st import SentenceTransformer

folder, engine, out = sys.argv[1:]
model = SentenceTransformer(folder, backend=engine, dtype="float32", num_threads=2)
texts = [f"the quick fox {i} " * (i % 5 + 1) for i in range(200)]
parent = model.encode(texts)
pids = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        if child < 2:
            np.save(f"{out}/{child}.npy", model.encode(texts))
        sys.exit()  # with everything that Python tidies up at an end, whether the model was used or not
    pids.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
np.save(f"{out}/parent.npy", parent)
np.save(f"{out}/again.npy", model.encode(texts))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_children_answer_as_their_parent(tiny_folder: Path, engine: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tiny_folder), engine, str(tmp_path)]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    parent = np.load(tmp_path / "parent.npy")
    for name in ("0.npy", "1.npy", "again.npy"):
        np.testing.assert_allclose(np.load(tmp_path / name), parent, atol=1e-6)


BUSY = """
import os, sys, threading, time
from edge_st import SentenceTransformer

folder, engine = sys.argv[1:]
model = SentenceTransformer(folder, backend=engine, dtype="float32", num_threads=2)
texts = [f"the quick fox {i} " * (i % 5 + 1) for i in range(60)]
model.encode(texts)
stop = threading.Event()

def encode():
    while not stop.is_set():
        model.encode(texts)

threads = [threading.Thread(target=encode) for _ in range(4)]
for thread in threads:
    thread.start()
for number in range(int(os.environ["FORKS"])):
    time.sleep(0.01 + 0.007 * (number % 5))
    pid = os.fork()
    if pid == 0:
        model.encode(texts[:20])
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("forks", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_no_child_hangs_that_is_forked_while_other_threads_encode(forks: int, tiny_folder: Path, engine: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", BUSY, str(tiny_folder), engine]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FORKS": str(forks)}
    subprocess.run(command, check=True, timeout=60 + 3 * forks, env=environment)
