"""Evaluators called through ``model.evaluate``: what they return, write to files, and store in the model card."""

import csv
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer, evaluation
from edge_st.evaluation import (
    BinaryClassificationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    InputExample,
    ReciprocalRankFusionEvaluator,
    SequentialEvaluator,
    TranslationEvaluator,
    TripletEvaluator,
)
from edge_st.models.classes import Model
from tests.support.small_sets import FIRST, PAIRS, RETRIEVAL, SECOND, SIMILARITY, THIRD

SAMPLES = [{"query": FIRST[i], "positive": [SECOND[i]], "negative": [THIRD[i], THIRD[i + 1]]} for i in range(5)]
RANKED = [{**each, "documents": [*each["negative"], *each["positive"]]} for each in SAMPLES]
for each in RANKED:
    del each["negative"]
ENDS = ("map", "mrr@10", "ndcg@10")
SEARCHED = (
    *(f"{name}@{k}" for name in ("accuracy", "precision", "recall") for k in (1, 3, 5, 10)),
    *("mrr@10", "ndcg@10", "map@100"),
)
TOLD = ("accuracy", "accuracy_threshold", "f1", "f1_threshold", "precision", "recall")
SPARSITY = ("active_dims", "sparsity_ratio")
CLASSIFIED = (list(zip(FIRST, SECOND, strict=True)), PAIRS.labels)
RETRIEVED = (RETRIEVAL.queries, RETRIEVAL.corpus, RETRIEVAL.relevant_docs)
ALIKE = (FIRST, SECOND, SIMILARITY.scores)


def joined(sides: tuple[str, ...], names: tuple[str, ...] = SPARSITY) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for side in sides for name in names)


#: model, evaluator, its arguments, the keys of its metrics, the primary one, its CSV file but for "results"
EVALUATORS: list[tuple[str, str, tuple[Any, ...], tuple[str, ...], str, str]] = [
    ("dense", "EmbeddingSimilarity", ALIKE, joined(("pearson", "spearman"), ("cosine",)), "spearman_cosine",
     "similarity_evaluation"),
    ("dense", "BinaryClassification", (FIRST, SECOND, PAIRS.labels), joined(("cosine",), (*TOLD, "ap", "mcc")),
     "cosine_ap", "binary_classification_evaluation"),
    ("dense", "Triplet", (FIRST, SECOND, THIRD), ("cosine_accuracy",), "cosine_accuracy", "triplet_evaluation"),
    ("dense", "InformationRetrieval", RETRIEVED, joined(("cosine",), SEARCHED), "cosine_ndcg@10",
     "Information-Retrieval_evaluation"),
    ("dense", "Reranking", (SAMPLES,), ENDS, "ndcg@10", "RerankingEvaluator"),
    ("dense", "ParaphraseMining", (dict(enumerate(FIRST)), [(0, 1), (2, 3)]),
     ("average_precision", "f1", "precision", "recall", "threshold"), "average_precision",
     "paraphrase_mining_evaluation"),
    ("dense", "Translation", (FIRST, SECOND), ("src2trg_accuracy", "trg2src_accuracy", "mean_accuracy"),
     "mean_accuracy", "translation_evaluation"),
    ("sparse", "SparseEmbeddingSimilarity", ALIKE, ("pearson_dot", "spearman_dot", *SPARSITY), "spearman_dot",
     "similarity_evaluation"),
    ("sparse", "SparseBinaryClassification", (FIRST, SECOND, PAIRS.labels),
     (*joined(("dot",), (*TOLD, "ap", "mcc")), *SPARSITY), "dot_ap", "binary_classification_evaluation"),
    ("sparse", "SparseTriplet", (FIRST, SECOND, THIRD),
     ("dot_accuracy", *joined(("anchor", "positive", "negative"))), "dot_accuracy", "triplet_evaluation"),
    ("sparse", "SparseInformationRetrieval", RETRIEVED,
     (*joined(("dot",), SEARCHED), *joined(("query", "corpus")), "avg_flops"), "dot_ndcg@10",
     "Information-Retrieval_evaluation"),
    ("sparse", "SparseReranking", (SAMPLES,), (*ENDS, *joined(("query", "corpus"))), "ndcg@10", "RerankingEvaluator"),
    ("sparse", "SparseTranslation", (FIRST, SECOND),
     ("src2trg_accuracy", "trg2src_accuracy", "mean_accuracy", *SPARSITY), "mean_accuracy", "translation_evaluation"),
    ("cross", "CrossEncoderCorrelation", (CLASSIFIED[0], SIMILARITY.scores), ("pearson", "spearman"), "spearman",
     "CrossEncoderCorrelationEvaluator"),
    ("cross", "CrossEncoderClassification", CLASSIFIED, (*TOLD, "average_precision"), "average_precision",
     "CrossEncoderClassificationEvaluator"),
    ("classifier", "CrossEncoderClassification", CLASSIFIED, joined(("f1",), ("macro", "micro", "weighted")),
     "f1_macro", "CrossEncoderClassificationEvaluator"),
    ("cross", "CrossEncoderReranking", (SAMPLES,), ENDS, "ndcg@10", "CrossEncoderRerankingEvaluator"),
]  # fmt: skip


@pytest.fixture(params=EVALUATORS, ids=lambda of: f"{of[0]}-{of[1]}")
def case(request: pytest.FixtureRequest) -> tuple[str, Callable[..., Any], tuple[str, ...], str, str]:
    kind, name, arguments, keys, primary, file = request.param
    return kind, lambda **more: getattr(evaluation, f"{name}Evaluator")(*arguments, **more), keys, primary, file


@pytest.mark.parametrize("name", ["", "own"])
def test_metrics_bear_the_name_and_stay_with_the_model(name: str, case: Any, models: dict[str, Model]) -> None:
    kind, make, keys, primary, _ = case
    evaluator, start = make(name=name), f"{name}_" if name else ""
    found = models[kind].evaluate(evaluator)
    assert set(found) == {f"{start}{key}" for key in keys}
    assert all(type(value) is float and np.isfinite(value) for value in found.values())
    assert evaluator.primary_metric == f"{start}{primary}"
    assert models[kind].model_card_data.eval_results_dict[evaluator] == found
    assert evaluator(models[kind], None, 3, 7) == found
    assert evaluator.primary_metric == f"{start}{primary}"


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_every_call_adds_a_row_below_one_header(case: Any, models: dict[str, Model], tmp_path: Path) -> None:
    kind, make, _, _, file = case
    folder = tmp_path / "made" / "for it"
    found = models[kind].evaluate(make(name="own"), str(folder))
    make(name="own")(models[kind], folder, epoch=2, steps=30)
    (path,) = folder.iterdir()
    assert path.name.startswith(f"{file}_own_results")
    header, first, second = rows(path)
    assert header[:2] == ["epoch", "steps"]
    assert len(set(header)) == len(header) == len(first)
    assert (first[:2], second[:2], first[2:]) == (["-1", "-1"], ["2", "30"], second[2:])
    assert {float(value) for value in first[2:]} <= set(found.values())
    make(name="own", write_csv=False)(models[kind], tmp_path / "not made")
    assert not (tmp_path / "not made").exists()


def test_a_teacher_is_at_no_distance_from_itself(models: dict[str, Model], tmp_path: Path) -> None:
    for kind, name in (("dense", "MSEEvaluator"), ("sparse", "SparseMSEEvaluator")):
        evaluator = getattr(evaluation, name)(FIRST, FIRST, models[kind], name="own")
        assert models[kind].evaluate(evaluator, tmp_path)["own_negative_mse"] == 0
        assert rows(tmp_path / "mse_evaluation_own_results.csv")[0][:3] == ["epoch", "steps", "MSE"]
        (tmp_path / "mse_evaluation_own_results.csv").unlink()


def test_texts_are_their_own_translations(models: dict[str, Model], capsys: pytest.CaptureFixture[str]) -> None:
    found = models["dense"].evaluate(TranslationEvaluator(FIRST, FIRST, print_wrong_matches=True))
    assert found == dict.fromkeys(("src2trg_accuracy", "trg2src_accuracy", "mean_accuracy"), 1)
    assert capsys.readouterr().out == ""


def test_reranked_documents_are_measured_before_and_after(models: dict[str, Model]) -> None:
    evaluator = evaluation.CrossEncoderRerankingEvaluator(RANKED, name="own")
    found = models["cross"].evaluate(evaluator)
    assert set(found) == {f"own_{key}" for key in (*ENDS, *(f"base_{end}" for end in ENDS))}
    assert (found["own_base_map"], found["own_base_mrr@10"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    gain = found["own_map"] - found["own_base_map"]
    card = models["cross"].model_card_data.eval_results_dict[evaluator]
    assert card["own_map"] == f"{found['own_map']:.4f} ({gain:+.4f})"


def test_several_evaluators_one_after_the_other(models: dict[str, Model], tmp_path: Path) -> None:
    parts = [TripletEvaluator(FIRST, SECOND, THIRD, name="a"), EmbeddingSimilarityEvaluator(*ALIKE, name="b")]
    alone = [models["dense"].evaluate(part) for part in parts]
    primary = [found[str(part.primary_metric)] for found, part in zip(alone, parts, strict=True)]
    evaluator = SequentialEvaluator(parts)
    found = models["dense"].evaluate(evaluator, tmp_path)
    assert found == {**alone[0], **alone[1], "sequential_score": primary[-1]}
    assert evaluator.primary_metric == "sequential_score"
    assert {path.name for path in tmp_path.iterdir()} == {
        "triplet_evaluation_a_results.csv",
        "similarity_evaluation_b_results.csv",
    }
    assert models["dense"].evaluate(SequentialEvaluator(parts, sum))["sequential_score"] == sum(primary)
    assert models["dense"].evaluate(SequentialEvaluator([])) == {"sequential_score": 0}


def remade(evaluator: Any) -> Iterator[Any]:
    """The evaluator run several times; its primary metric is always among its latest metrics."""
    for function in ("cosine", "dot", "euclidean", "cosine"):
        model = SentenceTransformer(similarity_fn_name=function)
        found = model.evaluate(evaluator)
        assert evaluator.primary_metric in found
        yield function, found


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: EmbeddingSimilarityEvaluator(*ALIKE, **more),
        lambda **more: BinaryClassificationEvaluator(FIRST, SECOND, PAIRS.labels, **more),
        lambda **more: TripletEvaluator(FIRST, SECOND, THIRD, **more),
        lambda **more: InformationRetrievalEvaluator(*RETRIEVED, **more),
    ],
    ids=["similarity", "pairs", "triplets", "retrieval"],
)
@pytest.mark.parametrize("name", ["", "own"])
def test_each_model_is_measured_by_its_own_similarity(make: Callable[..., Any], name: str) -> None:
    for function, found in remade(make(name=name)):
        assert all(function in key for key in found)


def test_named_similarities_are_measured_whatever_the_model_has() -> None:
    evaluator = EmbeddingSimilarityEvaluator(*ALIKE, similarity_fn_names=["cosine", "manhattan"], name="own")
    for _, found in remade(evaluator):
        functions = {
            f"own_{kind}_{name}" for kind in ("pearson", "spearman") for name in ("cosine", "manhattan", "max")
        }
        assert set(found) == functions
        assert evaluator.primary_metric == "own_spearman_max"
    evaluator = EmbeddingSimilarityEvaluator(*ALIKE, main_similarity="dot")
    assert {str(evaluator.primary_metric) for _ in remade(evaluator)} == {"spearman_dot"}


def test_a_model_that_was_evaluated_can_be_pickled() -> None:
    model = SentenceTransformer()
    evaluator = InformationRetrievalEvaluator(*RETRIEVED, score_functions={"own": lambda a, b: a @ b.T})
    found = model.evaluate(evaluator)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.encode(FIRST), model.encode(FIRST))
    assert model.model_card_data.eval_results_dict == {evaluator: found}
    assert again.evaluate(evaluator) == found


def test_examples_become_the_same_evaluator(models: dict[str, Model]) -> None:
    examples = [InputExample(texts=[a, b], label=c) for a, b, c in zip(*ALIKE, strict=True)]
    made = EmbeddingSimilarityEvaluator.from_input_examples(examples, name="own")
    assert models["dense"].evaluate(made) == models["dense"].evaluate(EmbeddingSimilarityEvaluator(*ALIKE, name="own"))


def test_the_fusion_of_rankings_needs_no_model(tmp_path: Path) -> None:
    dense = [{"query_id": "q", "query": "?", "positive": ["a"], "documents": ["b", "c", "a"]}]
    sparse = [{**dense[0], "documents": ["a", "b"]}]
    evaluator = ReciprocalRankFusionEvaluator(dense, sparse, name="own", write_predictions=True)
    found = evaluator(tmp_path / "new")
    assert set(found) == {f"own_{way}{end}" for way in ("", "dense_", "sparse_") for end in ENDS}
    ranks = tuple(found[f"own_{way}mrr@10"] for way in ("dense_", "sparse_", ""))
    assert ranks == pytest.approx((1 / 3, 1, 1 / 2))
    assert {path.suffix for path in (tmp_path / "new").iterdir()} == {".csv", ".jsonl"}
