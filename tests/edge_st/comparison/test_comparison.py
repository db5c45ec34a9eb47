"""The inputs of a comparison, and cached models, which answer as the models themselves do."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest

from edge_st.comparison.cache import Outputs
from edge_st.comparison.cached_models import as_stored, cached_model
from edge_st.comparison.inputs import Inputs, inputs_of
from edge_st.comparison.measurements import Measurement, measure
from edge_st.comparison.random_pairs import partners, random_pairs
from edge_st.comparison.running import _describe, _outputs
from edge_st.evaluation import (
    BinaryClassificationEvaluator,
    CrossEncoderClassificationEvaluator,
    CrossEncoderCorrelationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    MultiVectorInformationRetrievalEvaluator,
    MultiVectorTripletEvaluator,
    SparseBinaryClassificationEvaluator,
    SparseEmbeddingSimilarityEvaluator,
    SparseInformationRetrievalEvaluator,
    SparseTripletEvaluator,
    TripletEvaluator,
)
from edge_st.evaluation.candidates import bm25_candidates
from edge_st.evaluation.datasets import Dataset, RetrievalData
from edge_st.evaluation.information_retrieval import flat
from edge_st.models.classes import Model
from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER, MULTI_VECTOR_ENCODER, SENTENCE_TRANSFORMER, SPARSE_ENCODER
from edge_st_runtime.vectors.sparse import SparseMatrix
from tests.support.small_sets import FIRST, PAIRS, RETRIEVAL, SECOND, SETS, SIMILARITY, THIRD, TRIPLETS, plain

ZIPPED = list(zip(FIRST, SECOND, strict=True))
TYPES = {
    "dense": SENTENCE_TRANSFORMER,
    "sparse": SPARSE_ENCODER,
    "late": MULTI_VECTOR_ENCODER,
    "cross": CROSS_ENCODER,
}


@pytest.mark.parametrize("data", SETS.values(), ids=SETS)
def test_every_text_is_asked_for_once_as_what_it_is(data: Dataset) -> None:
    inputs = inputs_of(data, SENTENCE_TRANSFORMER)
    assert inputs == inputs_of(data, SPARSE_ENCODER) == inputs_of(data, SENTENCE_TRANSFORMER)
    if isinstance(data, RetrievalData):
        wanted = {"query": set(data.queries.values()), "document": set(data.corpus.values())}
    elif data is TRIPLETS:
        wanted = {"query": set(FIRST), "document": set(SECOND) | set(THIRD)}
    else:
        wanted = {"text": set(FIRST) | set(SECOND)}
    assert {each.side: set(each.texts) for each in inputs} == wanted
    assert all(len(set(each.texts)) == len(each.texts) for each in inputs)


@pytest.mark.parametrize("kind", ["similarity", "pairs"])
def test_a_cross_encoder_scores_the_pairs_and_random_ones(kind: str) -> None:
    (inputs,) = inputs_of(SETS[kind], CROSS_ENCODER)
    assert inputs.side == "pair"
    assert inputs.texts[: len(ZIPPED)] == ZIPPED
    assert len(set(inputs.texts)) == len(inputs.texts) == 2 * len(ZIPPED)


@pytest.mark.parametrize("candidates", [1, 3, 20])
def test_a_cross_encoder_ranks_the_best_by_words_and_random_ones(candidates: int) -> None:
    (inputs,) = inputs_of(RETRIEVAL, CROSS_ENCODER, candidates)
    ranked = bm25_candidates(RETRIEVAL, candidates)
    assert list(ranked) == list(RETRIEVAL.queries)
    assert all(0 < len(found) <= candidates for found in ranked.values())
    pairs = {(RETRIEVAL.queries[query], RETRIEVAL.corpus[each]) for query, of in ranked.items() for each in of}
    assert set(inputs.texts) == pairs | set(random_pairs(RETRIEVAL))


def test_triplets_are_not_for_a_cross_encoder() -> None:
    with pytest.raises(OptionError, match="nearer holds triplets, which compare embeddings; a cross-encoder scores"):
        inputs_of(TRIPLETS, CROSS_ENCODER)


@pytest.mark.parametrize("count", [2, 3, 10, 999])
def test_nobody_is_their_own_random_partner(count: int) -> None:
    found = partners(count)
    assert sorted(found.tolist()) == list(range(count))
    assert (found != np.arange(count)).all()
    np.testing.assert_array_equal(partners(count), found)


def test_a_random_document_is_not_a_relevant_one() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        grades = {
            query: {f"d{each}": int(generator.integers(1, 3)) for each in generator.choice(40, 35, replace=False)}
            for query in RETRIEVAL.queries
        }
        data = replace(RETRIEVAL, grades=grades)
        ids = {text: each for each, text in data.corpus.items()}
        pairs = random_pairs(data)
        assert [query for query, _ in pairs] == list(data.queries.values())
        assert all(ids[text] not in data.relevant_docs[query] for query, (_, text) in zip(grades, pairs, strict=True))
        assert random_pairs(data) == pairs


def cached(model: Model, inputs: Sequence[Inputs], **options: Any) -> Any:
    """``model`` as a comparison finds it in its cache."""
    outputs: dict[Any, tuple[Inputs, Outputs]] = {each.side: (each, _outputs(model, each)) for each in inputs}
    return cached_model(_describe(model), outputs, **options)


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, SparseMatrix):
        found, expected = found.to_dense(), expected.to_dense()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == expected.dtype


SIDES = [Inputs("text", FIRST), Inputs("query", FIRST), Inputs("document", FIRST)]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_embeddings_are_looked_up_in_any_order(kind: str, models: dict[str, Any]) -> None:
    model = models[kind]
    again = cached(model, SIDES)
    texts = [FIRST[place] for place in (5, 0, 5, 9)]
    for name in ("encode", "encode_query", "encode_document"):
        same(getattr(again, name)(texts), getattr(model, name)(texts))
    for name in ("similarity", "similarity_pairwise"):
        vectors = model.encode(texts)
        same(getattr(again, name)(vectors, vectors), getattr(model, name)(vectors, vectors))
    assert (again.similarity_fn_name, again.dimension) == (model.similarity_fn_name, model.get_embedding_dimension())


def test_token_vectors_are_looked_up_in_any_order(models: dict[str, Any]) -> None:
    model = models["late"]
    again = cached(model, SIDES[1:])
    texts = [FIRST[place] for place in (5, 0, 5, 9)]
    queries, documents = model.encode_query(texts), model.encode_document(texts)
    for found, expected in ((again.encode_query(texts), queries), (again.encode_document(texts), documents)):
        for vectors, wanted in zip(found, expected, strict=True):
            same(vectors, wanted)
    for name in ("similarity", "similarity_pairwise"):
        same(getattr(again, name)(queries, documents), getattr(model, name)(queries, documents))
    tokens = sum(map(len, model.encode_document(FIRST)))
    assert again.vector_bytes == pytest.approx(4 * model.get_embedding_dimension() * tokens / len(FIRST))


@pytest.mark.parametrize("dim", [None, 8, 100, 256])
@pytest.mark.parametrize("precision", [None, "int8", "uint8", "binary", "ubinary"])
def test_an_evaluators_precision_and_a_cut_are_the_models_own(dim: int | None, precision: str | None,
                                                              models: dict[str, Any]) -> None:  # fmt: skip
    again = cached(models["dense"], SIDES, truncate_dim=dim)
    options: dict[str, Any] = {"precision": precision, "normalize_embeddings": bool(precision)}
    found, expected = again.encode(FIRST, **options), models["dense"].encode(FIRST, truncate_dim=dim, **options)
    assert np.abs(found.astype(float) - expected.astype(float)).max() < (
        1.1 if precision in ("int8", "uint8") else 1e-6
    )
    assert found.dtype == expected.dtype
    assert again.dimension == min(dim or 256, 256)
    same(again.encode_query(FIRST), models["dense"].encode_query(FIRST, truncate_dim=dim))


@pytest.mark.parametrize(
    ("precision", "vector_bytes"), [("float32", 80), ("int8", 20), ("uint8", 20), ("binary", 3), ("ubinary", 3)]
)
def test_documents_are_kept_in_their_precision_and_queries_are_not(
    precision: str, vector_bytes: int, models: dict[str, Any]
) -> None:
    again = cached(models["dense"], SIDES, truncate_dim=20, precision=precision)
    plain = models["dense"].encode_document(FIRST, truncate_dim=20)
    same(again.encode_document(FIRST[3:]), as_stored(plain, precision)[3:])
    same(again.encode_query(FIRST), models["dense"].encode_query(FIRST, truncate_dim=20))
    assert again.vector_bytes == vector_bytes
    cosines = [float(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
               for a, b in zip(again.encode_document(FIRST), plain, strict=True)]  # fmt: skip
    assert min(cosines) > {"float32": 0.999999, "int8": 0.9995, "uint8": 0.9995}.get(precision, 0.5)


def test_scores_are_looked_up_in_any_order(models: dict[str, Any]) -> None:
    again = cached(models["cross"], [Inputs("pair", ZIPPED)])
    pairs = [list(ZIPPED[place]) for place in (4, 0, 4)]
    same(again.predict(pairs), models["cross"].predict(pairs))


ALIKE, LABELLED = (FIRST, SECOND, SIMILARITY.scores), (FIRST, SECOND, PAIRS.labels)
RETRIEVED = (RETRIEVAL.queries, RETRIEVAL.corpus, RETRIEVAL.relevant_docs)
EVALUATORS: dict[tuple[str, str], Any] = {
    ("dense", "similarity"): lambda: EmbeddingSimilarityEvaluator(*ALIKE),
    ("dense", "pairs"): lambda: BinaryClassificationEvaluator(*LABELLED),
    ("dense", "triplets"): lambda: TripletEvaluator(FIRST, SECOND, THIRD),
    ("dense", "retrieval"): lambda: InformationRetrievalEvaluator(*RETRIEVED),
    ("sparse", "similarity"): lambda: SparseEmbeddingSimilarityEvaluator(*ALIKE),
    ("sparse", "pairs"): lambda: SparseBinaryClassificationEvaluator(*LABELLED),
    ("sparse", "triplets"): lambda: SparseTripletEvaluator(FIRST, SECOND, THIRD),
    ("sparse", "retrieval"): lambda: SparseInformationRetrievalEvaluator(*RETRIEVED),
    ("late", "triplets"): lambda: MultiVectorTripletEvaluator(FIRST, SECOND, THIRD),
    ("late", "retrieval"): lambda: MultiVectorInformationRetrievalEvaluator(*RETRIEVED),
    ("cross", "similarity"): lambda: CrossEncoderCorrelationEvaluator(ZIPPED, SIMILARITY.scores),
    ("cross", "pairs"): lambda: CrossEncoderClassificationEvaluator(ZIPPED, PAIRS.labels),
}


@pytest.mark.parametrize(("kind", "of"), EVALUATORS)
def test_what_is_measured_is_what_the_model_itself_gets(kind: str, of: str, models: dict[str, Model]) -> None:
    data, evaluator = SETS[of], EVALUATORS[kind, of]()
    found = measure(data, cached(models[kind], inputs_of(data, TYPES[kind], 7)))
    assert dict(found.metrics) == pytest.approx(plain(models[kind].evaluate(evaluator)), rel=1e-5, abs=1e-6)
    assert [found.primary_metric] == list(plain({evaluator.primary_metric: 0.0}))
    check_items(found)


def test_what_a_cross_encoder_ranked_is_measured_as_what_an_encoder_found(models: dict[str, Any]) -> None:
    model = models["cross"]
    found = measure(RETRIEVAL, cached(model, inputs_of(RETRIEVAL, CROSS_ENCODER, 7)))
    results = [
        [
            {"corpus_id": each, "score": float(model.predict((RETRIEVAL.queries[query], RETRIEVAL.corpus[each])))}
            for each in documents
        ]
        for query, documents in bm25_candidates(RETRIEVAL, 7).items()
    ]
    wanted = InformationRetrievalEvaluator(*RETRIEVED).compute_metrics(results)
    assert dict(found.metrics) == pytest.approx(flat({"": wanted}), rel=1e-5, abs=1e-6)
    assert found.primary_metric == "ndcg@10"
    check_items(found)


def check_items(found: Measurement) -> None:
    """Check that every item has a value, a title and details, and that all values give the primary metric."""
    everything = np.arange(len(found.qualities))
    assert found.statistic(found.values, everything) == pytest.approx(found.metrics[found.primary_metric], abs=1e-9)
    assert len(found.random) == len(everything)
    assert np.isfinite(np.concatenate([found.known, found.random])).all()
    texts = set(chain(FIRST, SECOND)) | {f"{a} ⟷ {b}" for a, b in ZIPPED}
    for item in everything.tolist():
        assert found.title(item) in texts
        assert found.details(item)
