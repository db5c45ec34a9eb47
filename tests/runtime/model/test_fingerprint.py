"""The fingerprint changes with every part that decides a vector, and with nothing else."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.model.fingerprint import ModelIdentity, RouteIdentity, graph_digest, weights_digest
from edge_st_runtime.modules.activations import ACTIVATIONS, PReLU
from edge_st_runtime.modules.router import Router
from edge_st_runtime.modules.specs import CNN, Dense, InGraph, Normalize, Pooling, WordWeights
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.damage import flip
from tests.support.tiny_graphs import TinyGraph, store_outside
from tests.support.tiny_tokenizers import byte_bpe, save_tokenizer, wordpiece

WEIGHT = np.ones((3, 2), dtype=np.float32)
DENSE = Dense(WEIGHT, None, ACTIVATIONS["Tanh"])


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Any]:
    return {
        "weights": "aa",
        "tokenizer": identity(save_tokenizer(tmp_path / "a", wordpiece())),
        "modules": [Pooling(), DENSE],
        "router": None,
        "prompts": {"query": "q: ", "document": ""},
        "max_seq_length": 256,
        "dtype": "float32",
    }


def identity(folder: Path, **options: Any) -> Mapping[str, Any]:
    return TextTokenizer(folder, **options).identity()


def of(parts: Mapping[str, Any]) -> str:
    """The fingerprint of a model with one route."""
    route = RouteIdentity(parts["tokenizer"], parts["modules"], parts["max_seq_length"])
    others = {name: parts[name] for name in ("weights", "router", "prompts", "dtype")}
    return ModelIdentity(routes={"": route}, **others).fingerprint()


def test_form(parts: dict[str, Any]) -> None:
    found = of(parts)
    assert len(found) == 32
    assert int(found, 16)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "ab"},
        {"modules": [Pooling()]},
        {"modules": [DENSE, Pooling()]},
        {"modules": [Pooling(("cls",)), DENSE]},
        {"modules": [Pooling(include_prompt=False), DENSE]},
        {"modules": [Pooling(), DENSE, Normalize()]},
        {"modules": [Pooling(), Dense(WEIGHT * 2, None, ACTIVATIONS["Tanh"])]},
        {"modules": [Pooling(), Dense(WEIGHT.reshape(2, 3), None, ACTIVATIONS["Tanh"])]},
        {"modules": [Pooling(), Dense(WEIGHT, None, ACTIVATIONS["ReLU"])]},
        {"modules": [Pooling(), Dense(WEIGHT, None, PReLU(WEIGHT[0]))]},
        {"modules": [Pooling(), Dense(WEIGHT, np.zeros(3, dtype=np.float32), ACTIVATIONS["Tanh"])]},
        {"prompts": {"query": "Q: "}},
        {"prompts": {"other": "q: "}},
        {"prompts": {}},
        {"max_seq_length": 128},
        {"max_seq_length": None},
        {"dtype": "int8"},
        {"router": Router(("a", "b"), "a")},
        {"modules": [Pooling(), CNN((WEIGHT[None],), (WEIGHT[0],))]},
        {"modules": [Pooling(), WordWeights(WEIGHT[0])]},
        {"modules": [InGraph("LSTM"), Pooling(), DENSE]},
    ],
    ids=lambda change: ",".join(change),
)
def test_what_changes_it(change: dict[str, Any], parts: dict[str, Any]) -> None:
    assert of({**parts, **change}) != of(parts)


def test_another_tokenizer_changes_it(parts: dict[str, Any], tmp_path: Path) -> None:
    lowering = save_tokenizer(tmp_path / "lowering", wordpiece(), tokenizer_class="BertTokenizer", do_lower_case=False)
    others = [
        identity(save_tokenizer(tmp_path / "b", byte_bpe())),
        identity(save_tokenizer(tmp_path / "c", wordpiece()), lower_case=True),
        identity(save_tokenizer(tmp_path / "d", wordpiece(), truncation_side="left")),
        identity(save_tokenizer(tmp_path / "e", wordpiece(), mask_token="<one more>")),
        identity(lowering),
    ]
    found = [of({**parts, "tokenizer": other}) for other in others]
    assert len({of(parts), *found}) == 1 + len(others)


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": {"query": "q: "}},
        {"prompts": {"document": "", "query": "q: "}},
        {"dtype": "bfloat16"},
        {"dtype": "float16"},
        {"modules": (Pooling(), Dense(WEIGHT.copy(), None, ACTIVATIONS["Tanh"]))},
    ],
    ids=str,
)
def test_what_does_not_change_it(change: dict[str, Any], parts: dict[str, Any]) -> None:
    assert of({**parts, **change}) == of(parts)


def test_paths_and_settings_that_the_runtime_ignores_do_not_change_it(parts: dict[str, Any], tmp_path: Path) -> None:
    content = json.loads((tmp_path / "a" / "tokenizer.json").read_text())
    other = save_tokenizer(tmp_path / "elsewhere", wordpiece(), padding_side="left", model_max_length=9)
    reordered = dict(reversed(content.items())) | {"truncation": None, "padding": None}
    (other / "tokenizer.json").write_text(json.dumps(reordered, indent=1))
    assert of({**parts, "tokenizer": identity(other)}) == of(parts)


def test_weights_digest_is_over_tensors_by_name() -> None:
    a, b = np.arange(4, dtype="f4"), np.arange(6, dtype="f4").reshape(2, 3)
    digest = weights_digest({"a": a, "b": b})
    assert weights_digest({"b": np.asfortranarray(b), "a": a}) == digest
    others = [{"a": a + 1, "b": b}, {"a": a, "c": b}, {"a": a, "b": b.reshape(3, 2)}, {"a": a.astype("i4"), "b": b}]
    assert digest not in map(weights_digest, others)


@pytest.mark.parametrize(
    ("graph", "beside"),
    [
        ("model.onnx", "model.onnx_data"),
        ("model.onnx", "model.onnx.data"),
        ("openvino_model.xml", "openvino_model.bin"),
    ],
)
def test_graph_digest_covers_weights_in_other_files(graph: str, beside: str, tmp_path: Path) -> None:
    folder, copy = tmp_path / "folder", tmp_path / "copy"
    folder.mkdir()
    others = ("model_O3.onnx", "model_O3.onnx_data", "unrelated.bin")
    for name in (graph, beside, *others):
        (folder / name).write_text(name)
    if graph.endswith(".onnx"):
        TinyGraph().save(folder / graph)
    shutil.copytree(folder, copy)
    digest = graph_digest(folder / graph)
    assert graph_digest(copy / graph) == digest
    for name in others:
        (copy / name).write_text("other")
    assert graph_digest(copy / graph) == digest
    for name in (graph, beside):
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content + (TinyGraph().save(tmp_path / "x").read_bytes() if name == graph else b"x"))
        assert graph_digest(copy / graph) != digest
        (copy / name).write_bytes(content)


@pytest.mark.parametrize("name", ["weights.bin", "model.onnx_data"])
def test_graph_digest_covers_the_weights_that_the_graph_names(name: str, tmp_path: Path) -> None:
    graph = TinyGraph().save(tmp_path / "model.onnx")
    weights = store_outside(graph, name)
    digest = graph_digest(graph)
    parts = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted([graph, weights]))
    assert digest == hashlib.sha256(parts.encode()).hexdigest()
    flip(weights, 5)
    assert graph_digest(graph) != digest
