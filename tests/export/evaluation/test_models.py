"""``model.evaluate`` of small models in PyTorch and of their exports, one of each kind."""

from pathlib import Path
from typing import Any

import pytest

from edge_st.models.classes import open_model
from edge_st_export.original.loading import find_source, load_original
from edge_st_export.original.texts import ORDINARY
from tests.export.evaluation.evaluators import OURS, THEIRS, Library, described, differences
from tests.export.zoo.examining import Zoo

#: what float32's rounding may make of similarities and scores
ROUNDING = 1e-4
TEXTS = list(dict.fromkeys(ORDINARY))
HALF = len(TEXTS) // 2
FIRST, SECOND = TEXTS[:HALF], TEXTS[HALF : 2 * HALF]
GRADES = [float(number * 7 % 11) for number in range(HALF)]
LABELS = [int(number * 5 % 7 < 3) for number in range(HALF)]
PAIRS = [list(pair) for pair in zip(FIRST, SECOND, strict=True)]
QUERIES = {f"q{number}": text for number, text in enumerate(FIRST)}
CORPUS = {f"d{number}": text for number, text in enumerate(SECOND)}
RELEVANT = {f"q{number}": {f"d{number}", f"d{number // 2}"} for number in range(HALF)}
SAMPLES = [{"query": text, "positive": SECOND[:2], "negative": SECOND[2:10]} for text in FIRST[:6]]


def of_embeddings(library: Library, prefix: str = "") -> list[Any]:
    names = {"similarity_fn_names": ["cosine", "dot", "euclidean", "manhattan"]}
    arguments = {
        "EmbeddingSimilarity": ((FIRST, SECOND, GRADES), names),
        "BinaryClassification": ((FIRST, SECOND, LABELS), names),
        "Triplet": ((FIRST, SECOND, SECOND[::-1]), names),
        "InformationRetrieval": ((QUERIES, CORPUS, RELEVANT), {}),
        "Reranking": ((SAMPLES,), {}),
        "Translation": ((FIRST, SECOND), {}),
    }
    return [getattr(library, f"{prefix}{name}Evaluator")(*given, **of) for name, (given, of) in arguments.items()]


def of_sparse_embeddings(library: Library) -> list[Any]:
    return of_embeddings(library, "Sparse")


def of_token_vectors(library: Library) -> list[Any]:
    both = ["maxsim", "meanmaxsim"]
    candidates = [[SECOND[place], SECOND[place - 1], SECOND[place - 2]] for place in range(HALF)]
    teacher = [[float((place * way) % 7) for way in (3, 5, 4)] for place in range(HALF)]
    return [
        library.MultiVectorInformationRetrievalEvaluator(
            QUERIES, CORPUS, RELEVANT, corpus_chunk_size=5, write_predictions=True
        ),
        library.MultiVectorRerankingEvaluator(SAMPLES),
        library.MultiVectorTripletEvaluator(FIRST, SECOND, SECOND[::-1], similarity_fn_names=both),
        library.MultiVectorDistillationEvaluator(FIRST, candidates, teacher),
    ]


def of_scores(library: Library) -> list[Any]:
    return [
        library.CrossEncoderRerankingEvaluator(SAMPLES),
        library.CrossEncoderClassificationEvaluator(PAIRS, LABELS),
        library.CrossEncoderCorrelationEvaluator(PAIRS, GRADES),
    ]


def of_classes(library: Library) -> list[Any]:
    return [library.CrossEncoderClassificationEvaluator(PAIRS, [number % 3 for number in range(HALF)])]


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        pytest.param("bert", of_embeddings, id="embeddings"),
        pytest.param("splade-bert", of_sparse_embeddings, id="sparse embeddings"),
        pytest.param("late-fixed", of_token_vectors, id="token vectors"),
        pytest.param("late-mean", of_token_vectors, id="token vectors, meanmaxsim"),
        pytest.param("classifier-bert", of_scores, id="scores"),
        pytest.param("classifier-plain", of_classes, id="classes"),
    ],
)
def test_evaluate(case: str, parts: Any, zoo: Zoo, tmp_path: Path) -> None:
    theirs = load_original(find_source(zoo.original(case), None, None, None), trust_remote_code=False)
    ours = open_model(zoo.exported(case).path, backend="onnx", dtype="float32")
    found, wanted = (
        outcome(parts(library), library, model, tmp_path / name)
        for library, model, name in ((OURS, ours, "ours"), (THEIRS, theirs, "theirs"))
    )
    assert differences(found, wanted, ROUNDING) == []


def outcome(parts: list[Any], library: Library, model: Any, folder: Path) -> dict[str, Any]:
    sequence = library.SequentialEvaluator(parts)
    answers = [model.evaluate(sequence, str(folder)), model.evaluate(sequence)]
    kept = list(model.model_card_data.eval_results_dict.values())
    return {**described(sequence, answers, folder), "kept": kept}
