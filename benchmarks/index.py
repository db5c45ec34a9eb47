"""The cost of a large index: time to build, to open in a fresh process and to search, and memory.

Run ``python benchmarks/index.py --work FOLDER``. The vectors are random. An index that an earlier run left in the
folder is used again. The time to open does not include the import of edge-st. Resident megabytes are those of the whole
process, with the pages of the mapped file.
"""

import argparse
import multiprocessing
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_st import Index

_AT_ONCE, _ASKED = 500_000, 20


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--work", type=Path, required=True, help="the folder that the index is made and kept in")
    made.add_argument("--rows", type=int, default=5_000_000)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--precision", default="int8")
    options = made.parse_args()
    path = options.work / f"{options.precision}-{options.rows}x{options.dim}"
    if not path.exists():
        _build(path, options)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(_ask, (path, options.dim)))


def _build(path: Path, options: argparse.Namespace) -> None:
    began = time.perf_counter()
    with Index.build(None, None, path, embeddings=_vectors(1, options), precision=options.precision) as index:
        for start in range(1, options.rows, _AT_ONCE):
            index.add(None, embeddings=_vectors(min(_AT_ONCE, options.rows - start), options))
        built = time.perf_counter()
        index.compact()
        print(f"built in {built - began:.0f} s, compacted in {time.perf_counter() - built:.0f} s")


def _vectors(count: int, options: argparse.Namespace) -> NDArray[np.float32]:
    return np.random.default_rng(count).standard_normal((count, options.dim), dtype=np.float32)


def _ask(path: Path, dim: int) -> str:
    """Open and search the index; this runs in a fresh process."""
    imported = _resident()
    began = time.perf_counter()
    index = Index.open(path)
    opened, after = 1e3 * (time.perf_counter() - began), _resident()
    query = np.random.default_rng(0).standard_normal(dim, dtype=np.float32)
    times = []
    for _ in range(_ASKED):
        began = time.perf_counter()
        index.search(query)
        times.append(1e3 * (time.perf_counter() - began))
    found = index.info()
    return (
        f"{found['rows']:,} rows, {found['bytes'] / 1e6:.0f} MB, {found['bytes_per_vector']} bytes a vector\n"
        f"opened in {opened:.1f} ms, first answer {times[0]:.0f} ms, then {statistics.median(times[1:]):.0f}\n"
        f"resident: {imported:.0f} MB before, {after:.0f} open, {_resident('VmHWM'):.0f} at the peak of the searches"
    )


def _resident(name: str = "VmRSS") -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
