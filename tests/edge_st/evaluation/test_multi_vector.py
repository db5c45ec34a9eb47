"""Evaluators of multi-vector encoders: exact search in chunks, and what they refuse."""

from typing import Any

import numpy as np
import pytest

from edge_st import evaluation
from edge_st.evaluation import (
    MultiVectorDistillationEvaluator,
    MultiVectorInformationRetrievalEvaluator,
    MultiVectorNanoBEIREvaluator,
    MultiVectorRerankingEvaluator,
    MultiVectorTripletEvaluator,
    TripletEvaluator,
)
from edge_st.multi_vector_encoder import evaluation as of_multi_vector
from edge_st_runtime.errors import InputError, OptionError
from tests.support.small_sets import FIRST, RETRIEVAL, SECOND, THIRD

TRIPLETS = (FIRST, SECOND, THIRD)
RETRIEVED = (RETRIEVAL.queries, RETRIEVAL.corpus, RETRIEVAL.relevant_docs)
CANDIDATES = [list(pair) for pair in zip(SECOND, THIRD, strict=True)]
TEACHER = [[float(place % 3), float(place % 5)] for place in range(len(FIRST))]


@pytest.mark.parametrize("name", of_multi_vector.__all__)
def test_they_are_where_sentence_transformers_has_them(name: str) -> None:
    assert getattr(of_multi_vector, name) is getattr(evaluation, name)
    assert name in evaluation.__all__


@pytest.mark.parametrize("chunk", [7, 40, 5000])
@pytest.mark.parametrize("chunk_elements", [None, 60])
def test_retrieval_is_exact_and_in_chunks(
    chunk: int, chunk_elements: int | None, models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sizes = models["late"], []
    encode = model.encode_document

    def counted(texts: Any, **options: Any) -> Any:
        sizes.append(len(texts))
        return encode(texts, **options)

    evaluator = MultiVectorInformationRetrievalEvaluator(
        *RETRIEVED, corpus_chunk_size=chunk, chunk_elements=chunk_elements, map_at_k=[9]
    )
    monkeypatch.setattr(model, "encode_document", counted)
    ((scores, places),) = evaluator.search(model).values()
    assert (sum(sizes), max(sizes)) == (40, min(chunk, 40))
    every = model.similarity(model.encode_query(evaluator.queries), encode(evaluator.corpus))
    assert scores.shape == places.shape == (8, 10)
    np.testing.assert_allclose(scores, -np.sort(-every, axis=1)[:, :10], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, places, axis=1), scores, rtol=1e-5)


def test_what_a_model_evaluates(models: dict[str, Any]) -> None:
    model = models["late"]
    samples = [{"query": FIRST[0], "positive": FIRST[0], "negative": SECOND[:4]}]
    assert model.evaluate(MultiVectorRerankingEvaluator(samples)) == {"map": 1.0, "mrr@10": 1.0, "ndcg@10": 1.0}
    same = MultiVectorTripletEvaluator(FIRST[:5], FIRST[:5], SECOND[:5], similarity_fn_names=["maxsim", "meanmaxsim"])
    found = model.evaluate(same)
    assert found["max_accuracy"] == max(found["maxsim_accuracy"], found["meanmaxsim_accuracy"]) > 0.5
    ours = model.similarity(model.encode_query(FIRST[:5]), model.encode_document(SECOND[:5]))
    distillation = MultiVectorDistillationEvaluator(FIRST[:5], [SECOND[:5]] * 5, ours, name="own")
    assert model.evaluate(distillation) == pytest.approx({"own_kl_divergence": 0.0, "own_spearman": 1.0}, abs=1e-5)
    assert distillation.primary_metric == "own_spearman"


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: MultiVectorTripletEvaluator(*TRIPLETS, truncate_dim=4), OptionError, "truncate_dim is 4; token vec"),
        (lambda: MultiVectorNanoBEIREvaluator(truncate_dim=4), OptionError, "truncate_dim is 4; token vectors"),
        (
            lambda: MultiVectorInformationRetrievalEvaluator(*RETRIEVED, truncate_dim=4),
            OptionError,
            "truncate_dim is 4; token vectors",
        ),
        (lambda: MultiVectorInformationRetrievalEvaluator(*RETRIEVED, chunk_elements=0), OptionError, "chunk_elements"),
        (
            lambda: MultiVectorInformationRetrievalEvaluator(*RETRIEVED, chunk_elements=9, score_functions={"a": max}),
            OptionError,
            r"functools\.partial\(edge_st\.util\.maxsim",
        ),
        (
            lambda: MultiVectorInformationRetrievalEvaluator(*RETRIEVED, main_score_function="cosine"),
            OptionError,
            "'cosine' is not known; expected one of 'maxsim', 'meanmaxsim'",
        ),
        (
            lambda: MultiVectorTripletEvaluator(*TRIPLETS, margin={"cosine": 0.1}),
            OptionError,
            r"unexpected keys \['cosine'\], expected keys in \['maxsim', 'meanmaxsim'\]",
        ),
        (lambda: TripletEvaluator(*TRIPLETS, similarity_fn_names=["maxsim"]), OptionError, "unexpected names"),
        (lambda: MultiVectorDistillationEvaluator(FIRST, SECOND, TEACHER), InputError, r"got shape \(20, 2\)"),
        (lambda: MultiVectorDistillationEvaluator(FIRST, CANDIDATES, TEACHER[1:]), InputError, "19 scores"),
        (
            lambda: MultiVectorDistillationEvaluator(FIRST, [*CANDIDATES[1:], SECOND], TEACHER),
            InputError,
            "must have the same length; found 2 and 20",
        ),
        (
            lambda: MultiVectorDistillationEvaluator(FIRST, CANDIDATES, TEACHER, teacher_temperature=0),
            OptionError,
            "teacher_temperature must be a positive finite number, got 0",
        ),
    ],
)
def test_refusals(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(("kind", "found"), [("dense", "dense"), ("sparse", "sparse")])
def test_a_model_of_another_class(kind: str, found: str, models: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=rf"takes a model of multi-vector embeddings; found .*, whose .* are {found}"):
        models[kind].evaluate(MultiVectorTripletEvaluator(*TRIPLETS))
    with pytest.raises(OptionError, match="found MultiVectorEncoder, whose embeddings are multi-vector"):
        models["late"].evaluate(TripletEvaluator(*TRIPLETS))
    with pytest.raises(OptionError, match=r"takes a model with encode_query\(\), which CrossEncoder lacks"):
        models["cross"].evaluate(MultiVectorTripletEvaluator(*TRIPLETS))
