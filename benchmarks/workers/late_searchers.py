"""Search by MaxSim in each library, in its own environment: indexes are built, then opened.

``folder`` holds ``corpus.npy`` (passages, tokens, dim) and ``queries.npy`` (queries, tokens, dim), float32 at unit
length. A peer is edge-st with a precision and perhaps a number of candidates ("edge-st int8", "edge-st int8 200"),
fast-plaid with a number of probes ("fast-plaid 8"), or "numpy exact". As a script it builds the index of the peer that
its first argument names in the folder that the second one names, and writes how that went to built.json beside it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Search = Callable[[Any], list[list[int]]]
K, AT_ONCE, PORTION = 10, 1000, 5000


def place(peer: str, folder: Path) -> Path:
    """The folder of the peer's index: those that differ only in how they search share one."""
    engine, form = peer.split()[:2]
    return folder / (engine if engine == "fast-plaid" else f"{engine}-{form}")


def open_searcher(peer: str, folder: Path) -> Search:
    """The searcher called ``peer``: it takes the number of a query, or a list of them, and gives ids (queries, 10)."""
    import numpy as np

    queries = np.load(folder / "queries.npy")
    opened = {"edge-st": edge, "fast-plaid": plaid, "numpy": exact}[peer.split()[0]]
    find = opened(peer, folder)
    return lambda numbers: [find(queries[number]) for number in (numbers if isinstance(numbers, list) else [numbers])]


def edge(peer: str, folder: Path) -> Callable[[Any], list[int]]:
    """edge-st's index, memory-mapped."""
    from edge_st import MultiVectorIndex

    index = MultiVectorIndex.open(place(peer, folder))
    candidates = next(map(int, peer.split()[2:]), None)
    return lambda query: [hit["corpus_id"] for hit in index.search(query, K, candidates=candidates)]


def plaid(peer: str, folder: Path) -> Callable[[Any], list[int]]:
    """fast-plaid on the CPU."""
    import torch
    from fast_plaid.search import FastPlaid

    index, probes = FastPlaid(str(place(peer, folder)), device="cpu"), int(peer.split()[1])

    def find(query: Any) -> list[int]:
        found = index.search(torch.from_numpy(query[None]), K, n_ivf_probe=probes, show_progress=False)
        return [number for number, _ in found[0]]

    return find


def exact(peer: str, folder: Path) -> Callable[[Any], list[int]]:  # noqa: ARG001 - there is one
    """MaxSim with every passage, in NumPy, over a mapped file."""
    import numpy as np

    corpus = np.load(folder / "corpus.npy", mmap_mode="r")

    def find(query: Any) -> list[int]:
        scores = np.empty(len(corpus), np.float32)
        for start in range(0, len(corpus), AT_ONCE):
            some = corpus[start : start + AT_ONCE]
            products = some.reshape(-1, some.shape[2]) @ query.T
            scores[start : start + AT_ONCE] = products.reshape(*some.shape[:2], -1).max(axis=1).sum(axis=1)
        return np.argsort(-scores, kind="stable")[:K].tolist()

    return find


def build_edge(peer: str, folder: Path) -> None:
    """Build edge-st's index in portions, and compact it."""
    import numpy as np

    from edge_st import MultiVectorIndex

    corpus = np.load(folder / "corpus.npy", mmap_mode="r")
    portions = [corpus[start : start + PORTION] for start in range(0, len(corpus), PORTION)]
    first, *others = portions
    precision = peer.split()[1]
    with MultiVectorIndex.build(None, None, place(peer, folder), embeddings=list(first), precision=precision) as index:
        for portion in others:
            index.add(None, embeddings=list(portion))
        index.compact()


def build_plaid(peer: str, folder: Path) -> None:
    """Build fast-plaid's index with its own settings: residuals of 4 bits."""
    import numpy as np
    import torch
    from fast_plaid.search import FastPlaid

    corpus = np.load(folder / "corpus.npy")
    FastPlaid(str(place(peer, folder)), device="cpu").create(list(torch.from_numpy(corpus)))


def main() -> None:
    """Build an index."""
    peer, folder = sys.argv[1], Path(sys.argv[2])
    start = time.perf_counter()
    {"edge-st": build_edge, "fast-plaid": build_plaid}[peer.split()[0]](peer, folder)
    seconds = time.perf_counter() - start
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))
    size = sum(path.stat().st_size for path in place(peer, folder).rglob("*") if path.is_file())
    report = place(peer, folder).with_suffix(".built.json")
    report.write_text(json.dumps({"seconds": seconds, "peak": peak, "bytes": size}), encoding="utf-8")


if __name__ == "__main__":
    main()
