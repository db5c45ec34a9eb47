"""Our models in mteb: its scores of them are its scores of the originals."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pytest
from huggingface_hub import constants
from mteb.abstasks import AbsTask
from mteb.models import CrossEncoderProtocol, EncoderProtocol, SearchProtocol
from mteb.results import TaskResult
from sentence_transformers import CrossEncoder as PeerCrossEncoder
from sentence_transformers import MultiVectorEncoder as PeerMultiVectorEncoder
from sentence_transformers import SentenceTransformer as Peer
from sentence_transformers import SparseEncoder as PeerSparseEncoder
from tokenizers import Tokenizer

from edge_st import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder
from edge_st.evaluation import (
    BinaryClassificationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
)
from edge_st.integrations.mteb import EncoderWrapper, as_mteb_model
from edge_st_export import ExportReport, export_model
from edge_st_runtime.errors import OptionError, PackageMissingError
from tests.export.evaluation.mteb_tasks import (
    LocalPairClassification,
    LocalReranking,
    LocalRetrieval,
    LocalSTS,
    LocalUngraded,
)
from tests.export.originals import bert
from tests.export.zoo.cross_encoders import classifier
from tests.export.zoo.multi_vector import late
from tests.export.zoo.sparse import splade
from tests.support.tiny_pair_models import TinyCrossEncoder, TinySparseEncoder

RETRIEVAL_TASKS = (LocalRetrieval, LocalReranking)
ENCODER_TASKS = (LocalRetrieval, LocalReranking, LocalSTS, LocalPairClassification)
MARGIN = 1e-5


@pytest.fixture(autouse=True)
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def scores(model: Any, task: AbsTask, **options: Any) -> dict[str, float]:
    """Every number that mteb gives ``model`` in ``task``."""
    options = {"cache": None, "co2_tracker": False, "show_progress_bar": False, **options}
    found = mteb.evaluate(model, task, **options).task_results[0].scores["test"][0]
    return {name: value for name, value in found.items() if isinstance(value, float)}


def assert_same(found: dict[str, float], wanted: dict[str, float]) -> None:
    assert len(wanted) > 8
    assert found == pytest.approx(wanted, abs=MARGIN, nan_ok=True)


@pytest.fixture(scope="module")
def model(real_report: ExportReport) -> SentenceTransformer:
    return SentenceTransformer(real_report.path, dtype="float32")


@pytest.fixture(scope="module")
def english(real_folder: Path) -> dict[str, Any]:
    """Options of a small random transformer with the real model's vocabulary, so that each run ranks alike."""
    tokenizer = Tokenizer.from_file(str(real_folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    config = bert()
    config.vocab_size = tokenizer.get_vocab_size()
    return {"config": config, "tokenizer": lambda: tokenizer}


@pytest.fixture(scope="module")
def sparse_folders(english: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A random SPLADE model with a prompt for queries, and its export."""
    folder = tmp_path_factory.mktemp("sparse")
    original = splade(prompts={"query": "the quick search: ", "document": ""}, **english)(folder)
    return original, export_model(original, folder / "exported", quiet=True).path


@pytest.fixture(scope="module")
def multi_vector_folders(english: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A random late-interaction model with a prompt for queries and an expansion of them, and its export."""
    folder = tmp_path_factory.mktemp("multi-vector")
    prompts = {"query": "the quick search: ", "document": ""}
    expansion = {"strategy": "fixed", "length": 16, "token": "[MASK]", "attend": False}
    build = late(prompts=prompts, expansion=expansion, mask={"skiplist_words": [".", ","]}, **english)
    original = build(folder / "original")
    return original, export_model(original, folder / "exported", quiet=True).path


@pytest.fixture(scope="module")
def pair_folders(english: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A random cross-encoder, and its export."""
    folder = tmp_path_factory.mktemp("pairs")
    original = classifier(**english)(folder)
    return original, export_model(original, folder / "exported", quiet=True).path


@pytest.mark.parametrize("task", ENCODER_TASKS)
def test_dense(task: Callable[[], AbsTask], model: SentenceTransformer, real: Peer) -> None:
    found = scores(as_mteb_model(model), task())
    assert_same(found, scores(real, task()))
    assert 0.3 < found["main_score"] < 0.99


@pytest.mark.parametrize("task", ENCODER_TASKS)
def test_sparse(task: Callable[[], AbsTask], sparse_folders: tuple[Path, Path]) -> None:
    original, exported = sparse_folders
    found = scores(as_mteb_model(SparseEncoder(exported, dtype="float32")), task())
    assert_same(found, scores(PeerSparseEncoder(str(original), device="cpu"), task()))


@pytest.mark.parametrize("similarity", ["maxsim", "meanmaxsim"])
@pytest.mark.parametrize("task", RETRIEVAL_TASKS)
def test_multi_vector(task: Callable[[], AbsTask], similarity: str, multi_vector_folders: tuple[Path, Path]) -> None:
    original, exported = multi_vector_folders
    model = MultiVectorEncoder(exported, dtype="float32", similarity_fn_name=similarity)
    peer = PeerMultiVectorEncoder(str(original), device="cpu", similarity_fn_name=similarity)
    found = scores(as_mteb_model(model), task())
    assert_same(found, scores(peer, task()))
    assert 0.1 < found["main_score"] < 0.99


def test_a_multi_vector_model_runs_on_retrieval_only(multi_vector_folders: tuple[Path, Path]) -> None:
    wrapped: Any = as_mteb_model(MultiVectorEncoder(multi_vector_folders[1]), name="we/late")
    assert isinstance(wrapped, SearchProtocol)
    assert not isinstance(wrapped, EncoderProtocol)
    meta = wrapped.mteb_model_meta
    assert (meta.model_type, meta.similarity_fn_name.value) == (["late-interaction"], "MaxSim")
    assert meta.experiment_kwargs["similarity"] == "maxsim"
    vectors = [np.ones((2, 3), dtype=np.float32), np.zeros((1, 3), dtype=np.float32)]
    assert wrapped.similarity_pairwise(vectors, vectors).tolist() == [6.0, 0.0]


def test_a_multi_vector_model_needs_a_newer_mteb(
    multi_vector_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_st.integrations.mteb._TokenSearch", None)
    with pytest.raises(PackageMissingError, match="pip install -U mteb"):
        as_mteb_model(MultiVectorEncoder(multi_vector_folders[1]))


def test_reranking_by_a_cross_encoder(pair_folders: tuple[Path, Path]) -> None:
    original, exported = pair_folders
    found = scores(as_mteb_model(CrossEncoder(exported, dtype="float32")), LocalReranking())
    assert_same(found, scores(PeerCrossEncoder(str(original), device="cpu"), LocalReranking()))


def test_two_stages(model: SentenceTransformer, real: Peer, pair_folders: tuple[Path, Path], tmp_path: Path) -> None:
    original, exported = pair_folders

    def both(first: Any, second: Any, folder: Path) -> dict[str, float]:
        scores(first, LocalRetrieval(), prediction_folder=folder)
        return scores(second, LocalRetrieval().convert_to_reranking(folder, top_k=7))

    cross_encoder = as_mteb_model(CrossEncoder(exported, dtype="float32"))
    found = both(as_mteb_model(model), cross_encoder, tmp_path / "ours")
    assert_same(found, both(real, PeerCrossEncoder(str(original), device="cpu"), tmp_path / "theirs"))


@pytest.mark.parametrize("task", [LocalRetrieval, LocalSTS])
@pytest.mark.parametrize(
    "prompts",
    [
        {"query": "a question, please: ", "document": "an answer that somebody gave: "},
        {"Retrieval-query": "search the web: ", "Retrieval": "the web says: ", "STS": "compare: ", "query": "never: "},
    ],
    ids=["sides", "tasks"],
)
def test_prompts(
    prompts: dict[str, str], task: Callable[[], AbsTask], real_report: ExportReport, real_folder: Path, real: Peer
) -> None:
    ours = SentenceTransformer(real_report.path, dtype="float32", prompts=prompts)
    found = scores(as_mteb_model(ours), task())
    assert_same(found, scores(Peer(str(real_folder), device="cpu", prompts=prompts), task()))
    takes_effect = "STS" in prompts or task is LocalRetrieval
    assert (found == pytest.approx(scores(real, task()), abs=MARGIN)) != takes_effect


def test_prompts_that_mteb_has_no_use_for(small_report: ExportReport) -> None:
    ours = SentenceTransformer(small_report.path, prompts={"query": "q: ", "s2p": "s: "})
    with pytest.warns(UserWarning, match="s2p is not valid"):
        assert EncoderWrapper(ours).model_prompts == {"query": "q: ", "document": ""}


def test_retrieval_is_scored_as_by_the_evaluator(model: SentenceTransformer) -> None:
    task = LocalUngraded()
    found = scores(as_mteb_model(model), task)
    task.load_data()
    data = task.dataset["default"]["test"]
    queries, corpus = (dict(zip(data[name]["id"], data[name]["text"], strict=True)) for name in ("queries", "corpus"))
    relevant = {query: set(of) for query, of in data["relevant_docs"].items()}
    wanted = model.evaluate(InformationRetrievalEvaluator(queries, corpus, relevant))
    measures = ("ndcg@10", "map@100", "recall@5", "precision@3", "mrr@10")
    assert [found[name.replace("@", "_at_")] for name in measures] == pytest.approx(
        [wanted[f"cosine_{name}"] for name in measures], abs=MARGIN
    )


def test_pairs_are_scored_as_by_the_evaluators(model: SentenceTransformer) -> None:
    sts, pairs = LocalSTS(), LocalPairClassification()
    found = {**scores(as_mteb_model(model), pairs), **scores(as_mteb_model(model), sts)}
    sts.load_data()
    pairs.load_data()
    rows = sts.dataset["test"]
    wanted = model.evaluate(EmbeddingSimilarityEvaluator(rows["sentence1"], rows["sentence2"], rows["score"]))
    assert found["cosine_spearman"] == pytest.approx(wanted["spearman_cosine"], abs=MARGIN)
    assert found["cosine_pearson"] == pytest.approx(wanted["pearson_cosine"], abs=MARGIN)
    rows = pairs.dataset["test"]
    evaluator = BinaryClassificationEvaluator(list(rows["sentence1"]), list(rows["sentence2"]), list(rows["labels"]))
    wanted = model.evaluate(evaluator)
    for name in ("ap", "f1", "accuracy"):
        assert found[f"cosine_{name}"] == pytest.approx(wanted[f"cosine_{name}"], abs=MARGIN)


def test_every_kind_of_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTEB_CACHE", str(tmp_path))
    model = SparseEncoder(TinySparseEncoder().save(tmp_path / "model"))
    found = mteb.mock_run(as_mteb_model(model)).task_results
    ran = {name: result for name, result in found.items() if result is not None}
    assert len(ran) >= 20
    assert [name for name, result in ran.items() if not isinstance(result, TaskResult)] == []


def test_what_mteb_is_told(small_report: ExportReport, pair_folders: tuple[Path, Path]) -> None:
    model = SentenceTransformer(small_report.path, backend="onnx", dtype="float32", truncate_dim=16)
    wrapped = as_mteb_model(model)
    assert isinstance(wrapped, EncoderProtocol)
    meta = wrapped.mteb_model_meta
    assert (meta.name, meta.revision) == (f"local/{small_report.path.name}", model.fingerprint)
    assert (meta.embed_dim, meta.max_tokens, meta.similarity_fn_name.value) == (16, 48, "cosine")
    assert (meta.framework, meta.model_type, meta.modalities) == (["ONNX"], ["dense"], ["text"])
    assert meta.experiment_kwargs == {"engine": "onnx", "dtype": "float32", "dimension": 16, "similarity": "cosine"}
    pairs = as_mteb_model(CrossEncoder(pair_folders[1]), name="we/rerank")
    assert isinstance(pairs, CrossEncoderProtocol)
    assert (pairs.mteb_model_meta.name, pairs.mteb_model_meta.model_type) == ("we/rerank", ["cross-encoder"])


def test_the_name_on_the_hub(small_report: ExportReport, tmp_path: Path) -> None:
    folder = tmp_path / "models--acme--mini--l6" / "snapshots" / "0123"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(small_report.path, target_is_directory=True)
    assert as_mteb_model(SentenceTransformer(folder)).mteb_model_meta.name == "acme/mini--l6"


def test_a_cached_result_is_that_of_the_same_model(model: SentenceTransformer, tmp_path: Path) -> None:
    cache, wrapped = mteb.ResultCache(tmp_path), as_mteb_model(model)
    whole = scores(wrapped, LocalSTS(), cache=cache)
    with model.truncate_embeddings(24):
        cut = scores(wrapped, LocalSTS(), cache=cache)
    assert cut != whole
    assert scores(wrapped, LocalSTS(), cache=cache, overwrite_strategy="only-cache") == pytest.approx(whole, abs=MARGIN)


@pytest.mark.parametrize("wrong", ["all-MiniLM-L6-v2", Path("folder"), None, SentenceTransformer])
def test_what_is_no_model(wrong: Any) -> None:
    with pytest.raises(OptionError, match=r"as_mteb_model got .*; expected a loaded SentenceTransformer"):
        as_mteb_model(wrong)


def test_an_original(real: Peer) -> None:
    with pytest.raises(OptionError, match=r"got a sentence_transformers\..*SentenceTransformer;.* as they are"):
        as_mteb_model(real)


def test_a_name_without_an_owner(model: SentenceTransformer) -> None:
    with pytest.raises(OptionError, match="name is 'mini'; expected 'owner/name'"):
        as_mteb_model(model, name="mini")


def test_a_classifier_of_several_labels(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="this model gives 3"):
        as_mteb_model(CrossEncoder(TinyCrossEncoder(labels=3).save(tmp_path)))


def test_without_mteb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    monkeypatch.setitem(sys.modules, "mteb.models", None)
    monkeypatch.delitem(sys.modules, "edge_st.integrations.mteb")
    with pytest.raises(PackageMissingError, match=r'pip install "edge-st\[mteb\]"'):
        import_module("edge_st.integrations.mteb")
