"""Attention in blocks of queries gives what the whole attention gives, in every form that exporters give it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.backend import Backend, EngineOptions, open_backend
from edge_st_runtime.engines.ort import WHOLE_ATTENTION
from edge_st_runtime.engines.query_blocks import BLOCK, in_blocks
from tests.support.tiny_attention import LONGEST, WORDS, Nodes, node, rows, save
from tests.support.tiny_graphs import store_outside

SCORES = node("MatMul", ["queries", "keys"], ["scores"])
MASKED = node("Add", ["scores", "mask"], ["masked"])
WEIGHTS = node("Softmax", ["masked"], ["weights"], axis=-1)
MIXED = node("MatMul", ["weights", "vectors"], ["mixed"])
FORMS: dict[str, Nodes] = {
    "a mask": [SCORES, MASKED, WEIGHTS, MIXED],
    "no mask": [SCORES, node("Softmax", ["scores"], ["weights"], axis=-1), MIXED],
    "the last axis by its number": [SCORES, MASKED, node("Softmax", ["masked"], ["weights"], axis=3), MIXED],
    "divided scores and chosen ones": [
        SCORES,
        node("Div", ["scores", "2.0"], ["divided"]),
        node("Where", ["seen", "divided", "least"], ["masked"]),
        WEIGHTS,
        MIXED,
    ],
    "rows of nothing are zero": [
        SCORES,
        MASKED,
        node("Softmax", ["masked"], ["soft"], axis=-1),
        node("IsNaN", ["soft"], ["broken"]),
        node("Where", ["broken", "0.0", "soft"], ["weights"]),
        MIXED,
    ],
    "capped scores": [
        SCORES,
        node("Div", ["scores", "2.0"], ["divided"]),
        node("Tanh", ["divided"], ["curved"]),
        node("Mul", ["2.0", "curved"], ["capped"]),
        node("Add", ["mask", "capped"], ["masked"]),
        WEIGHTS,
        MIXED,
    ],
    "positions of each head": [
        SCORES,
        rows("of_heads"),
        node("Add", ["of_heads", "mask"], ["bias"]),
        node("Add", ["scores", "bias"], ["masked"]),
        WEIGHTS,
        MIXED,
    ],
    "positions of all heads, and a mask": [
        SCORES,
        rows("of_all"),
        node("Add", ["scores", "of_all"], ["placed"]),
        node("Add", ["placed", "mask"], ["masked"]),
        WEIGHTS,
        MIXED,
    ],
    "a window": [
        SCORES,
        rows("near"),
        node("And", ["near", "seen"], ["both"]),
        node("Where", ["both", "scores", "least"], ["masked"]),
        WEIGHTS,
        MIXED,
    ],
    "heads as texts": [
        node("Reshape", ["queries", "matrices"], ["q"]),
        node("Transpose", ["keys"], ["keys_by_token"], perm=[0, 1, 3, 2]),
        node("Reshape", ["keys_by_token", "matrices"], ["k_by_token"]),
        node("Transpose", ["k_by_token"], ["k"], perm=[0, 2, 1]),
        node("Reshape", ["vectors", "matrices"], ["v"]),
        node("MatMul", ["q", "k"], ["scores"]),
        node("Softmax", ["scores"], ["weights"], axis=-1),
        node("MatMul", ["weights", "v"], ["matrices_mixed"]),
        node("Reshape", ["matrices_mixed", "heads"], ["mixed"]),
    ],
    "heads that share keys": [
        node("Reshape", ["queries", "groups"], ["q"]),
        node("Slice", ["keys", "[0]", "[2]", "[1]"], ["half_keys"]),
        node("Slice", ["vectors", "[0]", "[2]", "[1]"], ["half_vectors"]),
        node("Reshape", ["half_keys", "shared_keys"], ["k"]),
        node("Reshape", ["half_vectors", "shared_vectors"], ["v"]),
        node("MatMul", ["q", "k"], ["scores"]),
        node("Add", ["scores", "mask"], ["masked"]),
        node("Softmax", ["masked"], ["weights"], axis=-1),
        node("MatMul", ["weights", "v"], ["groups_mixed"]),
        node("Reshape", ["groups_mixed", "heads"], ["mixed"]),
    ],
    "one query": [
        node("Slice", ["queries", "[0]", "[1]", "[2]"], ["q"]),
        node("MatMul", ["q", "keys"], ["scores"]),
        MASKED,
        WEIGHTS,
        MIXED,
    ],
    "ONNX Runtime's own product": [
        node("Transpose", ["keys"], ["keys_by_token"], perm=[0, 1, 3, 2]),
        node("FusedMatMul", ["queries", "keys_by_token"], ["scores"], domain="com.microsoft", alpha=0.5, transB=1),
        MASKED,
        WEIGHTS,
        MIXED,
    ],
}
OTHERS: dict[str, Nodes] = {
    "over the queries": [SCORES, MASKED, node("Softmax", ["masked"], ["weights"], axis=2), MIXED],
    "between rows": [
        SCORES,
        node("ReduceMax", ["scores"], ["most"], axes=[2]),
        node("Sub", ["scores", "most"], ["masked"]),
        WEIGHTS,
        MIXED,
    ],
    "transposed scores": [
        node("Transpose", ["queries"], ["by_size"], perm=[0, 1, 3, 2]),
        node("FusedMatMul", ["by_size", "keys"], ["scores"], domain="com.microsoft", transA=1),
        MASKED,
        WEIGHTS,
        MIXED,
    ],
}


def opened(graph: Path) -> Backend:
    return open_backend("onnx", graph, EngineOptions(num_threads=2))


def whole(graph: Path) -> Backend:
    """With session options of the caller's own, attention is never in blocks."""
    return open_backend("onnx", graph, EngineOptions(num_threads=2, session_options=onnxruntime.SessionOptions()))


def text(tokens: int, padding: int = 0) -> TokenBatch:
    ids = np.random.default_rng(tokens).integers(0, WORDS, (1, tokens))
    return TokenBatch(ids, (np.arange(tokens) < tokens - padding).astype(np.int64)[None])


@pytest.mark.parametrize("form", FORMS)
def test_blocks_give_what_the_whole_gives(form: str, tmp_path: Path) -> None:
    graph = save(tmp_path / "model.onnx", FORMS[form])
    assert in_blocks(graph.read_bytes())
    backend, wanted = opened(graph), whole(graph)
    for tokens in (WHOLE_ATTENTION + 1, 7 * BLOCK - 1, 7 * BLOCK, LONGEST):
        for padding in (0, 150):
            batch = text(tokens, padding)
            np.testing.assert_allclose(backend.run(batch), wanted.run(batch), atol=2e-5)


@pytest.mark.parametrize("form", OTHERS)
def test_what_is_no_attention_by_rows_stays(form: str, tmp_path: Path) -> None:
    graph = save(tmp_path / "model.onnx", OTHERS[form])
    assert in_blocks(graph.read_bytes()) is None
    np.testing.assert_allclose(opened(graph).run(text(LONGEST)), whole(graph).run(text(LONGEST)), atol=2e-5)


def test_attention_in_older_operators_stays(tmp_path: Path) -> None:
    graph = save(tmp_path / "model.onnx", FORMS["a mask"], opset=10)
    assert in_blocks(graph.read_bytes()) is None
    assert np.isfinite(opened(graph).run(text(LONGEST))).all()


def test_attention_that_is_an_output_stays(tmp_path: Path) -> None:
    graph = save(tmp_path / "model.onnx", FORMS["a mask"], ["last_hidden_state", "weights"])
    assert in_blocks(graph.read_bytes()) is None


def test_weights_beside_the_graph(tmp_path: Path) -> None:
    graph = save(tmp_path / "model.onnx", FORMS["a mask"])
    wanted = whole(graph).run(text(LONGEST))
    store_outside(graph, "model.onnx_data")
    np.testing.assert_allclose(opened(graph).run(text(LONGEST)), wanted, atol=2e-5)
    (tmp_path / "links").mkdir()
    for name in ("model.onnx", "model.onnx_data"):
        (tmp_path / "links" / name).symlink_to(tmp_path / name)
    linked = open_backend("onnx", tmp_path / "links" / "model.onnx", EngineOptions(num_threads=1, linked=True))
    np.testing.assert_allclose(linked.run(text(LONGEST)), wanted, atol=2e-5)


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "deleted"])
def test_files_that_changed_after_the_load_are_not_opened(replaced: bool, tmp_path: Path) -> None:
    graph = save(tmp_path / "model.onnx", FORMS["a mask"])
    backend, wanted = opened(graph), whole(graph).run(text(LONGEST))
    graph.unlink()
    if replaced:
        save(graph, [node("Neg", ["queries"], ["mixed"])])
    np.testing.assert_allclose(backend.run(text(LONGEST)), wanted, atol=2e-5)


def test_the_graph_stays_valid(tmp_path: Path) -> None:
    found = in_blocks(save(tmp_path / "model.onnx", FORMS["positions of all heads, and a mask"]).read_bytes())
    assert found is not None
    onnx.checker.check_model(onnx.load_from_string(found))


PEAK = """
import sys
from pathlib import Path
import numpy as np
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.backend import EngineOptions, open_backend

def peak():
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) * 1024

backend = open_backend("onnx", Path(sys.argv[1]), EngineOptions(num_threads=1))
ids = np.arange(6000)[None] % 50
before = peak()
backend.run(TokenBatch(ids, np.ones_like(ids)))
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_6000_tokens_take_no_matrix_of_576_mb(tmp_path: Path) -> None:
    graph = save(tmp_path / "model.onnx", FORMS["a mask"])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PEAK, str(graph)]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(child.stdout) < 60e6
