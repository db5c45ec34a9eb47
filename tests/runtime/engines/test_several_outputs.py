"""Graphs with several outputs: those that are named are given in one pass, and OpenVINO computes no others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.engines.backend import EngineOptions, open_backend
from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.model.batching import pad_batch
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_heads import WIDTH, GraphOfHeads

HEADS = ("sentence_embedding", "token_weights", "token_embeddings")
BATCH = pad_batch([np.array(ids, dtype=np.int32) for ids in ([0, 9, 8, 7, 2], [0, 5, 2])], None, 1, pad_left=False)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return GraphOfHeads().save(tmp_path_factory.mktemp("heads") / "model.onnx")


def opened(engine: str, graph: Path, outputs: tuple[str, ...]) -> Any:
    return open_backend(engine, graph, EngineOptions(num_threads=1, outputs=outputs))


def test_the_first_named_output_is_what_the_graph_gives(engine: str, graph: Path) -> None:
    for names, shape in (
        (HEADS, (2, HIDDEN)),
        (HEADS[1:], (2, 5)),
        (HEADS[2:], (2, 5, WIDTH)),
    ):
        backend = opened(engine, graph, names)
        assert (backend.meaning, backend.output) == (names[0], names[0])
        found = backend.run(BATCH)
        assert found.shape == shape
        assert found.dtype == np.float32


def test_several_in_one_pass_are_what_each_is_alone(engine: str, graph: Path) -> None:
    backend = opened(engine, graph, HEADS)
    together = backend.run_outputs(BATCH, HEADS)
    for name, found in zip(HEADS, together, strict=True):
        (alone,) = backend.run_outputs(BATCH, (name,))
        np.testing.assert_allclose(found, alone, atol=1e-6)
    np.testing.assert_allclose(together[0], backend.run(BATCH), atol=1e-6)


def test_without_names_it_is_the_last_hidden_state(engine: str, graph: Path) -> None:
    backend = opened(engine, graph, ())
    assert (backend.meaning, backend.output) == ("token_embeddings", "last_hidden_state")
    np.testing.assert_allclose(backend.run(BATCH)[1, :3], GraphOfHeads().tokens([0, 5, 2]), atol=1e-6)


def test_openvino_keeps_only_the_named_outputs(graph: Path) -> None:
    pytest.importorskip("openvino")
    for names, count in ((HEADS, 3), (HEADS[1:2], 1), ((), 1)):
        backend = opened("openvino", graph, names)
        assert len(backend._for_one.get().model.outputs) == count


def test_a_missing_output_is_named(engine: str, tmp_path: Path) -> None:
    graph = GraphOfHeads(heads=HEADS[:1]).save(tmp_path / "model.onnx")
    with pytest.raises(
        UnsupportedModelError,
        match=r"model.onnx has the outputs last_hidden_state, sentence_embedding, but no 'token_weights', which this "
        "model's head must give; export the model again",
    ):
        opened(engine, graph, ("token_weights", "sentence_embedding"))
