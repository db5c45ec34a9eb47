"""What the evaluators have in common with sentence-transformers': arguments, methods, refusals, sequences."""

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import InputExample

from tests.export.evaluation.evaluators import NAMES, OURS, THEIRS, Library, assert_same, cases, differences, texts

FIRST, SECOND, THIRD = (texts(kind, 10) for kind in ("first", "second", "third"))
SCORES = [float(number % 4) for number in range(10)]


#: methods of theirs that are steps of others
INNER = {"output_scores", "compute_dcg_at_k", "compute_metrics", "get_corpus_id_ranks"}


def evaluators(kind: str) -> list[str]:
    return [name for name in NAMES if re.search(kind, name)]


@pytest.mark.parametrize("name", NAMES)
def test_exported(name: str) -> None:
    import edge_st.evaluation

    assert name in edge_st.evaluation.__all__
    assert getattr(edge_st.evaluation, name).__name__ == getattr(THEIRS, name).__name__


@pytest.mark.parametrize("name", [name for name in evaluators("Evaluator$") if name != "SentenceEvaluator"])
def test_arguments(name: str) -> None:
    ours, theirs = getattr(OURS, name), getattr(THEIRS, name)
    assert _arguments(ours) == _arguments(theirs)


def _arguments(of: Any) -> list[tuple[str, Any, Any]]:
    """The names, kinds and defaults, functions by their names; what collects more arguments is left out."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        (each.name, each.kind, getattr(each.default, "__name__", _plain(each.default)))
        for each in inspect.signature(of).parameters.values()
        if each.kind not in collecting
    ]


def _plain(default: Any) -> Any:
    return list(default) if isinstance(default, list | tuple) else default


@pytest.mark.parametrize("name", evaluators("Evaluator$"))
def test_methods(name: str) -> None:
    ours, theirs = (
        {each for each in dir(getattr(library, name)) if not each.startswith("_")} for library in (OURS, THEIRS)
    )
    assert theirs - ours <= INNER


@pytest.mark.parametrize("name", ["", "some name"])
def test_prefixes(name: str) -> None:
    found = []
    for library in (OURS, THEIRS):
        base = library.BaseEvaluator()
        base.primary_metric = "accuracy"
        metrics = {"accuracy": np.float32(0.5), "count": 3, "words": "0.5 (+0.1)"}
        found.append([base.prefix_name_to_metrics(metrics, name), base.primary_metric, base.greater_is_better])
        assert base.prefix_name_to_metrics({"accuracy": 1}, name)
        found[-1] += [base.primary_metric, base.description, base.get_config_dict()]
    assert differences(*found) == []


@pytest.mark.parametrize("name", ["MyOwnEvaluator", "EvaluatorOfThings", "Measure", "NDCGEvaluator", "Some2Words"])
def test_descriptions(name: str) -> None:
    ours, theirs = (type(name, (library.BaseEvaluator,), {})().description for library in (OURS, THEIRS))
    assert ours == theirs


def test_an_evaluator_of_ones_own_must_be_callable() -> None:
    for library in (OURS, THEIRS):
        with pytest.raises(NotImplementedError):
            library.BaseEvaluator()(library.model())


def sequence(library: Library, **options: Any) -> Any:
    """Evaluators with and without a main metric; one returns a number alone."""

    class Plain(library.BaseEvaluator):
        def __call__(self, *_: Any) -> float:
            return 0.25

    class Unnamed(library.BaseEvaluator):
        def __call__(self, *_: Any) -> dict[str, float]:
            return {"first": 0.75, "second": 0.5}

    parts = [
        library.EmbeddingSimilarityEvaluator(FIRST, SECOND, SCORES, name="a"),
        library.TripletEvaluator(FIRST, SECOND, THIRD, name="b", similarity_fn_names=["dot", "cosine"]),
        Plain(),
        library.TranslationEvaluator(FIRST, SECOND),
        Unnamed(),
    ]
    return library.SequentialEvaluator(parts, **options)


@cases(last={}, mean={"main_score_function": np.mean}, first={"main_score_function": lambda scores: scores[0]})
def test_sequences(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(lambda library: sequence(library, **options), tmp_path)


def test_a_sequence_of_none(tmp_path: Path) -> None:
    assert_same(lambda library: library.SequentialEvaluator([]), tmp_path)


@pytest.mark.parametrize("options", [{}, {"texts": ["a", "b"], "label": 0.5}, {"guid": "7", "texts": ["a"]}], ids=str)
def test_input_examples(options: dict[str, Any]) -> None:
    ours, theirs = (each(**options) for each in (OURS.InputExample, InputExample))
    assert (ours.guid, ours.texts or None, ours.label) == (theirs.guid, theirs.texts, theirs.label)


RERANKING = {"query": "q", "positive": ["a", "b"], "negative": ["c"], "documents": ["a"]}
RANKED = {"query_id": "1", "query": "q", "positive": ["a"], "documents": ["a", "b"]}


def without(sample: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in sample.items() if key not in keys}]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("EmbeddingSimilarityEvaluator", (FIRST, SECOND[1:], SCORES)),
        ("EmbeddingSimilarityEvaluator", (FIRST, SECOND, SCORES[1:])),
        ("EmbeddingSimilarityEvaluator", (FIRST, SECOND, SCORES, 16, "angle")),
        ("BinaryClassificationEvaluator", (FIRST, SECOND[1:], [1] * 10)),
        ("BinaryClassificationEvaluator", (FIRST, SECOND, [1] * 9)),
        ("BinaryClassificationEvaluator", (FIRST, SECOND, [2] * 10)),
        ("TripletEvaluator", (FIRST, SECOND, THIRD[1:])),
        ("TripletEvaluator", (FIRST, SECOND[1:], THIRD)),
        ("TripletEvaluator", (FIRST, SECOND, THIRD, None, "wide")),
        ("TripletEvaluator", (FIRST, SECOND, THIRD, "angle")),
        ("TranslationEvaluator", (FIRST, SECOND[1:])),
        ("CrossEncoderClassificationEvaluator", ([["a", "b"]], [1, 0])),
        ("CrossEncoderRerankingEvaluator", (without(RERANKING, "query", "documents"),)),
        ("CrossEncoderRerankingEvaluator", (without(RERANKING, "positive", "documents"),)),
        ("CrossEncoderRerankingEvaluator", (without(RERANKING, "documents", "negative"),)),
        ("CrossEncoderRerankingEvaluator", (without(RERANKING),)),
        ("ReciprocalRankFusionEvaluator", ([RANKED], [RANKED, RANKED])),
        ("ReciprocalRankFusionEvaluator", (without(RANKED, "query_id"), [RANKED])),
        ("ReciprocalRankFusionEvaluator", ([RANKED], [{**RANKED, "query_id": "2"}])),
        ("NanoBEIREvaluator", ([],)),
        ("NanoBEIREvaluator", (["msmarco", "a set of one's own"],)),
        ("SparseNanoBEIREvaluator", (["a set of one's own"],)),
        ("MultiVectorNanoBEIREvaluator", (["a set of one's own"],)),
        ("MultiVectorTripletEvaluator", (FIRST, SECOND, THIRD[1:])),
        ("MultiVectorTripletEvaluator", (FIRST, SECOND, THIRD, "cosine")),
        ("MultiVectorTripletEvaluator", (FIRST, SECOND, THIRD, None, {"cosine": 1})),
        ("MultiVectorDistillationEvaluator", (FIRST, SECOND, SCORES[1:])),
        ("MultiVectorDistillationEvaluator", (FIRST, [[each, each] for each in SECOND], SCORES)),
        ("MultiVectorDistillationEvaluator", (FIRST, SECOND, [[score] for score in SCORES])),
        ("MultiVectorDistillationEvaluator", (FIRST[:2], [["a"], ["a", "b"]], [[1], [1]])),
        ("CrossEncoderNanoBEIREvaluator", ([],)),
        ("CrossEncoderNanoBEIREvaluator", (["a set of one's own"],)),
    ],
)
def test_refusals(name: str, arguments: Any) -> None:
    for library in (THEIRS, OURS):
        with pytest.raises((ValueError, AssertionError)):
            getattr(library, name)(*arguments)(library.model("cross"))
