"""Functions that open a library for vector search, each in its own environment. They return a search function.

A search function takes the number of a query, or a list of numbers, and returns the ids (queries, 10) that it finds.
``folder`` holds ``corpus.npy`` (n, dim) and ``queries.npy`` (m, dim), float32 at unit length, and an edge-st index for
each precision.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Search = Callable[[Any], list[list[int]]]
K = 10


def open_searcher(peer: str, folder: Path, threads: int) -> Search:
    """The searcher called ``peer``."""
    import numpy as np

    queries = np.load(folder / "queries.npy")
    engine, form = peer.split(maxsplit=1)
    find = {"edge-st": edge, "faiss": faiss, "usearch": usearch}[engine](form, folder, threads)
    return lambda numbers: find(queries[numbers if isinstance(numbers, list) else [numbers]])


def edge(form: str, folder: Path, threads: int) -> Search:  # noqa: ARG001 - affinity limits it
    """edge-st's index in this precision, memory-mapped; or its semantic_search over an array."""
    import numpy as np

    from edge_st import Index, util

    if form == "semantic_search":
        corpus = np.load(folder / "corpus.npy")
        return lambda vectors: _ids(util.semantic_search(vectors, corpus, top_k=K, score_function=util.dot_score))
    index = Index.open(folder / form)
    return lambda vectors: _ids(index.search(vectors, K))


def faiss(form: str, folder: Path, threads: int) -> Search:
    """faiss' exhaustive indexes: IndexFlatIP, 8-bit scalar quantization, and binary."""
    import faiss as library
    import numpy as np

    library.omp_set_num_threads(threads)
    corpus = np.load(folder / "corpus.npy", mmap_mode="r")
    dim = corpus.shape[1]
    if form == "binary":
        bits = library.IndexBinaryFlat(-(-dim // 8) * 8)
        _add(bits, corpus, lambda block: np.packbits(block > 0, axis=1))
        return lambda vectors: bits.search(np.packbits(vectors > 0, axis=1), K)[1].tolist()
    if form == "flat":
        index = library.IndexFlatIP(dim)
    else:
        kind = library.ScalarQuantizer.QT_8bit
        index = library.IndexScalarQuantizer(dim, kind, library.METRIC_INNER_PRODUCT)
        index.train(np.ascontiguousarray(corpus[:: max(1, len(corpus) // 100_000)]))
    _add(index, corpus, np.ascontiguousarray)
    return lambda vectors: index.search(vectors, K)[1].tolist()


def usearch(form: str, folder: Path, threads: int) -> Search:
    """usearch's exact search over an array of float32 or int8 (unit vectors times 127)."""
    import numpy as np
    from usearch.compiled import MetricKind
    from usearch.index import search

    corpus = np.load(folder / "corpus.npy")
    if form == "i8":
        corpus = np.rint(corpus * 127).astype(np.int8)

    def find(vectors: Any) -> list[list[int]]:
        if form == "i8":
            vectors = np.rint(vectors * 127).astype(np.int8)
        found = search(corpus, vectors, K, MetricKind.IP, exact=True, threads=threads)
        return np.atleast_2d(found.keys).astype(int).tolist()

    return find


def _add(index: Any, corpus: Any, convert: Callable[[Any], Any]) -> None:
    for start in range(0, len(corpus), 50_000):
        index.add(convert(corpus[start : start + 50_000]))


def _ids(found: list[list[dict[str, Any]]]) -> list[list[int]]:
    return [[hit["corpus_id"] for hit in hits] for hits in found]
