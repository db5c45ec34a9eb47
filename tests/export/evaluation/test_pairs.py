"""Evaluators of pairs, triplets and translations are sentence-transformers', to the file."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.evaluation.evaluators import (
    OURS,
    SEEDS,
    SIMILARITIES,
    THEIRS,
    assert_same,
    cases,
    differences,
    example,
    of,
    texts,
)

FIRST, SECOND, THIRD = (texts(kind, 40) for kind in ("first", "second", "third"))
#: as many as FIRST, but only ten different ones
REPEATED = [f"second {number * number % 10}" for number in range(40)]
GRADES = [float(number * 7 % 11) / 2 for number in range(40)]
LABELS = [int(number * 5 % 7 < 3) for number in range(40)]
ALL_FOUR = list(SIMILARITIES)
NAMED = {"name": "some name"}


@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("tied", [False, True], ids=["all different", "tied"])
@pytest.mark.parametrize("names", [None, *([name] for name in SIMILARITIES), ALL_FOUR, ["dot", "cosine"]], ids=str)
class TestSimilarityFunctions:
    def test_embedding_similarity(self, names: Any, tied: bool, seed: int, tmp_path: Path) -> None:
        build = of("EmbeddingSimilarityEvaluator", FIRST, REPEATED, GRADES, similarity_fn_names=names)
        assert_same(build, tmp_path, tied=tied, seed=seed, similarity="manhattan")

    def test_binary_classification(self, names: Any, tied: bool, seed: int, tmp_path: Path) -> None:
        build = of("BinaryClassificationEvaluator", FIRST, REPEATED, LABELS, similarity_fn_names=names)
        assert_same(build, tmp_path, tied=tied, seed=seed, similarity="euclidean")

    def test_triplet(self, names: Any, tied: bool, seed: int, tmp_path: Path) -> None:
        build = of("TripletEvaluator", FIRST, REPEATED, THIRD, similarity_fn_names=names)
        assert_same(build, tmp_path, tied=tied, seed=seed, similarity="dot")


@cases(
    name=NAMED,
    truncated={"truncate_dim": 3, **NAMED},
    without_a_file={"write_csv": False},
    batches={"batch_size": 5, "show_progress_bar": False},
    main_similarity={"main_similarity": "dot"},
    main_similarity_of_several={"main_similarity": "euclidean", "similarity_fn_names": ["dot", "euclidean"], **NAMED},
)
def test_embedding_similarity(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(of("EmbeddingSimilarityEvaluator", FIRST, SECOND, GRADES, **options), tmp_path)


@pytest.mark.parametrize("names", [*([name] for name in SIMILARITIES), ALL_FOUR], ids=str)
@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary"])
def test_precisions(precision: str, names: list[str], tmp_path: Path) -> None:
    options = {"similarity_fn_names": names, "precision": precision, **NAMED}
    ours, theirs = (each.EmbeddingSimilarityEvaluator(FIRST, SECOND, GRADES, **options) for each in (OURS, THEIRS))
    wanted = theirs(THEIRS.model(dim=16))
    assert differences(ours(OURS.model(dim=16), str(tmp_path)), wanted) == []
    assert ours.primary_metric == theirs.primary_metric
    assert [path.name for path in tmp_path.iterdir()] == [theirs.csv_file]


@pytest.mark.parametrize(("precision", "names"), [("float32", ALL_FOUR), ("ubinary", ["dot"])], ids=str)
def test_precisions_that_theirs_can_use(precision: str, names: list[str], tmp_path: Path) -> None:
    options = {"precision": precision, "similarity_fn_names": names, **NAMED}
    assert_same(of("EmbeddingSimilarityEvaluator", FIRST, SECOND, GRADES, **options), tmp_path, dim=16)


@cases(
    tied_grades={"scores": [1.0, 1.0, 2.0, 2.0, 3.0]},
    whole_numbers={"scores": [3, 1, 4, 1, 5]},
    an_array={"scores": np.array([3, 1, 4, 1, 5], dtype=np.float32)},
    all_alike={"scores": [2.0] * 5},
    one_missing={"scores": [3.0, 1.0, float("nan"), 1.0, 5.0]},
    large={"scores": [1e8, 1e8 + 1, 1e8 + 2, 1e8 + 4, 1e8 + 8]},
)
@pytest.mark.parametrize("constant", [False, True], ids=["", "constant similarities"])
@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_grades(options: dict[str, Any], constant: bool, tmp_path: Path) -> None:
    build = of("EmbeddingSimilarityEvaluator", FIRST[:5], SECOND[:5], similarity_fn_names=ALL_FOUR, **options)
    assert_same(build, tmp_path, constant=constant)


@cases(
    name=NAMED,
    truncated={"truncate_dim": 3},
    without_a_file={"write_csv": False},
    batches={"batch_size": 5},
)
def test_binary_classification(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(of("BinaryClassificationEvaluator", FIRST, SECOND, LABELS, **options), tmp_path)


@cases(
    all_positive={"labels": [1] * 6},
    one_positive={"labels": [0, 0, 1, 0, 0, 0]},
    one_negative={"labels": [1, 1, 1, 0, 1, 1]},
    truth_values={"labels": [True, False, True, False, False, True]},
    an_array={"labels": np.array([1, 0, 0, 1, 0, 1])},
)
@pytest.mark.parametrize("constant", [False, True], ids=["", "constant similarities"])
def test_labels(options: dict[str, Any], constant: bool, tmp_path: Path) -> None:
    names = {"similarity_fn_names": ALL_FOUR}
    build = of("BinaryClassificationEvaluator", FIRST[:6], SECOND[:6], **options, **names)
    assert_same(build, tmp_path, constant=constant)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("highest", [True, False], ids=["highest first", "lowest first"])
@pytest.mark.parametrize("method", ["find_best_acc_and_threshold", "find_best_f1_and_threshold"])
def test_thresholds(method: str, highest: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4 + seed, 30).astype(np.float32) / 4
    labels = random.integers(0, 2, 30)
    theirs, ours = (
        getattr(each.BinaryClassificationEvaluator, method)(scores, labels, highest) for each in (THEIRS, OURS)
    )
    assert tuple(ours) == pytest.approx(tuple(theirs), abs=1e-6)


@cases(
    name=NAMED,
    truncated={"truncate_dim": 3},
    without_a_file={"write_csv": False},
    batches={"batch_size": 5},
    margin={"margin": 0.5, "similarity_fn_names": ALL_FOUR},
    whole_margin={"margin": 1, "similarity_fn_names": ALL_FOUR},
    no_margin={"margin": 0},
    margins={"margin": {"cosine": 0.3, "manhattan": -2}, "similarity_fn_names": ALL_FOUR, **NAMED},
    main={"main_similarity_function": "dot"},
    main_of_several={"main_similarity_function": "dot", "similarity_fn_names": ["cosine", "dot"], **NAMED},
    old_name={"main_distance_function": "euclidean", "similarity_fn_names": ["cosine", "euclidean"]},
)
def test_triplet(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(of("TripletEvaluator", FIRST, SECOND, THIRD, **options), tmp_path)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("EmbeddingSimilarityEvaluator", "main_similarity"), ("TripletEvaluator", "main_similarity_function")],
)
def test_similarity_functions_of_the_enumeration(name: str, attribute: str, tmp_path: Path) -> None:
    lists = (FIRST, SECOND, GRADES if name.startswith("Embedding") else THIRD)
    build = lambda library: getattr(library, name)(*lists, **{attribute: library.SimilarityFunction.EUCLIDEAN})  # noqa: E731
    assert_same(build, tmp_path, similarity="euclidean")


@pytest.mark.parametrize(
    ("name", "count"),
    [("EmbeddingSimilarityEvaluator", 2), ("BinaryClassificationEvaluator", 2), ("TripletEvaluator", 3)],
)
def test_from_input_examples(name: str, count: int, tmp_path: Path) -> None:
    rows = zip(LABELS, FIRST, SECOND, THIRD, strict=True)
    examples = [example(label, *row[:count]) for label, *row in rows]
    assert_same(lambda library: getattr(library, name).from_input_examples(examples, **NAMED), tmp_path)


@cases(
    plain={},
    name=NAMED,
    truncated={"truncate_dim": 3},
    without_a_file={"write_csv": False},
    batches={"batch_size": 5},
    printed={"print_wrong_matches": True},
)
@pytest.mark.parametrize("tied", [False, True], ids=["all different", "tied"])
def test_translation(options: dict[str, Any], tied: bool, tmp_path: Path, capsys: Any) -> None:
    half = [f"first {number}" if number % 2 else f"second {number}" for number in range(40)]
    assert_same(of("TranslationEvaluator", FIRST, half, **options), tmp_path, tied=tied, dim=4)
    printed = capsys.readouterr().out.replace("\t ", "\t").split("\nIncorrect")
    assert printed[1 : len(printed) // 2 + 1] == printed[len(printed) // 2 + 1 :]


@cases(
    plain={}, name=NAMED, truncated={"truncate_dim": 3}, without_a_file={"write_csv": False}, batches={"batch_size": 5}
)
def test_mse(options: dict[str, Any], tmp_path: Path) -> None:
    def build(library: Any) -> Any:
        return library.MSEEvaluator(FIRST, SECOND, teacher_model=library.model(seed=9), **options)

    assert_same(build, tmp_path)


def duplicates() -> Any:
    graph: Any = defaultdict(lambda: defaultdict(bool))
    graph["2"]["30"] = graph["30"]["2"] = graph["2"]["7"] = True
    return graph


PAIRS = [("0", "1"), ("1", "2"), ("5", "9"), ("9", "5"), ("11", "elsewhere"), ("20", "21"), ("21", "22"), ("22", "3")]


@cases(
    pairs={"duplicates_list": PAIRS},
    graph={"duplicates_dict": duplicates()},
    both={"duplicates_list": PAIRS, "duplicates_dict": duplicates()},
    closure={"duplicates_list": PAIRS, "add_transitive_closure": True},
    none={},
    name={"duplicates_list": PAIRS, **NAMED},
    truncated={"duplicates_list": PAIRS, "truncate_dim": 3},
    without_a_file={"duplicates_list": PAIRS, "write_csv": False},
    chunks={"duplicates_list": PAIRS, "query_chunk_size": 7, "corpus_chunk_size": 9, "batch_size": 5},
    few_of_each={"duplicates_list": PAIRS, "top_k": 3},
    few_pairs={"duplicates_list": PAIRS, "max_pairs": 50},
    few_pairs_of_chunks={"duplicates_list": PAIRS, "max_pairs": 30, "query_chunk_size": 7, "corpus_chunk_size": 9},
)
@pytest.mark.parametrize("seed", SEEDS)
def test_paraphrase_mining(options: dict[str, Any], seed: int, tmp_path: Path) -> None:
    sentences = {str(number): text for number, text in enumerate(FIRST)}
    assert_same(of("ParaphraseMiningEvaluator", sentences, **options), tmp_path, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_paraphrase_mining_of_ties(seed: int, tmp_path: Path) -> None:
    sentences = {str(number): text for number, text in enumerate(FIRST)}
    build = of("ParaphraseMiningEvaluator", sentences, PAIRS, add_transitive_closure=True)
    assert_same(build, tmp_path, seed=seed, tied=True, dim=3)
