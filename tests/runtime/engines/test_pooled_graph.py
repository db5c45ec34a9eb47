"""Pooling within the graph gives what NumPy gives; only its vectors leave the engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines import ort_sessions
from edge_st_runtime.engines.backend import EngineOptions, Pooled, open_backend
from edge_st_runtime.engines.ort import OrtBackend
from edge_st_runtime.engines.ort_sessions import open_session
from edge_st_runtime.engines.pooled_graph import with_pooling
from edge_st_runtime.engines.signature import POOLED
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.modules.pooling import POOLING
from edge_st_runtime.modules.specs import Pooling
from edge_st_runtime.vectors.dense import normalize
from tests.support.tiny_graphs import HIDDEN, TinyGraph, store_outside
from tests.support.tiny_models import MEAN, NORMALIZE, TinyModel
from tests.support.tiny_tokenizers import random_texts

pytest.importorskip("onnxruntime")
SEVERAL = ("max", "cls", "mean")


def batch(*, pad_left: bool = False) -> TokenBatch:
    """Texts of 9 to 1 tokens, padded to 9."""
    draw, lengths = np.random.default_rng(3), np.array([9, 4, 1, 7])
    places = np.arange(9)
    mask = (places >= 9 - lengths[:, None] if pad_left else places < lengths[:, None]).astype(np.int64)
    return TokenBatch(draw.integers(5, 500, (4, 9)) * mask, mask)


def opened(path: Path, modes: Sequence[str], *, normalizes: bool = False) -> OrtBackend:
    options = EngineOptions(num_threads=1, pooled=Pooled(tuple(modes), normalizes))
    backend = open_backend("onnx", TinyGraph().save(path), options)
    assert isinstance(backend, OrtBackend)
    return backend


@pytest.mark.parametrize("pad_left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("prompt_length", [None, 3])
@pytest.mark.parametrize("modes", [*((mode,) for mode in POOLING), SEVERAL], ids=" and ".join)
def test_as_in_numpy(modes: tuple[str, ...], prompt_length: int | None, pad_left: bool, tmp_path: Path) -> None:
    backend, given = opened(tmp_path / "model.onnx", modes), batch(pad_left=pad_left)
    pooling = Pooling(modes, include_prompt=prompt_length is None)
    features = {**given.features(), **({} if prompt_length is None else {"prompt_length": prompt_length})}
    expected = pooling({**features, "token_embeddings": backend.run(given)})["sentence_embedding"]
    found = backend.run_pooled(given, pooling.shares(features))
    assert found.shape == (4, HIDDEN * len(modes))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_with_the_operators_of_any_opset(opset: int, tmp_path: Path) -> None:
    path = TinyGraph().save(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.opset_import[0].version = opset
    for node in model.graph.node:
        del node.attribute[len(node.attribute) if node.op_type != "Shape" else 0 :]
    onnx.save(model, path)
    options = EngineOptions(num_threads=1, pooled=Pooled(("max", "mean"), normalize=True))
    backend, given, pooling = open_backend("onnx", path, options), batch(), Pooling(("max", "mean"))
    expected = pooling({**given.features(), "token_embeddings": backend.run(given)})["sentence_embedding"]
    found = backend.run_pooled(given, pooling.shares(given.features()))
    np.testing.assert_allclose(found, normalize(expected), atol=1e-6)


def test_vectors_of_zeros_stay_zeros(tmp_path: Path) -> None:
    backend, given = opened(tmp_path / "model.onnx", ["mean"], normalizes=True), batch()
    found = backend.run_pooled(given, {"mean": np.zeros((4, 9), dtype=np.float32)})
    np.testing.assert_array_equal(found, np.zeros((4, HIDDEN)))


def test_weights_beside_the_graph(tmp_path: Path) -> None:
    path = TinyGraph().save(tmp_path / "model.onnx")
    store_outside(path, "model.onnx_data")
    options = EngineOptions(num_threads=1, pooled=Pooled(("mean",), normalize=False))
    backend, given = open_backend("onnx", path, options), batch()
    found = backend.run_pooled(given, Pooling(("mean",)).shares(given.features()))
    expected = Pooling(("mean",))({**given.features(), "token_embeddings": backend.run(given)})["sentence_embedding"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_graph_that_pools_already_is_left_as_it_is(tmp_path: Path) -> None:
    path = TinyGraph(outputs={"sentence_embedding": "mean"}).save(tmp_path / "model.onnx")
    assert with_pooling(path.read_bytes(), Pooled(("mean",), normalize=True)) is None
    options = EngineOptions(num_threads=1, pooled=Pooled(("mean",), normalize=True))
    assert open_backend("onnx", path, options).pooled is None


def test_bound_to_the_memory_of_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort_sessions, "_place", lambda _: ("cpu", 0))
    path, given = TinyGraph().save(tmp_path / "model.onnx"), batch()
    feeds = {**given.features(), "token_type_ids": np.zeros_like(given.input_ids)}
    session = open_session(path, EngineOptions(num_threads=1))
    (expected,) = session.run(["last_hidden_state"], feeds)
    bound = ort_sessions.Session(session.session, session.idle, ("cpu", 0))
    everywhere = {**feeds, "attention_mask": np.broadcast_to(np.int64(1), given.shape)}  # without memory of its own
    np.testing.assert_array_equal(bound.run(["last_hidden_state"], feeds)[0], expected)
    assert bound.run(["last_hidden_state"], everywhere)[0].shape == expected.shape


@pytest.fixture
def beside_the_cpu(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The CPU counts as another device; returns the outputs that the engine is asked for."""
    asked: list[Any] = []
    run = ort_sessions.Session.run
    monkeypatch.setattr(LoadOptions, "on_cpu", property(lambda _: False))

    def noted(self: ort_sessions.Session, outputs: list[str], feeds: dict[str, Any], **how: bool) -> list[Any]:
        asked.append(outputs)
        return run(self, outputs, feeds, **how)

    monkeypatch.setattr(ort_sessions.Session, "run", noted)
    return asked


@pytest.mark.parametrize("modules", [[MEAN], [MEAN, NORMALIZE]], ids=["pooled", "normalized"])
def test_a_model_sends_vectors_alone(modules: Any, tmp_path: Path, beside_the_cpu: list[Any]) -> None:
    tiny = TinyModel(modules=modules, settings={"prompts": {"query": "old "}})
    folder, texts = tiny.save(tmp_path), [*random_texts(40), "", "fox"]
    model = SentenceTransformer(folder, backend="onnx")
    expected = tiny.means(texts)
    found = model.encode(texts)
    assert {name for outputs in beside_the_cpu for name in outputs} == {POOLED}
    np.testing.assert_allclose(found, normalize(expected) if len(modules) > 1 else expected, atol=1e-5)
    with_prompt = model.encode(texts, prompt_name="query")
    model.set_pooling_include_prompt(False)
    assert np.abs(model.encode(texts, prompt_name="query") - with_prompt).max() > 1e-3
    tokens = model.encode(["fox"], output_value="token_embeddings")[0]
    np.testing.assert_allclose(tokens, tiny.token_embeddings("fox"), atol=1e-5)
    assert set(model.encode(["fox"], output_value=None)[0]) >= {"token_embeddings", "sentence_embedding"}


def test_on_the_cpu_numpy_pools(tmp_path: Path) -> None:
    model = SentenceTransformer(TinyModel().save(tmp_path), backend="onnx")
    assert model._runner.main_pipeline.backend.pooled is None
