"""The averages over small retrieval sets are sentence-transformers', to the file; the sets are made up here."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from sentence_transformers.cross_encoder.evaluation import nano_beir as cross_nano_beir
from sentence_transformers.sentence_transformer.evaluation import nano_beir

from tests.export.evaluation.evaluators import OURS, THEIRS, Library, assert_same, cases, differences

SETS = ["msmarco", "NQ", "scifact"]
#: the sets without the empty document, which a folder cannot hold
FULL = "somebody/full"
SPLITS = ["NanoMSMARCO", "NanoNQ", "NanoSciFact"]


class Table:
    """What ``datasets`` gives: rows that are iterated, columns by their names, and rows made of rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.column_names = list(rows[0])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> list[Any]:
        return [row[column] for row in self.rows]

    def map(self, function: Any, fn_kwargs: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**row, **function(row, **fn_kwargs)} for row in self.rows]


def rows(subset: str, split: str, empty: str = "d3") -> list[dict[str, Any]]:
    """A part of a set: queries, documents, of which one is ``empty``, judgements in two forms, rankings."""
    random = np.random.default_rng(crc32(split.encode()))
    documents = [f"d{number}" for number in range(30 + len(split))]
    queries = [f"q{number}" for number in range(8)]
    if subset in ("corpus", "queries"):
        names = documents if subset == "corpus" else queries
        return [{"_id": name, "text": f"{split} {name}" if name != empty else ""} for name in names]
    if subset == "qrels":
        found = [(query, random.permutation(documents)[:3].tolist()) for query in queries]
        return [{"query-id": query, "corpus-id": of if len(split) % 2 else of[0]} for query, of in found]
    return [{"query-id": query, "corpus-ids": random.permutation(documents)[:20].tolist()} for query in queries]


def load_dataset(dataset_id: str, subset: str, split: str) -> Table:
    """The function of ``datasets`` that both libraries call."""
    return Table(rows(subset, split, "none" if dataset_id == FULL else "d3"))


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package ``datasets``, whose sets are these."""
    module: Any = ModuleType("datasets")
    module.load_dataset, module.__spec__ = load_dataset, ModuleSpec("datasets", None)
    monkeypatch.setitem(sys.modules, "datasets", module)
    for their_module in (nano_beir, cross_nano_beir):
        monkeypatch.setattr(their_module, "is_datasets_available", lambda: True)


def build(library: Library, name: str, **options: Any) -> Any:
    return getattr(library, name)(**{"dataset_names": SETS, **options})


SHARED = {
    "plain": {},
    "one_set": {"dataset_names": ["nfcorpus"]},
    "batches": {"batch_size": 5},
    "without_a_file": {"write_csv": False},
    "aggregate": {"aggregate_fn": np.max, "aggregate_key": "largest"},
    "id": {"dataset_id": "somebody/else"},
}
EMBEDDING = {
    **SHARED,
    "places": {
        "mrr_at_k": [3],
        "ndcg_at_k": [2, 5],
        "accuracy_at_k": [1],
        "precision_recall_at_k": [4],
        "map_at_k": [6],
    },
    "prompts": {"query_prompts": "ask: ", "corpus_prompts": "say: "},
    "own_prompts": {"query_prompts": {name: f"{name}: " for name in SETS}},
    "predictions": {"write_predictions": True},
}


@cases(**EMBEDDING, truncated={"truncate_dim": 3})
def test_dense(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(partial(build, name="NanoBEIREvaluator", **options), tmp_path)


@cases(**EMBEDDING, few_dimensions={"max_active_dims": 18})
def test_sparse(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(partial(build, name="SparseNanoBEIREvaluator", **options), tmp_path, "sparse", dim=60, similarity="dot")


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_score_functions(kind: str, tmp_path: Path) -> None:
    def built(library: Library) -> Any:
        functions = {name: library.similarity(name, kind) for name in ("dot", "cosine")}
        name = "NanoBEIREvaluator" if kind == "dense" else "SparseNanoBEIREvaluator"
        main = library.SimilarityFunction.COSINE
        return build(library, name, score_functions=functions, main_score_function=main)

    assert_same(built, tmp_path, kind, dim=60)


@cases(
    **SHARED,
    few={"rerank_k": 6, "at_k": 3},
    positives_as_found={"always_rerank_positives": False, "rerank_k": 9},
    prompt={"prompt_name": "query"},
)
def test_cross(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(partial(build, name="CrossEncoderNanoBEIREvaluator", **options), tmp_path, "cross")


@cases(
    queries={"query_prompts": {"msmarco": "ask: "}},
    corpus={"corpus_prompts": {"msmarco": "say: "}},
)
def test_prompts_for_every_set(options: dict[str, Any]) -> None:
    for library in (THEIRS, OURS):
        with pytest.raises(ValueError, match="prompts"):
            build(library, "NanoBEIREvaluator", **options)


@pytest.mark.parametrize("kind", ["dense", "sparse", "cross"])
def test_sets_of_a_folder(kind: str, tmp_path: Path) -> None:
    """Ours also take them in BEIR's layout."""
    for name in SPLITS:
        save(tmp_path / "sets" / name, name)
    name = {"dense": "", "sparse": "Sparse", "cross": "CrossEncoder"}[kind] + "NanoBEIREvaluator"
    places = ((OURS, tmp_path / "sets"), (THEIRS, FULL))
    metrics = [build(library, name, dataset_id=place)(library.model(kind, dim=60)) for library, place in places]
    assert differences(*metrics) == []


def save(folder: Path, split: str) -> None:
    (folder / "qrels").mkdir(parents=True)
    for subset in ("corpus", "queries", "bm25"):
        lines = [json.dumps(row) for row in rows(subset, split, "none")]
        (folder / f"{subset}.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    lines = ["query-id\tcorpus-id\tscore"]
    for row in rows("qrels", split):
        found = row["corpus-id"]
        lines += [f"{row['query-id']}\t{name}\t1" for name in (found if isinstance(found, list) else [found])]
    (folder / "qrels" / "test.tsv").write_text("\n".join([*lines, ""]), encoding="utf-8")
