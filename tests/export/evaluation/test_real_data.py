"""Real data by real embeddings: every metric is sentence-transformers'. Run with -m slow.

The variable EDGE_ST_EVALUATION_DATA names a folder with stsb/dev.tsv (score, two sentences), banking77/test.tsv
(intent, text), and squad-dev in BEIR's layout. The embeddings are the original's in both libraries.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.evaluation.evaluators import SIMILARITIES, assert_same, of
from tests.export.evaluation.stand_ins import Rows

pytestmark = pytest.mark.slow
VARIABLE = "EDGE_ST_EVALUATION_DATA"
QUERIES = 2000


@pytest.fixture(scope="module")
def data() -> Path:
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} names no folder of data")
    return Path(os.environ[VARIABLE])


@pytest.fixture(scope="module")
def table(real: Any) -> "Callable[[list[str]], dict[str, Rows]]":
    """A function from texts to their vectors, each made once."""
    known: dict[str, Rows] = {}

    def of_texts(texts: list[str]) -> dict[str, Rows]:
        new = sorted(set(texts) - set(known))
        known.update(zip(new, real.encode(new), strict=True))
        return known

    return of_texts


def rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        yield from (line.rstrip("\n").split("\t") for line in lines)


@pytest.fixture(scope="module")
def intents(data: Path) -> dict[str, list[str]]:
    """The texts of each intent."""
    found: dict[str, list[str]] = {}
    for intent, text in rows(data / "banking77" / "test.tsv"):
        found.setdefault(intent, []).append(text)
    return found


@pytest.mark.parametrize("precision", [None, "float32"])
def test_embedding_similarity(precision: str | None, data: Path, table: Any, tmp_path: Path) -> None:
    scores, first, second = zip(*rows(data / "stsb" / "dev.tsv"), strict=True)
    grades = [float(score) / 5 for score in scores]
    options = {"similarity_fn_names": list(SIMILARITIES), "precision": precision}
    build = of("EmbeddingSimilarityEvaluator", list(first), list(second), grades, **options)
    found = assert_same(build, tmp_path, table=table([*first, *second]))
    assert found["spearman_cosine"] > 0.85


def test_information_retrieval(data: Path, table: Any, tmp_path: Path) -> None:
    folder = data / "squad-dev"
    queries, corpus = (
        {row["_id"]: row["text"] for row in map(json.loads, (folder / name).open(encoding="utf-8"))}
        for name in ("queries.jsonl", "corpus.jsonl")
    )
    relevant: dict[str, set[str]] = {}
    for query, document, _ in list(rows(folder / "qrels" / "test.tsv"))[1:]:
        relevant.setdefault(query, set()).add(document)
    chosen = dict(list(queries.items())[:: len(queries) // QUERIES])
    build = of("InformationRetrievalEvaluator", chosen, corpus, relevant, write_predictions=True)
    found = assert_same(build, tmp_path, table=table([*chosen.values(), *corpus.values()]))
    assert found["cosine_ndcg@10"] > 0.7


def chosen(intents: dict[str, list[str]], count: int, seed: int = 0) -> Iterator[tuple[str, str, str]]:
    """``count`` times two texts of an intent, and one of another."""
    random = np.random.default_rng(seed)
    names = sorted(intents)
    for _ in range(count):
        here, there = random.choice(names, 2, replace=False)
        yield *random.choice(intents[here], 2, replace=False).tolist(), str(random.choice(intents[there]))


def test_triplet_and_binary_classification(intents: Any, table: Any, tmp_path: Path) -> None:
    anchors, positives, negatives = map(list, zip(*chosen(intents, 3000), strict=True))
    names = {"similarity_fn_names": list(SIMILARITIES)}
    vectors = table([*anchors, *positives, *negatives])
    build = of("TripletEvaluator", anchors, positives, negatives, **names)
    assert assert_same(build, tmp_path / "triplet", table=vectors)["cosine_accuracy"] > 0.9
    labels = [1] * len(anchors) + [0] * len(anchors)
    build = of("BinaryClassificationEvaluator", anchors * 2, positives + negatives, labels, **names)
    assert assert_same(build, tmp_path / "binary", table=vectors)["cosine_ap"] > 0.9


def test_paraphrase_mining(intents: Any, table: Any, tmp_path: Path) -> None:
    numbered = [(intent, text) for intent in intents for text in intents[intent]]
    sentences = {str(number): text for number, (_, text) in enumerate(numbered)}
    members: dict[str, list[str]] = {}
    for number, (intent, _) in enumerate(numbered):
        members.setdefault(intent, []).append(str(number))
    pairs = [(ids[0], other) for ids in members.values() for other in ids[1:]]
    build = of("ParaphraseMiningEvaluator", sentences, pairs, add_transitive_closure=True)
    found = assert_same(build, tmp_path, table=table(list(sentences.values())))
    assert found["average_precision"] > 0.3


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "one by one"])
def test_reranking(batched: bool, intents: Any, table: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    samples = []
    for intent, texts in intents.items():
        others = [text for other in intents if other != intent for text in intents[other]]
        negative = random.choice(others, 60, replace=False).tolist()
        samples += [{"query": text, "positive": texts[8:20], "negative": negative} for text in texts[:8]]
    every = [text for texts in intents.values() for text in texts]
    build = of("RerankingEvaluator", samples, use_batched_encoding=batched)
    assert assert_same(build, tmp_path, table=table(every))["map"] > 0.7
