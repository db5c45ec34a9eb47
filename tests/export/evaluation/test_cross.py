"""Evaluators of cross-encoders are sentence-transformers', to the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.evaluation.evaluators import OURS, SEEDS, THEIRS, assert_same, cases, differences, example, of, texts

NAMED = {"name": "some name"}
PAIRS = [list(pair) for pair in zip(texts("query", 40), texts("document", 40), strict=True)]
GRADES = [float(number * 7 % 11) / 2 for number in range(40)]
LABELS = [int(number * 5 % 7 < 3) for number in range(40)]
CLASSES = [number * 5 % 7 % 3 for number in range(40)]


def samples(seed: int, given: str) -> list[dict[str, Any]]:
    """Queries with one to three positives, and negatives, or documents that have all, some or none of these."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(12):
        positive = [f"good {number} {place}" for place in range(random.integers(1, 4))]
        others = [f"bad {number} {place}" for place in range(random.integers(2, 15))]
        kept = [text for text in positive if random.random() < 0.6] if number % 4 else []
        listed = random.permutation([*others, *kept]).tolist() if given == "documents" else others
        rows.append({"query": f"query {number}", "positive": positive, given: listed})
    return rows


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("given", ["negative", "documents"])
@pytest.mark.parametrize("always", [True, False], ids=["positives always", "positives as found"])
@cases(all={}, few={"at_k": 3, **NAMED})
def test_reranking(options: dict[str, Any], always: bool, given: str, seed: int, tmp_path: Path) -> None:
    rows = samples(seed, given)
    build = of("CrossEncoderRerankingEvaluator", rows, always_rerank_positives=always, **options)
    assert_same(build, tmp_path, "cross", seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("given", ["negative", "documents"])
def test_reranking_of_ties(given: str, seed: int) -> None:
    """But for the first relevant one's rank: theirs sort equal scores as the processor does it fastest."""
    build = of("CrossEncoderRerankingEvaluator", samples(seed, given))
    found, wanted = (build(library)(library.model("cross", seed=seed, tied=True)) for library in (OURS, THEIRS))
    assert list(found) == list(wanted)
    assert differences({**found, "mrr@10": None}, {**wanted, "mrr@10": None}) == []


ROWS = samples(0, "documents")


@cases(
    dictionary={"samples": {str(number): row for number, row in enumerate(ROWS)}},
    both_kinds={"samples": [*ROWS, *samples(1, "negative")]},
    one_positive_as_text={"samples": [{**row, "positive": row["positive"][0]} for row in ROWS]},
    no_positive_found={"samples": [ROWS[0], ROWS[4]], "always_rerank_positives": False},
    without_a_file={"write_csv": False},
    prompt={"prompt_name": "query", "batch_size": 7},
    old_name={"mrr_at_k": 4, **NAMED},
)
def test_reranking_options(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(of("CrossEncoderRerankingEvaluator", **{"samples": ROWS, **options}), tmp_path, "cross")


COMMON = {
    "plain": {},
    "name": NAMED,
    "without_a_file": {"write_csv": False},
    "prompt": {"prompt_name": "query", "batch_size": 7},
    "tuples": {"sentence_pairs": [tuple(pair) for pair in PAIRS]},
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tied", [False, True], ids=["all different", "tied"])
@cases(**COMMON)
@pytest.mark.parametrize(("name", "truth"), [("Correlation", GRADES), ("Classification", LABELS)])
def test_pairs(name: str, truth: Any, options: dict[str, Any], tied: bool, seed: int, tmp_path: Path) -> None:
    name = f"CrossEncoder{name}Evaluator"
    fourth = {"scores" if "Corr" in name else "labels": truth}
    assert_same(of(name, **{"sentence_pairs": PAIRS, **fourth, **options}), tmp_path, "cross", seed=seed, tied=tied)


@pytest.mark.parametrize("constant", [False, True], ids=["", "constant scores"])
@cases(
    grades={"scores": [1.0, 3.0, 2.0, 2.0, 0.0]},
    whole_numbers={"scores": [1, 3, 2, 2, 0]},
    all_alike={"scores": [1.0] * 5},
)
@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_correlation_of_constants(options: dict[str, Any], constant: bool, tmp_path: Path) -> None:
    assert_same(of("CrossEncoderCorrelationEvaluator", PAIRS[:5], **options), tmp_path, "cross", constant=constant)


@pytest.mark.parametrize("constant", [False, True], ids=["", "constant scores"])
@cases(
    all_positive={"labels": [1] * 5},
    one_positive={"labels": [0, 0, 1, 0, 0]},
    truth_values={"labels": [True, False, False, True, True]},
    an_array={"labels": np.array([0, 1, 1, 0, 1])},
)
def test_two_classes(options: dict[str, Any], constant: bool, tmp_path: Path) -> None:
    assert_same(of("CrossEncoderClassificationEvaluator", PAIRS[:5], **options), tmp_path, "cross", constant=constant)


@pytest.mark.parametrize("seed", SEEDS)
@cases(
    plain={},
    tied={"tied": True},
    all_predictions_alike={"constant": True},
    more_classes_than_labels={"num_labels": 5},
    fewer_classes_than_labels={"num_labels": 2},
)
def test_many_classes(options: dict[str, Any], seed: int, tmp_path: Path) -> None:
    build = of("CrossEncoderClassificationEvaluator", PAIRS, CLASSES, **NAMED)
    assert_same(build, tmp_path, "cross", **{"num_labels": 3, "seed": seed, **options})


def test_from_input_examples(tmp_path: Path) -> None:
    examples = [example(grade, *pair) for grade, pair in zip(GRADES, PAIRS, strict=True)]
    build = lambda library: library.CrossEncoderCorrelationEvaluator.from_input_examples(examples, **NAMED)  # noqa: E731
    assert_same(build, tmp_path, "cross")
