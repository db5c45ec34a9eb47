"""A model and an index on a machine with little memory: a process in a cgroup of 512 MB (Linux, as root).

The process opens the model as it does by itself there, embeds ``--texts`` texts, builds an index of them and of random
vectors up to ``--rows``, opens it again and searches it. Peaks are resident megabytes of the process (VmHWM), reset
before each step. The group's peak has the mapped and cached files as well, which the kernel drops when it needs room.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tables import table

from edge_st import Index, SentenceTransformer
from edge_st.memory import peak_memory
from edge_st_runtime.machine.cpu import cpu_features, cpu_name

_AT_ONCE, _ASKED = 20_000, 30
_ROOT = Path("/sys/fs/cgroup")


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--model", help="a model folder or an installed model (default: the bundled model)")
    made.add_argument("--megabytes", type=int, default=512)
    made.add_argument("--rows", type=int, default=200_000)
    made.add_argument("--texts", type=int, default=200_000)
    made.add_argument("--precision", default="int8")
    made.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.inside:
        print(json.dumps(_work(options)))
        return
    print(f"{cpu_name()}: {' '.join(sorted(cpu_features()))}\nload {os.getloadavg()[0]:.1f}")
    group = _group(options.megabytes)
    try:
        child = subprocess.run(
            [sys.executable, *sys.argv, "--inside"],
            preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        peaks = [group / "memory.peak", group / "memory.max_usage_in_bytes"]
        used = next(int(path.read_text()) for path in peaks if path.is_file())
    finally:
        group.rmdir()
    rows = json.loads(child.stdout)
    print(table([f"in {options.megabytes} MB", "seconds", "peak MB"], rows["steps"]))
    print(f"\n{rows['how']}\npeak of the group, with files in memory: {used / 1e6:.0f} MB")


def _group(megabytes: int) -> Path:
    """A new cgroup with a limit of memory."""
    first = not (_ROOT / "cgroup.controllers").is_file()
    group = (_ROOT / "memory" if first else _ROOT) / f"edge-st-{os.getpid()}"
    group.mkdir()
    (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(megabytes * 1_000_000))
    return group


def _work(options: argparse.Namespace) -> dict[str, object]:
    steps = []

    def step(name: str, began: float) -> None:
        steps.append([name, f"{time.perf_counter() - began:.2f}", f"{(peak_memory() or 0) / 1e6:.0f}"])
        Path("/proc/self/clear_refs").write_text("5")

    began = time.perf_counter()
    model = SentenceTransformer(options.model)
    model.encode("a first text")
    step("model opened, one text embedded", began)
    with tempfile.TemporaryDirectory() as folder:
        path, began = Path(folder, "index"), time.perf_counter()
        with Index.build(model, [], path, precision=options.precision) as index:
            for start in range(0, options.rows, _AT_ONCE):
                count = min(_AT_ONCE, options.rows - start)
                texts = [_text(number) for number in range(start, start + count)]
                vectors = None if start < options.texts else _vectors(start, count, model)
                index.add(texts, embeddings=vectors)
        step(f"index of {options.rows} × {model.get_embedding_dimension()} in {options.precision} built", began)
        began = time.perf_counter()
        index = Index.open(path, model=model)
        index.search("the first question", top_k=10)
        step("opened again, first search", began)
        times, began = [], time.perf_counter()
        for number in range(_ASKED):
            start_of_search = time.perf_counter()
            index.search(_text(number * 37), top_k=10)
            times.append(1e3 * (time.perf_counter() - start_of_search))
        step(f"{_ASKED} searches, p50 {statistics.median(times):.1f} ms each", began)
    info = model.info()
    return {"steps": steps, "how": f"{info['engine']}, {info['dtype']}, {info['threads']} threads"}


def _text(number: int) -> str:
    return f"note {number}: the meeting about {number % 97} and {number % 89} was moved to day {number % 31}"


def _vectors(seed: int, count: int, model: SentenceTransformer) -> np.ndarray:
    size = (count, model.get_embedding_dimension() or 0)
    return np.random.default_rng(seed).standard_normal(size, dtype=np.float32)


if __name__ == "__main__":
    main()
