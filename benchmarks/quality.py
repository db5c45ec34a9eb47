"""The quality of a variant's vectors: cosine to torch's, STS-B, and retrieval."""

import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import Worker
from measures import cosines, ndcg
from numpy.typing import NDArray
from rankings import grades, texts

from edge_st import util
from edge_st.evaluation.datasets import RetrievalData, SimilarityData, read_beir, read_dataset
from edge_st.evaluation.statistics import spearman

Vectors = NDArray[Any]


@dataclass(frozen=True)
class Data:
    """STS pairs, paragraphs, and a retrieval set if there is one."""

    similarity: SimilarityData
    paragraphs: list[str]
    retrieval: RetrievalData | None

    @property
    def compared(self) -> list[str]:
        """The texts that are compared to the reference: first and second sentences of the pairs, then paragraphs."""
        return [*self.similarity.sentences1, *self.similarity.sentences2, *self.paragraphs]


@dataclass(frozen=True)
class Quality:
    """Mean and worst cosine to the reference, Spearman on STS-B, and nDCG@10 if there is a retrieval set."""

    cosine_mean: float
    cosine_min: float
    spearman: float
    ndcg: float | None


def read(sts: Path, squad: Path, count: int, retrieval: Path | None, less: int = 1) -> Data:
    """Read the data: the STS pairs, ``count`` paragraphs drawn with a fixed seed, and the split train of ``retrieval``.

    With ``less`` above 1 only one of so many pairs and paragraphs is used. Raises SystemExit where ``sts`` holds no
    pairs.
    """
    similarity = read_dataset(sts)
    if not isinstance(similarity, SimilarityData):
        raise SystemExit(f"{sts} holds no pairs with scores; expected score TAB text TAB text in --sts")
    paragraphs = list(read_beir(squad, "test", titles=False).corpus.values())
    drawn = random.Random(6).sample(paragraphs, min(count // less, len(paragraphs)))
    pairs = replace(
        similarity,
        sentences1=similarity.sentences1[::less],
        sentences2=similarity.sentences2[::less],
        scores=similarity.scores[::less],
    )
    return Data(pairs, drawn, read_beir(retrieval, "train") if retrieval else None)


def qualities(workers: Mapping[str, Worker], reference: str, data: Data) -> dict[str, Quality]:
    """The quality of each worker; ``reference`` is the label of the one that the others are compared to."""
    for worker in workers.values():
        worker.give("compared", data.compared)
    exact = workers[reference].result("compared")
    return {label: _quality(worker, label == reference, exact, data) for label, worker in workers.items()}


def _quality(worker: Worker, is_exact: bool, exact: Vectors, data: Data) -> Quality:
    print(f"quality of {worker.peer}", file=sys.stderr)
    found = exact if is_exact else worker.result("compared")
    alike, count = cosines(found, exact), len(data.similarity.scores)
    pairs = cosines(found[:count], found[count : 2 * count])
    return Quality(
        cosine_mean=float(np.mean(alike)),
        cosine_min=float(np.min(alike)),
        spearman=spearman(pairs, data.similarity.scores),
        ndcg=_ndcg(worker, data.retrieval) if data.retrieval else None,
    )


def _ndcg(worker: Worker, data: RetrievalData) -> float:
    queries, documents = texts(data)
    worker.give("queries", queries)
    worker.give("documents", documents)
    hits = util.semantic_search(worker.result("queries"), worker.result("documents"), top_k=10)
    return ndcg([[int(hit["corpus_id"]) for hit in found] for found in hits], grades(data))
