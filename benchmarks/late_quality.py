"""Search quality of the token vectors of a model that was not trained for late interaction."""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measures import Ranking, ndcg, recall
from rankings import drawn, grades, texts
from tables import table

from edge_st import MultiVectorIndex, SentenceTransformer, util
from edge_st.evaluation.datasets import read_beir
from edge_st.multi_vector_encoder.modules import HierarchicalTokenPooling
from edge_st_runtime.arrays import Floats
from edge_st_runtime.vectors.dense import normalize

DEPTH, AT_ONCE = 100, 256
Find = Callable[[Sequence[Floats], Sequence[Floats]], list[Ranking]]


def measure_quality(options: argparse.Namespace) -> None:
    """Print nDCG@10, recall@100 and the vectors a document has, for every way to search."""
    data = drawn(read_beir(options.data, options.split), options.quality_queries)
    judged = grades(data)
    model = SentenceTransformer(str(options.minilm))
    queries, documents = (_token_vectors(model, each) for each in texts(data))
    pooled = [vectors.astype(np.float32) for vectors in HierarchicalTokenPooling(2).pool(documents)]
    rows = []
    for name, kept, find in _ways(options.precisions, documents, pooled):
        found = find(queries, kept)
        tokens = np.mean([len(vectors) for vectors in kept])
        rows.append([name, f"{ndcg(found, judged):.4f}", f"{recall(found, judged):.4f}", f"{tokens:.0f}"])
    title = f"{options.data.name} {options.split}: {len(queries)} queries, {len(documents)} documents"
    print("\n" + table([title, "nDCG@10", "recall@100", "vectors a document"], rows))


def _ways(
    precisions: Sequence[str], documents: list[Floats], pooled: list[Floats]
) -> list[tuple[str, list[Floats], Find]]:
    """Each way to search: its name, the documents' vectors, and the function that ranks them."""
    ways: list[tuple[str, list[Floats], Find]] = [
        ("exact", documents, _exact),
        ("exact, pooled by 2", pooled, _exact),
        ("exact, int8", [_in_int8(vectors) for vectors in documents], _exact),
    ]
    for precision in precisions:
        ways.append((f"index, {precision}", documents, _through(precision)))
        ways.append((f"index, {precision}, pooled by 2", pooled, _through(precision)))
    return ways


def _token_vectors(model: SentenceTransformer, given: Sequence[str]) -> list[Floats]:
    """The token vectors (tokens, dim) of each text, of unit length."""
    found = model.encode(list(given), output_value="token_embeddings", convert_to_numpy=False)
    return [normalize(vectors) for vectors in found]


def _in_int8(vectors: Floats) -> Floats:
    """``vectors`` as they are after they were rounded to 255 steps between -1 and 1 times each one's largest number."""
    scales = np.abs(vectors).max(axis=1, keepdims=True) / np.float32(127)
    return np.rint(vectors / scales) * scales


def _exact(queries: Sequence[Floats], documents: Sequence[Floats]) -> list[Ranking]:
    parts = [util.maxsim(queries, documents[start : start + AT_ONCE]) for start in range(0, len(documents), AT_ONCE)]
    order = np.argsort(-np.concatenate(parts, axis=1), axis=1, kind="stable")
    return [row[:DEPTH] for row in order.tolist()]


def _through(precision: str) -> Find:
    """Search through an index of this precision."""

    def find(queries: Sequence[Floats], documents: Sequence[Floats]) -> list[Ranking]:
        with (
            tempfile.TemporaryDirectory() as folder,
            MultiVectorIndex.build(None, None, Path(folder, "i"), embeddings=documents, precision=precision) as index,
        ):
            found = index.search(list(queries), DEPTH)
        return [[hit["corpus_id"] for hit in hits] for hits in found]

    return find
