"""What evaluators make of equal scores, equal texts and the kinds of texts: the same as sentence-transformers 6.2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.evaluation import (
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    ParaphraseMiningEvaluator,
    RerankingEvaluator,
    SequentialEvaluator,
    SparseInformationRetrievalEvaluator,
    TranslationEvaluator,
    TripletEvaluator,
)
from edge_st.models.classes import Model
from tests.support.tiny_models import TinyModel

QUERIES = {"q": "a cat"}
TIED = {"b": "a cat", "a": "a cat", "d": "a cat", "c": "a cat"}


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("relevant", sorted(TIED))
def test_documents_are_ranked_by_their_ids(relevant: str, chunk: int, bundled: SentenceTransformer) -> None:
    evaluator = InformationRetrievalEvaluator(
        QUERIES,
        TIED,
        {"q": {relevant}},
        corpus_chunk_size=chunk,
        accuracy_at_k=(1, 2, 3),
        score_functions={"own": lambda queries, corpus: np.ones((len(queries), len(corpus)))},
    )
    rank = sorted(TIED).index(relevant) + 1
    assert evaluator(bundled)["own_mrr@10"] == pytest.approx(1 / rank)
    assert evaluator(bundled)["own_accuracy@2"] == (rank <= 2)
    vectors = bundled.encode(list(TIED.values()))
    assert evaluator(bundled, corpus_embeddings=vectors)["own_mrr@10"] == pytest.approx(1 / rank)
    hits = [{"corpus_id": document, "score": 1.0} for document in TIED]
    assert evaluator.compute_metrics([hits])["mrr@k"][10] == pytest.approx(1 / rank)


def test_pairs_count_together(bundled: SentenceTransformer) -> None:
    """Three pairs of equal texts, of which one is known: however they are ordered, one in three is right."""
    texts = {"a": "a cat", "b": "a cat", "c": "a cat", "d": "my green boat"}
    for known in (("a", "b"), ("a", "c"), ("b", "c")):
        found = ParaphraseMiningEvaluator(texts, [known])(bundled)
        assert found["average_precision"] == found["precision"] == pytest.approx(1 / 3)
        assert found["recall"] == 1


def test_what_is_marked_as_no_duplicate_connects_nothing() -> None:
    graph = {"a": {"b": True}, "b": {"a": True, "c": False}, "c": {"d": True}, "d": {"c": True}}
    closed = ParaphraseMiningEvaluator.add_transitive_closure(graph)
    assert closed == {"a": {"b": True}, "b": {"a": True, "c": False}, "c": {"d": True}, "d": {"c": True}}


def test_a_translation_may_occur_twice(bundled: SentenceTransformer, capsys: pytest.CaptureFixture[str]) -> None:
    sources, targets = ["a cat", "my boat", "a cat"], ["a cat!", "my boat!", "a cat!"]
    found = TranslationEvaluator(sources, targets, print_wrong_matches=True)(bundled)
    assert found == {"src2trg_accuracy": 1, "trg2src_accuracy": 1, "mean_accuracy": 1}
    assert capsys.readouterr().out == ""


def test_both_sides_of_int8_share_their_ranges(bundled: SentenceTransformer) -> None:
    first, second = ["a cat", "my boat", "green", "two"], ["one more", "a dog", "seven words are here", "x"]
    both = bundled.encode([*first, *second], precision="int8", normalize_embeddings=True).astype(np.float32)
    expected = [float(one @ other) for one, other in zip(both[:4], both[4:], strict=True)]
    evaluator = EmbeddingSimilarityEvaluator(first, second, [1, 2, 3, 4], precision="int8", similarity_fn_names=["dot"])
    np.testing.assert_allclose(evaluator.similarities(bundled)["dot"], expected, rtol=1e-5)


def test_triplets_are_queries_and_documents(tmp_path: Path) -> None:
    prompts = {"query": "search: ", "document": "old "}
    model = SentenceTransformer(TinyModel(settings={"prompts": prompts}).save(tmp_path), backend="onnx")
    sides = (["the fox"], ["quick brown"], ["seven boats"])
    ((near, far),) = TripletEvaluator(*sides).similarities(model).values()
    anchors, positives, negatives = model.encode_query(sides[0]), *map(model.encode_document, sides[1:])
    assert near == pytest.approx(model.similarity_pairwise(anchors, positives))
    assert far == pytest.approx(model.similarity_pairwise(anchors, negatives))
    both = TripletEvaluator(*sides, main_similarity_function="dot")
    both(model)
    assert both.primary_metric == "dot_accuracy"


def test_a_single_document_need_not_be_a_list(bundled: SentenceTransformer) -> None:
    samples: list[Mapping[str, Any]] = [{"query": "a cat", "positive": "the cat", "negative": ["a boat", "x"]}]
    listed = [{**samples[0], "positive": ["the cat"]}]
    assert RerankingEvaluator(samples)(bundled) == RerankingEvaluator(listed)(bundled)


def test_evaluators_of_a_sequence_run_every_time(bundled: SentenceTransformer) -> None:
    sets: Sequence[Any] = (["a"], ["b"])
    sequence = SequentialEvaluator(TranslationEvaluator(*sets, name=name) for name in ("one", "two"))
    assert sequence(bundled) == sequence(bundled) != {}


def test_sparsity_of_given_embeddings(models: dict[str, Model]) -> None:
    sparse: Any = models["sparse"]
    evaluator = SparseInformationRetrievalEvaluator(QUERIES, TIED, {"q": {"a"}})
    given = sparse.encode_document(list(TIED.values()))
    assert evaluator(sparse, corpus_embeddings=given) == evaluator(sparse)
