"""The errors of evaluators for bad input."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from edge_st import SentenceTransformer
from edge_st.evaluation import (
    BinaryClassificationEvaluator,
    CrossEncoderClassificationEvaluator,
    CrossEncoderCorrelationEvaluator,
    CrossEncoderRerankingEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    MSEEvaluator,
    ReciprocalRankFusionEvaluator,
    RerankingEvaluator,
    SparseBinaryClassificationEvaluator,
    SparseEmbeddingSimilarityEvaluator,
    SparseInformationRetrievalEvaluator,
    SparseRerankingEvaluator,
    SparseTranslationEvaluator,
    SparseTripletEvaluator,
    TranslationEvaluator,
    TripletEvaluator,
)
from edge_st.models.classes import Model
from edge_st_runtime.errors import InputError, InputTypeError, OptionError

TWO, THREE = ["a", "b"], ["c", "d", "e"]
PAIRS = [("a", "b"), ("c", "d")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *(
            (kind, "2 sentences1, 3 sentences2, 2 scores; expected the same number of each")
            for kind in (EmbeddingSimilarityEvaluator, SparseEmbeddingSimilarityEvaluator)
        ),
        *(
            (kind, "2 sentences1, 3 sentences2, 2 labels; expected the same number of each")
            for kind in (BinaryClassificationEvaluator, SparseBinaryClassificationEvaluator)
        ),
        *(
            (kind, "2 anchors, 3 positives, 2 negatives; expected the same number of each")
            for kind in (TripletEvaluator, SparseTripletEvaluator)
        ),
    ],
)
def test_lists_of_different_lengths(make: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}, and at least one$"):
        make(TWO, THREE, [1, 0])


def test_sets_have_no_order() -> None:
    with pytest.raises(InputTypeError, match=r"sentences2 is set .* which has no order; expected a list"):
        EmbeddingSimilarityEvaluator(TWO, set(TWO), [1, 0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (TranslationEvaluator, "2 source_sentences, 3 target_sentences; expected the same number of each"),
        (SparseTranslationEvaluator, "2 source_sentences, 3 target_sentences; expected the same number of each"),
        (
            lambda one, other: MSEEvaluator(one, other, SentenceTransformer()),
            "2 source_sentences, 3 target_sentences; expected",
        ),
        (lambda *_: CrossEncoderClassificationEvaluator(PAIRS, [1]), "2 sentence_pairs, 1 labels; expected"),
        (lambda *_: CrossEncoderCorrelationEvaluator(PAIRS, [1.0]), "2 sentence_pairs, 1 scores; expected"),
        (lambda *_: ReciprocalRankFusionEvaluator([], [{}]), "0 dense_samples, 1 sparse_samples; expected"),
    ],
)
def test_two_lists_of_different_lengths(make: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        make(TWO, THREE)


@pytest.mark.parametrize("kind", [BinaryClassificationEvaluator, SparseBinaryClassificationEvaluator])
@pytest.mark.parametrize("label", [2, -1, 0.5, "1", None])
def test_labels_are_0_or_1(kind: Callable[..., Any], label: Any) -> None:
    with pytest.raises(InputError, match=re.escape(f"labels[1] is {label!r}; expected 0 or 1")):
        kind(TWO, TWO, [1, label])


@pytest.mark.parametrize("name", ["cos", "hamming", "COSINE"])
@pytest.mark.parametrize(
    "make",
    [
        lambda name: EmbeddingSimilarityEvaluator(TWO, TWO, [0, 1], main_similarity=name),
        lambda name: EmbeddingSimilarityEvaluator(TWO, TWO, [0, 1], similarity_fn_names=["dot", name]),
        lambda name: SparseEmbeddingSimilarityEvaluator(TWO, TWO, [0, 1], similarity_fn_names=[name]),
        lambda name: BinaryClassificationEvaluator(TWO, TWO, [0, 1], similarity_fn_names=[name]),
        lambda name: TripletEvaluator(TWO, TWO, TWO, main_similarity_function=name),
        lambda name: TripletEvaluator(TWO, TWO, TWO, main_distance_function=name),
        lambda name: InformationRetrievalEvaluator({"q": "a"}, {"d": "b"}, {"q": {"d"}}, main_score_function=name),
    ],
)
def test_an_unknown_similarity_function(make: Callable[[str], Any], name: str) -> None:
    with pytest.raises(OptionError) as caught:
        make(name)
    assert repr(name) in str(caught.value)
    assert all(each in str(caught.value) for each in ("cosine", "dot", "euclidean", "manhattan"))


def test_an_unknown_precision() -> None:
    with pytest.raises(OptionError, match="Precision 'int4' is not supported, must be one of"):
        EmbeddingSimilarityEvaluator(TWO, TWO, [0, 1], precision="int4")


def test_a_margin_is_a_number_or_one_for_each_function() -> None:
    wrong: Any = "wide"
    with pytest.raises(OptionError, match="margin is 'wide'; expected a number, or a dictionary with keys among"):
        TripletEvaluator(TWO, TWO, TWO, margin=wrong)


@pytest.mark.parametrize("kind", [InformationRetrievalEvaluator, SparseInformationRetrievalEvaluator])
@pytest.mark.parametrize(
    ("queries", "corpus", "relevant"),
    [
        ({"q": "a"}, {"d": "b"}, {}),
        ({"q": "a"}, {"d": "b"}, {"q": set()}),
        ({"q": "a"}, {"d": "b"}, {"other": {"d"}}),
        ({"q": "a"}, {}, {"q": {"d"}}),
        ({}, {"d": "b"}, {"q": {"d"}}),
    ],
)
def test_no_query_with_a_relevant_document(
    kind: Callable[..., Any], queries: dict[str, str], corpus: dict[str, str], relevant: dict[str, set[str]]
) -> None:
    counts = f"{len(queries)} queries, {len(corpus)} documents and relevant_docs for {len(relevant)} queries"
    expected = f"^{counts}, but no query has a relevant document; expected relevant_docs as"
    with pytest.raises(InputError, match=expected):
        kind(queries, corpus, relevant)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"positive": [], "negative": []}, "has no 'query'; it has 'positive', 'negative'"),
        ({"query": "a", "negative": []}, "has no 'positive'; it has 'query', 'negative'"),
        ({}, "has no 'query'; it has no keys"),
        ({"query": "a", "positive": ["b"]}, "has neither of 'negative' and 'documents'; expected exactly one of them"),
        (
            {"query": "a", "positive": ["b"], "negative": ["c"], "documents": ["b"]},
            "has both of 'negative' and 'documents'; expected exactly one of them",
        ),
    ],
)
def test_a_sample_without_what_it_needs(sample: dict[str, Any], message: str) -> None:
    right = {"query": "a", "positive": ["b"], "negative": ["c"]}
    with pytest.raises(InputError) as caught:
        CrossEncoderRerankingEvaluator([right, sample])
    assert str(caught.value) == f"samples[1] {message}"


@pytest.mark.parametrize("kind", [RerankingEvaluator, SparseRerankingEvaluator])
@pytest.mark.parametrize("missing", ["query", "positive", "negative"])
def test_a_sample_of_embeddings_without_what_it_needs(kind: Callable[..., Any], missing: str) -> None:
    right = {"query": "a", "positive": ["b"], "negative": ["c"]}
    with pytest.raises(InputError, match=rf"samples\[1\] has no '{missing}'"):
        kind([right, {key: value for key, value in right.items() if key != missing}])


@pytest.mark.parametrize("samples", [[], [{"query": "a", "positive": [], "negative": ["b"]}]])
def test_no_samples_to_rank(samples: list[dict[str, Any]]) -> None:
    with pytest.raises(
        InputError, match=f"^{len(samples)} samples, but none has both a positive and a negative document"
    ):
        RerankingEvaluator(samples)


@pytest.mark.parametrize(
    ("kind", "evaluator", "message"),
    [
        ("cross", EmbeddingSimilarityEvaluator(TWO, TWO, [1, 0]), "a model with encode(), which CrossEncoder lacks"),
        ("dense", CrossEncoderCorrelationEvaluator([TWO, TWO], [1, 0]), "a model with predict(), which SentenceTransf"),
        ("dense", SparseTranslationEvaluator(TWO, TWO), "a model of sparse embeddings; found SentenceTransformer"),
        ("sparse", TranslationEvaluator(TWO, TWO), "a model of dense embeddings; found SparseEncoder"),
    ],
)
def test_a_model_of_another_kind(kind: str, evaluator: Any, message: str, models: dict[str, Model]) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        models[kind].evaluate(evaluator)


def test_nothing_to_evaluate() -> None:
    with pytest.raises(InputError, match=r"0 sentences1, 0 sentences2, 0 scores; expected .* at least one"):
        EmbeddingSimilarityEvaluator([], [], [])


@pytest.mark.parametrize(
    ("dense", "sparse", "message"),
    [
        (
            {"query_id": "1"},
            {"query_id": "2"},
            "dense_samples[0] has the query_id '1', sparse_samples[0] has '2'; expected the same",
        ),
        ({"query": "a"}, {"query_id": "2"}, "dense_samples[0] has no 'query_id'; it has 'query'"),
        ({"query_id": "1"}, {"query": "a"}, "sparse_samples[0] has no 'query_id'; it has 'query'"),
    ],
)
def test_rankings_of_different_queries(dense: dict[str, str], sparse: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        ReciprocalRankFusionEvaluator([dense], [sparse])
    assert str(caught.value) == message


def test_embeddings_of_another_width_than_the_teachers(models: dict[str, Model]) -> None:
    with pytest.raises(InputError, match=r"embeddings of shape \(2, 8\), the teacher's \(2, 256\); expected the same"):
        SentenceTransformer(truncate_dim=8).evaluate(MSEEvaluator(TWO, TWO, models["dense"]))
