"""Models with several routes: what a task, a limit, a saved copy and a worker process make of them."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st import SentenceTransformer
from edge_st_runtime.errors import InputError, OptionError, UnsupportedModelError
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_models import LIMIT, TinyModel, dense, write_json, write_static
from tests.support.tiny_tokenizers import wordpiece

PACKAGE = "sentence_transformers.models"
TEXTS = ["the quick brown fox", "", "seven small boats sail across the cold northern sea " * 5]
ROWS = np.random.default_rng(5).standard_normal((wordpiece().get_vocab_size(), HIDDEN)).astype(np.float32)
DENSE = np.random.default_rng(6).standard_normal((5, HIDDEN)).astype(np.float32)


def write_router(folder: Path, routes: dict[str, list[str]], **parameters: Any) -> None:
    names = {f"{route}_{i}_{kind}": kind for route, kinds in routes.items() for i, kind in enumerate(kinds)}
    structure = {route: [name for name in names if name.startswith(f"{route}_")] for route in routes}
    types = {name: f"{PACKAGE}.{kind}" for name, kind in names.items()}
    write_json(folder / "router_config.json", {"types": types, "structure": structure, "parameters": parameters})


def write_modules(folder: Path, *kinds: str) -> None:
    paths = ["", *(f"{place}_{kind}" for place, kind in enumerate(kinds[1:], 1))]
    entries = [{"path": path, "type": f"{PACKAGE}.{kind}"} for path, kind in zip(paths, kinds, strict=True)]
    write_json(folder / "modules.json", entries)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Token vectors for queries, a transformer for documents, and a Normalize after both."""
    folder = tmp_path_factory.mktemp("routed")
    write_router(
        folder, {"query": ["StaticEmbedding"], "document": ["Transformer", "Pooling"]}, default_route="document"
    )
    write_modules(folder, "Router", "Normalize")
    write_static(folder / "query_0_StaticEmbedding", wordpiece(), {"embedding.weight": ROWS})
    TinyModel().save(folder / "document_0_Transformer")
    write_json(folder / "document_1_Pooling" / "config.json", {"pooling_mode": "mean"})
    return folder


@pytest.fixture(scope="module")
def routed(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(folder, backend="onnx")


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def queries() -> NDArray[Any]:
    ids = [wordpiece().encode(text, add_special_tokens=False).ids for text in TEXTS]
    return unit(np.stack([ROWS[own].mean(axis=0) if own else np.zeros(HIDDEN) for own in ids]))


def documents() -> NDArray[Any]:
    return unit(TinyModel().means(TEXTS))


def test_each_task_takes_its_route(routed: SentenceTransformer) -> None:
    assert routed.tasks == routed.info()["tasks"] == [None, "query", "document"]
    for found in (routed.encode_query(TEXTS), routed.encode(TEXTS, task="query")):
        np.testing.assert_allclose(found, queries(), atol=1e-5)
    for found in (routed.encode_document(TEXTS), routed.encode(TEXTS, task="document"), routed.encode(TEXTS)):
        np.testing.assert_allclose(found, documents(), atol=1e-5)
    assert routed.count_tokens("the fox", task="query") == 2
    assert routed.count_tokens("the fox") == 4
    assert routed.preprocess(["the fox"], task="query")["input_ids"].shape == (1, 2)


def test_the_task_may_stand_beside_each_text(routed: SentenceTransformer) -> None:
    np.testing.assert_allclose(routed.encode([{"query": text} for text in TEXTS]), queries(), atol=1e-5)
    np.testing.assert_allclose(routed.encode({"query": TEXTS[0]}), queries()[0], atol=1e-5)
    np.testing.assert_allclose(routed.encode([{"text": text} for text in TEXTS]), documents(), atol=1e-5)
    for mixed in ([{"query": "a"}, {"document": "b"}], [{"query": "a"}, "b"], [{"query": "a", "document": "b"}], [{}]):
        with pytest.raises(InputError, match="expected one for all"):
            routed.encode(mixed)


def test_token_embeddings_are_the_routes_own(routed: SentenceTransformer) -> None:
    assert len(routed.encode("the fox", output_value="token_embeddings")) == 4
    with pytest.raises(OptionError, match="sentence embeddings only"):
        routed.encode("the fox", output_value="token_embeddings", task="query")


@pytest.mark.parametrize("task", ["corpus", 3])
def test_tasks_that_are_not_there(task: Any, routed: SentenceTransformer) -> None:
    with pytest.raises(OptionError, match=f"task is {task!r}"):
        routed.encode("x", task=task)


def test_a_task_means_nothing_without_a_router(model: SentenceTransformer, caplog: pytest.LogCaptureFixture) -> None:
    assert model.tasks == [None]
    model.encode(TEXTS, task="query")
    assert not caplog.messages
    np.testing.assert_array_equal(model.encode(TEXTS, task="anything"), model.encode(TEXTS))
    assert caplog.messages == ["task 'anything' has no effect: this model has no routes"]


def test_the_limit_is_that_of_all_routes(folder: Path, tmp_path: Path) -> None:
    model = SentenceTransformer(folder, backend="onnx")
    assert model.max_seq_length == math.inf
    before = model.fingerprint
    model.max_seq_length = 6
    assert (model.max_seq_length, model.fingerprint == before) == (6, False)
    assert len(model.encode(TEXTS[2], output_value="token_embeddings")) == 6
    cut = wordpiece().encode(TEXTS[2], add_special_tokens=False).ids[:6]
    np.testing.assert_allclose(model.encode_query(TEXTS[2]), unit(ROWS[cut].mean(axis=0)[None])[0], atol=1e-5)
    model.save_pretrained(tmp_path / "copy")
    copy = SentenceTransformer(tmp_path / "copy", backend="onnx")
    assert (copy.max_seq_length, copy.fingerprint) == (6, model.fingerprint)
    assert SentenceTransformer(folder, backend="onnx").fingerprint == before


def test_copies_keep_the_routes(routed: SentenceTransformer) -> None:
    copy = pickle.loads(pickle.dumps(routed))
    np.testing.assert_array_equal(copy.encode_query(TEXTS), routed.encode_query(TEXTS))


def test_worker_processes_take_the_route(routed: SentenceTransformer) -> None:
    pool = routed.start_multi_process_pool(["cpu"])
    try:
        np.testing.assert_allclose(routed.encode_query(TEXTS, pool=pool), queries(), atol=1e-5)
    finally:
        routed.stop_multi_process_pool(pool)


def test_routes_that_need_different_graphs_of_one_transformer(tmp_path: Path) -> None:
    folder = TinyModel(config={"model_type": "bert", "output_hidden_states": True}).save(tmp_path)
    write_modules(folder, "Transformer", "Router")
    write_router(folder / "1_Router", {"query": ["Pooling"], "document": ["WeightedLayerPooling", "Pooling"]})
    for route in ("query_0_Pooling", "document_1_Pooling"):
        write_json(folder / "1_Router" / route / "config.json", {"pooling_mode": "mean"})
    with pytest.raises(UnsupportedModelError, match="have different modules that a graph computes"):
        SentenceTransformer(folder, backend="onnx")


def test_a_router_with_an_empty_route(tmp_path: Path) -> None:
    write_modules(tmp_path, "Router")
    write_router(tmp_path, {"query": [], "document": ["StaticEmbedding"]})
    with pytest.raises(UnsupportedModelError, match="route 'query' has no modules"):
        SentenceTransformer(tmp_path)


def test_a_router_after_the_pooling(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    write_modules(folder, "Transformer", "Pooling", "Asym")
    write_router(folder / "2_Asym", {"query": ["Dense"], "doc": ["Dropout"]}, allow_empty_key=False)
    kind, config, tensors = dense(DENSE)
    TinyModel(modules=[(kind, config, tensors)]).save(tmp_path / "other")
    (tmp_path / "other" / "1_Dense").rename(folder / "2_Asym" / "query_0_Dense")
    model = SentenceTransformer(folder, backend="onnx")
    means = TinyModel().means(TEXTS)
    assert model.max_seq_length == LIMIT
    np.testing.assert_allclose(model.encode_query(TEXTS), means @ DENSE.T, atol=1e-5)
    np.testing.assert_allclose(model.encode(TEXTS, task="doc"), means, atol=1e-5)
    with pytest.raises(OptionError, match="task is None; this model has the tasks 'query', 'doc'"):
        model.encode(TEXTS)
