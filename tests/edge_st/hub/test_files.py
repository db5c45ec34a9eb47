"""Which files of a repository are downloaded, and which repositories are refused before their graph."""

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import (
    DamagedFileError,
    EdgeSTError,
    MissingFileError,
    UnsafePathError,
    UnsupportedModelError,
)
from tests.support.hub_models import (
    CONFIGS,
    NAME,
    ONNX,
    OPENVINO,
    as_json,
    contents,
    dense_model,
    model_in_folders,
    modules,
    record,
    safetensors,
    static_model,
)
from tests.support.hub_server import HubServer


@pytest.mark.parametrize(("backend", "graph"), [("onnx", ONNX), ("openvino", OPENVINO), ("auto", ONNX)])
def test_resolve_downloads_only_what_the_engine_needs(hub: HubServer, backend: str, graph: set[str]) -> None:
    hub.add(NAME, dense_model())

    folder = resolve("tiny", backend=backend)

    assert hub.requested() == contents(folder) == CONFIGS | graph


def test_file_name_picks_another_graph(hub: HubServer) -> None:
    hub.add(NAME, dense_model())

    assert contents(resolve(NAME, file_name="model_O3.onnx")) == CONFIGS | {"onnx/model_O3.onnx"}


def test_record_decides_where_there_is_one(hub: HubServer) -> None:
    files = dense_model()
    hub.add(NAME, {**files, "edge_st.json": record(files, ["onnx/model_O3.onnx", "onnx/model.onnx"])})

    assert contents(resolve(NAME)) == CONFIGS | {"edge_st.json", "onnx/model_O3.onnx"}


def test_modules_after_the_transformer_bring_their_weights(hub: HubServer) -> None:
    hub.add(NAME, model_in_folders())

    files = contents(resolve(NAME))

    assert {name for name in files if name.endswith((".onnx", ".safetensors", ".bin"))} == {
        "0_Transformer/onnx/model.onnx",
        "2_LayerNorm/model.safetensors",
    }
    assert {"0_Transformer/tokenizer.json", "0_Transformer/onnx/model.onnx_data", "1_Pooling/config.json"} <= files


def test_every_route_of_a_router_is_fetched(hub: HubServer) -> None:
    static = {f"query_0_StaticEmbedding/{name}": body for name, body in static_model().items()}
    dense = {f"document_0_Transformer/{name}": body for name, body in dense_model().items()}
    structure = {"query": ["query_0_StaticEmbedding"], "document": ["document_0_Transformer", "document_1_Pooling"]}
    names = [name for route in structure.values() for name in route]
    types = {name: f"sentence_transformers.models.{name.rpartition('_')[2]}" for name in names}
    files = {
        "modules.json": modules(("", "Router"), ("1_Normalize", "Normalize")),
        "router_config.json": as_json({"types": types, "structure": structure, "parameters": {}}),
        "document_1_Pooling/config.json": b"{}",
    }
    hub.add(NAME, {**static, **dense, **files})

    found = contents(resolve(NAME, backend="onnx"))

    assert {name for name in found if name.endswith((".onnx", ".onnx_data", ".safetensors"))} == {
        "document_0_Transformer/onnx/model.onnx",
        "document_0_Transformer/onnx/model.onnx_data",
        "query_0_StaticEmbedding/model.safetensors",
    }
    assert files.keys() | {"query_0_StaticEmbedding/tokenizer.json", "document_0_Transformer/tokenizer.json"} <= found
    assert "document_0_Transformer/vocab.txt" not in found


def test_word_vectors_have_a_tokenizer_of_their_own(hub: HubServer) -> None:
    tokenizer = as_json({"vocab": ["PADDING_TOKEN", "good", "day"], "stop_words": []})
    files = {
        "modules.json": modules(("0_WordEmbeddings", "WordEmbeddings"), ("1_Pooling", "Pooling")),
        "0_WordEmbeddings/wordembedding_config.json": as_json({"tokenizer_class": "x.WhitespaceTokenizer"}),
        "0_WordEmbeddings/whitespacetokenizer_config.json": tokenizer,
        "0_WordEmbeddings/model.safetensors": safetensors({"emb_layer.weight": np.eye(3)}),
        "1_Pooling/config.json": b"{}",
    }
    hub.add(NAME, {**files, "README.md": b"# Words", "0_WordEmbeddings/pytorch_model.bin": b"x"})

    assert contents(resolve(NAME)) == files.keys()
    np.testing.assert_allclose(SentenceTransformer(NAME).encode("Good day"), [0, 0.5, 0.5])


def test_weights_that_are_only_a_pickle_are_refused(hub: HubServer) -> None:
    files = model_in_folders()
    files["2_LayerNorm/pytorch_model.bin"] = files.pop("2_LayerNorm/model.safetensors")
    hub.add(NAME, files)

    with pytest.raises(MissingFileError, match=r"has no 2_LayerNorm/model.safetensors.*edge-st export"):
        resolve(NAME)
    assert hub.requested() == {"modules.json"}


def test_repository_without_a_graph_says_what_it_has_and_how_to_get_one(hub: HubServer) -> None:
    files = {name: body for name, body in dense_model().items() if name not in (*ONNX, "onnx/model_O3.onnx")}
    hub.add(NAME, files | {"onnx/decoder.onnx": b"", "onnx/encoder.onnx": b""})

    with pytest.raises(MissingFileError, match=r"onnx/decoder\.onnx.*pip install edge-st-export.*export sent.*/tiny"):
        resolve(NAME, backend="onnx")
    assert hub.requested() == CONFIGS


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tokenizer.json": None}, MissingFileError, "no tokenizer.json"),
        ({"modules.json": None, "config.json": None}, MissingFileError, "neither modules.json nor config.json"),
        ({"modules.json": b"[]"}, DamagedFileError, "names no modules"),
        ({"modules.json": b"{"}, DamagedFileError, "modules.json"),
        ({"modules.json": modules(("../up", "Transformer"))}, UnsafePathError, "outside"),
        ({"modules.json": modules(("", "Transformer"), ("1", "Unheard"))}, UnsupportedModelError, "Unheard"),
        ({"openvino/openvino_model.bin": None}, MissingFileError, "openvino_model.bin"),
    ],
)
def test_unusable_repository_is_refused_before_its_graph(
    hub: HubServer, changes: dict[str, bytes | None], error: type[EdgeSTError], message: str
) -> None:
    files = {**dense_model(), **changes}
    hub.add(NAME, {name: body for name, body in files.items() if body is not None})

    with pytest.raises(error, match=message):
        resolve(NAME, backend="openvino")
    assert not OPENVINO & hub.requested()
