"""Evaluators of retrieval and reranking are sentence-transformers', to the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.evaluation.evaluators import (
    OURS,
    SEEDS,
    SIMILARITIES,
    THEIRS,
    Library,
    assert_same,
    cases,
    described,
    differences,
    of,
    texts,
)

NAMED = {"name": "some name"}
CORPUS = {f"d{number}": text for number, text in enumerate(texts("document", 40))}
QUERIES = {f"q{number}": text for number, text in enumerate(texts("query", 12))}
#: one of each, none, an unknown document, several, many
RELEVANT = {
    **{f"q{number}": {f"d{number * 3}"} for number in range(7)},
    "q7": set(),
    "q8": {"elsewhere"},
    "q9": {"d1", "d2", "d3", "elsewhere"},
    "q10": {f"d{number}" for number in range(0, 40, 2)},
    "of no query": {"d1"},
}
GRADED = {query: dict.fromkeys(sorted(of), 2) for query, of in RELEVANT.items()}
FEW = {"mrr_at_k": [1, 5], "ndcg_at_k": [3, 7], "accuracy_at_k": [2], "precision_recall_at_k": [4], "map_at_k": [6, 2]}
PREDICTED = {"write_predictions": True}


def build_retrieval(library: Library, **options: Any) -> Any:
    return library.InformationRetrievalEvaluator(QUERIES, CORPUS, **{"relevant_docs": RELEVANT, **options})


def scored(*names: str, **options: Any) -> Any:
    """The builder with score functions of one's own: each library's of these names."""
    return lambda library: build_retrieval(
        library, score_functions={name: library.similarity(name) for name in names}, **options
    )


@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@cases(
    plain=PREDICTED,
    chunks={"corpus_chunk_size": 7, **PREDICTED},
    few_places={"corpus_chunk_size": 7, **FEW, **PREDICTED},
)
def test_information_retrieval(options: dict[str, Any], similarity: str, seed: int, tmp_path: Path) -> None:
    build = of("InformationRetrievalEvaluator", QUERIES, CORPUS, RELEVANT, **options)
    assert_same(build, tmp_path, similarity=similarity, seed=seed)


@cases(
    name={**NAMED, **PREDICTED},
    truncated={"truncate_dim": 3, **NAMED},
    without_a_file={"write_csv": False, **NAMED},
    batches={"batch_size": 5},
    graded={"relevant_docs": GRADED},
    lists={"relevant_docs": {query: sorted(of) for query, of in RELEVANT.items()}},
    prompts={"query_prompt": "ask: ", "corpus_prompt": "say: "},
    named_prompts={"query_prompt_name": "query", "corpus_prompt_name": "document", "corpus_chunk_size": 9},
    main={"main_score_function": "cosine"},
)
def test_information_retrieval_options(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(lambda library: build_retrieval(library, **options), tmp_path)


@pytest.mark.parametrize("names", [("dot",), ("manhattan", "cosine", "euclidean")], ids=str)
@cases(plain={}, name={**NAMED, **PREDICTED}, main={"main_score_function": "euclidean", **NAMED})
def test_score_functions(options: dict[str, Any], names: tuple[str, ...], tmp_path: Path) -> None:
    assert_same(scored(*names, **options), tmp_path)


def test_a_score_function_of_any_name(tmp_path: Path) -> None:
    def build(library: Library) -> Any:
        functions = {"plain_product": lambda a, b: a @ b.T, "Away": lambda a, b: -(a @ b.T)}
        return build_retrieval(library, score_functions=functions, **NAMED, **PREDICTED)

    assert_same(build, tmp_path)


def test_a_main_score_function_of_the_enumeration(tmp_path: Path) -> None:
    def build(library: Library) -> Any:
        return build_retrieval(library, main_score_function=library.SimilarityFunction.DOT_PRODUCT)

    assert_same(build, tmp_path, similarity="dot")


@pytest.mark.parametrize("given", ["corpus_model", "corpus_embeddings"])
def test_the_corpus_by_other_means(given: str, tmp_path: Path) -> None:
    def run(library: Library, folder: Path) -> dict[str, Any]:
        evaluator = build_retrieval(library, corpus_chunk_size=7, **PREDICTED)
        model, other = library.model(), library.model(seed=5)
        corpus = other._encode(list(CORPUS.values()), "document", convert_to_tensor=library is THEIRS)
        options = {"corpus_model": other} if given == "corpus_model" else {"corpus_embeddings": corpus}
        answers = [evaluator(model, str(folder), **options)]
        return {
            **described(evaluator, answers, folder),
            "asked": [sorted(map(str, each.asked)) for each in (model, other)],
        }

    assert differences(run(OURS, tmp_path / "ours"), run(THEIRS, tmp_path / "theirs")) == []


@pytest.mark.parametrize("seed", range(8))
def test_tied_results(seed: int) -> None:
    random = np.random.default_rng(seed)
    results = [
        [{"corpus_id": str(name), "score": float(random.integers(0, 4))} for name in random.permutation(list(CORPUS))]
        for _ in range(10)
    ]
    hits = [row[:count] for row, count in zip(results, random.integers(0, 41, 10), strict=True)]
    theirs, ours = (build_retrieval(library, **FEW) for library in (THEIRS, OURS))
    wanted, found = (each.compute_metrics(hits) for each in (theirs, ours))
    assert differences(found, wanted) == []


def reranking_samples(seed: int = 0) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    return [
        {
            "query": f"query {number}",
            "positive": [f"good {number} {place}" for place in range(random.integers(0, 4))],
            "negative": [f"bad {number} {place}" for place in range(random.integers(0, 15))],
        }
        for number in range(12)
    ]


SAMPLES = reranking_samples()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("batched", [True, False], ids=["batched", "one by one"])
@cases(few={"at_k": 3}, all={}, tied={"tied": True}, tied_few={"tied": True, "dim": 3, "at_k": 2})
def test_reranking(options: dict[str, Any], batched: bool, seed: int, tmp_path: Path) -> None:
    model = {name: options[name] for name in ("tied", "dim") if name in options}
    own = {name: value for name, value in options.items() if name not in model}
    build = of("RerankingEvaluator", reranking_samples(seed), use_batched_encoding=batched, **own)
    assert_same(build, tmp_path, seed=seed, **model)


@cases(
    dictionary={"samples": {str(number): sample for number, sample in enumerate(SAMPLES)}},
    name=NAMED,
    truncated={"truncate_dim": 3},
    without_a_file={"write_csv": False},
    batches={"batch_size": 5},
    old_name={"mrr_at_k": 4, **NAMED},
    constant={  # in one dimension, so that no order of summation makes equal scores differ in their last bits
        "samples": [{"query": "a", "positive": ["b", "b"], "negative": ["b", "b", "b"]}],
        "at_k": 3,
        "truncate_dim": 1,
    },
)
@pytest.mark.parametrize("batched", [True, False], ids=["batched", "one by one"])
def test_reranking_options(options: dict[str, Any], batched: bool, tmp_path: Path) -> None:
    build = of("RerankingEvaluator", **{"samples": SAMPLES, "use_batched_encoding": batched, **options})
    assert_same(build, tmp_path)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_reranking_by_another_similarity(name: str, tmp_path: Path) -> None:
    def build(library: Library) -> Any:
        return library.RerankingEvaluator(SAMPLES, similarity_fct=library.similarity(name), at_k=5)

    assert_same(build, tmp_path)
