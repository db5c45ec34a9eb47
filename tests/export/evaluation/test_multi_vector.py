"""Evaluators of multi-vector encoders are sentence-transformers', to the file."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st.multi_vector_encoder import evaluation
from edge_st_runtime.errors import OptionError
from tests.export.evaluation.evaluators import (
    OURS,
    SEEDS,
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
from tests.export.evaluation.test_nano_beir import SHARED, build, package
from tests.export.evaluation.test_retrieval import (
    CORPUS,
    FEW,
    GRADED,
    NAMED,
    PREDICTED,
    QUERIES,
    RELEVANT,
    reranking_samples,
)

FIRST, SECOND, THIRD = (texts(kind, 30) for kind in ("first", "second", "third"))
LABELS = [float(number * 7 % 11) / 2 for number in range(30)]
CANDIDATES = [[f"{first} {way}" for way in range(4)] for first in SECOND]
TEACHER = np.random.default_rng(0).standard_normal((30, 4)).tolist()
SIMILARITIES = ("maxsim", "meanmaxsim")
KIND = "multi-vector"
#: of sums over the tokens of a query
TOLERANCE = 5e-6
same = partial(assert_same, kind=KIND, tolerance=TOLERANCE)
__all__ = ["package"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@cases(
    predictions={**PREDICTED, **NAMED},
    chunks={"corpus_chunk_size": 7, **PREDICTED},
    small_chunks={"corpus_chunk_size": 11, "chunk_elements": 40, **NAMED},
    few_places=FEW,
    without_a_file={"write_csv": False},
    batches={"batch_size": 5},
)
def test_information_retrieval(options: dict[str, Any], similarity: str, seed: int, tmp_path: Path) -> None:
    retrieval = of("MultiVectorInformationRetrievalEvaluator", QUERIES, CORPUS, RELEVANT, **options)
    same(retrieval, tmp_path, similarity=similarity, seed=seed)


@cases(
    graded={"relevant_docs": GRADED},
    prompts={"query_prompt": "find: ", "corpus_prompt": "say: "},
    named_prompts={"query_prompt_name": "query", "corpus_prompt_name": "document"},
    main={"main_score_function": "maxsim"},
    skipped_texts={"queries": {**QUERIES, "q3": "skipped"}, "corpus": {**CORPUS, "d9": "skipped", "d0": "skipped"}},
)
def test_information_retrieval_options(options: dict[str, Any], tmp_path: Path) -> None:
    arguments = {"queries": QUERIES, "corpus": CORPUS, "relevant_docs": RELEVANT, **PREDICTED, **options}
    same(of("MultiVectorInformationRetrievalEvaluator", **arguments), tmp_path, similarity="maxsim")


def test_score_functions(tmp_path: Path) -> None:
    def retrieval(library: Library) -> Any:
        functions = {name: library.similarity(name, KIND) for name in SIMILARITIES}
        return library.MultiVectorInformationRetrievalEvaluator(QUERIES, CORPUS, RELEVANT, score_functions=functions)

    same(retrieval, tmp_path, similarity="maxsim")


@pytest.mark.parametrize("given", ["corpus_model", "corpus_embeddings"])
def test_the_corpus_by_other_means(given: str, tmp_path: Path) -> None:
    def run(library: Library, folder: Path) -> dict[str, Any]:
        evaluator = library.MultiVectorInformationRetrievalEvaluator(QUERIES, CORPUS, RELEVANT, corpus_chunk_size=7)
        model, other = (library.model(KIND, seed=seed, similarity="maxsim") for seed in (0, 5))
        embeddings = other.encode_document(list(CORPUS.values()))
        options = {"corpus_model": other} if given == "corpus_model" else {"corpus_embeddings": embeddings}
        return described(evaluator, [evaluator(model, str(folder), **options)], folder)

    assert differences(run(OURS, tmp_path / "ours"), run(THEIRS, tmp_path / "theirs")) == []


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "one by one"])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@cases(plain={}, few={"at_k": 3, **NAMED}, own={"similarity_fct": "meanmaxsim"}, without_a_file={"write_csv": False})
def test_reranking(options: dict[str, Any], similarity: str, batched: bool, tmp_path: Path) -> None:
    def reranking(library: Library) -> Any:
        name = options.get("similarity_fct")
        function = {"similarity_fct": library.similarity(name, KIND)} if name else {}
        samples = reranking_samples(1)
        return library.MultiVectorRerankingEvaluator(samples, use_batched_encoding=batched, **{**options, **function})

    same(reranking, tmp_path, similarity=similarity)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@cases(
    plain={},
    name=NAMED,
    both={"similarity_fn_names": list(SIMILARITIES)},
    margin={"margin": 0.5, **NAMED},
    margins={"margin": {"meanmaxsim": 0.2}, "similarity_fn_names": list(SIMILARITIES)},
    main={"main_similarity_function": "meanmaxsim"},
    batches={"batch_size": 5, "write_csv": False},
)
def test_triplet(options: dict[str, Any], similarity: str, seed: int, tmp_path: Path) -> None:
    same(of("MultiVectorTripletEvaluator", FIRST, SECOND, THIRD, **options), tmp_path, similarity=similarity, seed=seed)


def test_from_input_examples(tmp_path: Path) -> None:
    examples = [example(0, *of_each) for of_each in zip(FIRST, SECOND, THIRD, strict=True)]
    same(
        lambda library: library.MultiVectorTripletEvaluator.from_input_examples(examples, **NAMED),
        tmp_path,
        similarity="maxsim",
    )


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize(
    ("documents", "scores"), [(CANDIDATES, TEACHER), (SECOND, LABELS)], ids=["candidates", "pairs"]
)
@cases(
    plain={},
    name={**NAMED, "batch_size": 5},
    temperature={"temperature": 0.25},
    temperatures={"temperature": 2.0, "student_temperature": 0.5, "teacher_temperature": 4},
    without_a_file={"write_csv": False},
)
def test_distillation(options: dict[str, Any], documents: Any, scores: Any, similarity: str, tmp_path: Path) -> None:
    same(of("MultiVectorDistillationEvaluator", FIRST, documents, scores, **options), tmp_path, similarity=similarity)


@pytest.mark.parametrize("bound", [{}, {"length_normalize": True}], ids=["plain", "bound"])
def test_distillation_by_another_similarity(bound: dict[str, Any], tmp_path: Path) -> None:
    def distillation(library: Library) -> Any:
        function = library.SimilarityFunction.to_similarity_pairwise_fn("maxsim")
        own = partial(function, **bound) if bound else function
        return library.MultiVectorDistillationEvaluator(FIRST, CANDIDATES, TEACHER, similarity_fct=own)

    same(distillation, tmp_path, similarity="maxsim")


def test_constant_scores_have_no_correlation(tmp_path: Path) -> None:
    teacher = [[1.0] * 4, *TEACHER[1:]]
    same(of("MultiVectorDistillationEvaluator", FIRST, CANDIDATES, teacher), tmp_path, similarity="maxsim")
    metrics = same(of("MultiVectorDistillationEvaluator", FIRST, SECOND, [2.0] * 30), tmp_path, similarity="maxsim")
    assert metrics["spearman"] == 0


@cases(**SHARED, chunks={"corpus_chunk_size": 9, "chunk_elements": 100}, predictions={"write_predictions": True})
def test_nano_beir(options: dict[str, Any], tmp_path: Path) -> None:
    same(partial(build, name="MultiVectorNanoBEIREvaluator", **options), tmp_path, similarity="maxsim")


NAMES = [name for name in evaluation.__all__ if "Distillation" not in name and "Reranking" not in name]
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "MultiVectorInformationRetrievalEvaluator": (QUERIES, CORPUS, RELEVANT),
    "MultiVectorNanoBEIREvaluator": (["msmarco"],),
    "MultiVectorTripletEvaluator": (FIRST, SECOND, THIRD),
}


@pytest.mark.parametrize("name", NAMES)
def test_token_vectors_are_not_truncated(name: str) -> None:
    for library in (OURS, THEIRS):
        with pytest.raises(ValueError, match="truncate"):
            getattr(library, name)(*ARGUMENTS[name], truncate_dim=4)


def test_a_budget_beside_score_functions() -> None:
    for library in (OURS, THEIRS):
        functions = {"maxsim": library.similarity("maxsim", KIND)}
        with pytest.raises(ValueError, match="chunk_elements"):
            library.MultiVectorInformationRetrievalEvaluator(
                QUERIES, CORPUS, RELEVANT, chunk_elements=9, score_functions=functions
            )


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_model_of_another_kind(kind: str) -> None:
    evaluator = OURS.MultiVectorTripletEvaluator(FIRST, SECOND, THIRD)
    with pytest.raises(OptionError, match=f"takes a model of multi-vector embeddings; .* embeddings are {kind}"):
        evaluator(OURS.model(kind))
    with pytest.raises(OptionError, match=r"takes a model of dense embeddings; .* embeddings are multi-vector"):
        OURS.TripletEvaluator(FIRST, SECOND, THIRD)(OURS.model(KIND, similarity="maxsim"))


@pytest.mark.parametrize(
    ("option", "prompt", "warned"),
    [("query_prompt", "find: ", True), ("query_prompt", "ask: and find: ", False), ("corpus_prompt", "say: ", False)],
)
def test_prompts_in_place_of_the_models_own(
    option: str, prompt: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    evaluator = OURS.MultiVectorInformationRetrievalEvaluator(QUERIES, CORPUS, RELEVANT, **{option: prompt})
    evaluator(OURS.model(KIND, similarity="maxsim"))
    told = [record.message.partition(";")[0] for record in caplog.records if "takes the place" in record.message]
    assert told == ["query_prompt takes the place of the model's own prompt 'ask: ' for 'query'"] * warned
