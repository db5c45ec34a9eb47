"""Evaluators of sparse encoders are sentence-transformers', to the file."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.evaluation.evaluators import (
    CALLS,
    OURS,
    SEEDS,
    SIMILARITIES,
    THEIRS,
    Library,
    assert_same,
    cases,
    described,
    differences,
    example,
    of,
    texts,
)
from tests.export.evaluation.test_retrieval import CORPUS, FEW, GRADED, PREDICTED, QUERIES, RELEVANT, reranking_samples

NAMED = {"name": "some name"}
FIRST, SECOND, THIRD = (texts(kind, 30) for kind in ("first", "second", "third"))
GRADES = [float(number * 7 % 11) / 2 for number in range(30)]
LABELS = [int(number * 5 % 7 < 3) for number in range(30)]
ALL_FOUR = list(SIMILARITIES)
LISTS = {
    "SparseEmbeddingSimilarityEvaluator": (FIRST, SECOND, GRADES),
    "SparseBinaryClassificationEvaluator": (FIRST, SECOND, LABELS),
    "SparseTripletEvaluator": (FIRST, SECOND, THIRD),
    "SparseTranslationEvaluator": (FIRST, [*FIRST[:20], *SECOND[:10]]),
    "SparseRerankingEvaluator": (reranking_samples(),),
    "SparseInformationRetrievalEvaluator": (QUERIES, CORPUS, RELEVANT),
}
same = partial(assert_same, kind="sparse", dim=60)


@pytest.mark.parametrize("name", LISTS)
@cases(
    plain={},
    name=NAMED,
    few_dimensions={"max_active_dims": 18, **NAMED},
    without_a_file={"write_csv": False, **NAMED},
    batches={"batch_size": 5},
)
def test_options_of_all(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    same(of(name, *LISTS[name], **options), tmp_path, similarity="dot")


@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("name", list(LISTS)[:3])
@pytest.mark.parametrize("names", [*([name] for name in SIMILARITIES), ALL_FOUR], ids=str)
def test_similarity_functions(names: list[str], name: str, seed: int, tmp_path: Path) -> None:
    same(of(name, *LISTS[name], similarity_fn_names=names), tmp_path, seed=seed)


@pytest.mark.parametrize("name", list(LISTS)[:3])
def test_from_input_examples(name: str, tmp_path: Path) -> None:
    examples = [example(label, *rest) for label, *rest in zip(LABELS, FIRST, SECOND, THIRD, strict=True)]
    same(lambda library: getattr(library, name).from_input_examples(examples, **NAMED), tmp_path)


@cases(margin={"margin": 0.2}, margins={"margin": {"dot": 1.5}}, main={"main_similarity_function": "dot"})
def test_triplet(options: dict[str, Any], tmp_path: Path) -> None:
    build = of("SparseTripletEvaluator", FIRST, SECOND, THIRD, similarity_fn_names=ALL_FOUR, **options)
    same(build, tmp_path)


@cases(plain={}, name=NAMED, few_dimensions={"max_active_dims": 18}, without_a_file={"write_csv": False})
def test_mse(options: dict[str, Any], tmp_path: Path) -> None:
    def build(library: Library) -> Any:
        return library.SparseMSEEvaluator(FIRST, SECOND, library.model("sparse", seed=9, dim=60), **options)

    same(build, tmp_path)


@pytest.mark.parametrize("seed", SEEDS[:1])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@cases(
    predictions={**PREDICTED, **NAMED},
    chunks={"corpus_chunk_size": 7, **PREDICTED},
    few_places=FEW,
    few_dimensions={"max_active_dims": 18, "corpus_chunk_size": 7, **NAMED},
)
def test_information_retrieval(options: dict[str, Any], similarity: str, seed: int, tmp_path: Path) -> None:
    build = of("SparseInformationRetrievalEvaluator", QUERIES, CORPUS, RELEVANT, **options)
    same(build, tmp_path, similarity=similarity, seed=seed)


@cases(
    graded={"relevant_docs": GRADED},
    prompts={"query_prompt": "ask: ", "corpus_prompt": "say: "},
    named_prompts={"query_prompt_name": "query", "corpus_prompt_name": "document"},
    main={"main_score_function": "dot"},
)
def test_information_retrieval_options(options: dict[str, Any], tmp_path: Path) -> None:
    build = of("SparseInformationRetrievalEvaluator", QUERIES, CORPUS, **{"relevant_docs": RELEVANT, **options})
    same(build, tmp_path, similarity="dot")


def test_score_functions(tmp_path: Path) -> None:
    def build(library: Library) -> Any:
        functions = {name: library.similarity(name, "sparse") for name in ("dot", "cosine")}
        return library.SparseInformationRetrievalEvaluator(QUERIES, CORPUS, RELEVANT, score_functions=functions)

    same(build, tmp_path)


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "one by one"])
@pytest.mark.parametrize("similarity", [None, "dot"])
@cases(plain={}, few={"at_k": 3, "max_active_dims": 18, **NAMED}, old_name={"mrr_at_k": 4})
def test_reranking(options: dict[str, Any], similarity: str | None, batched: bool, tmp_path: Path) -> None:
    def build(library: Library) -> Any:
        function = {"similarity_fct": library.similarity(similarity, "sparse")} if similarity else {}
        samples = reranking_samples(1)
        return library.SparseRerankingEvaluator(samples, use_batched_encoding=batched, **function, **options)

    same(build, tmp_path)


def rankings(seed: int, rrf_k: int = 60) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Ten queries with their documents in two orders, whose fusion has no ties: theirs are in the order of a set."""
    random = np.random.default_rng(seed)
    dense: list[dict[str, Any]] = []
    sparse: list[dict[str, Any]] = []
    while len(dense) < 10:
        names = [f"document {number}" for number in range(14)]
        first, second = (random.permutation(names)[: random.integers(3, 13)].tolist() for _ in range(2))
        fused = [sum(1 / (rrf_k + rows.index(name) + 1) for rows in (first, second) if name in rows) for name in names]
        if len(set(filter(None, fused))) == len({*first, *second}):
            number = len(dense)
            positive = random.permutation([*names, "elsewhere"])[: random.integers(1, 5)].tolist()
            shared = {"query_id": str(number), "query": f"query {number}", "positive": positive if number else names[3]}
            dense.append({**shared, "documents": first})
            sparse.append({**shared, "documents": second})
    return dense, sparse


@pytest.mark.parametrize("seed", SEEDS)
@cases(
    plain={},
    name={**NAMED, **PREDICTED},
    few={"at_k": 3, **PREDICTED},
    steep={"rrf_k": 1, **PREDICTED},
    without_a_file={"write_csv": False, **PREDICTED},
)
def test_fusion(options: dict[str, Any], seed: int, tmp_path: Path) -> None:
    samples = rankings(seed, options.get("rrf_k", 60))
    found = fused(OURS, tmp_path / "ours", samples, options)
    assert differences(found, fused(THEIRS, tmp_path / "theirs", samples, options)) == []


def fused(library: Library, folder: Path, samples: Any, options: dict[str, Any]) -> dict[str, Any]:
    evaluator = library.ReciprocalRankFusionEvaluator(*samples, **options)
    return described(evaluator, [evaluator(output_path=str(folder), **call) for call in CALLS], folder)
