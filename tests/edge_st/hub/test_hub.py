import errno
import logging
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.hub.errors import mapped_errors
from edge_st.hub.names import ORIGINAL_MODELS, hub_name
from edge_st.hub.pull import pull
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import (
    DamagedFileError,
    EdgeSTError,
    FolderError,
    FolderNotFoundError,
    HubError,
    MissingFileError,
    OptionError,
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
    python,
    record,
    safetensors,
    static_model,
)
from tests.support.hub_server import HubServer


def test_existing_folder_is_itself_and_loads_no_client(tmp_path: Path) -> None:
    code = f"""
import sys
from edge_st.hub.resolve import resolve
print(resolve({str(tmp_path)!r}), "huggingface_hub" in sys.modules)
"""
    output, _ = python(code).communicate()

    assert output.split() == [str(tmp_path), "False"]


def test_file_is_refused_as_sentence_transformers_refuses_it(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.touch()

    with pytest.raises(NotADirectoryError, match="is a file; expected the model folder") as caught:
        resolve(file)
    assert isinstance(caught.value, FolderError)


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "./tiny", "../tiny", "/no/tiny", "/tiny", "~/tiny", "tiny/", "a\\b", ".tiny"]
)
def test_what_can_only_be_a_path_is_not_looked_up(hub: HubServer, name: str) -> None:
    with pytest.raises(FolderNotFoundError, match="edge-st export"):
        resolve(name)
    assert not hub.log


@pytest.mark.parametrize("name", [None, 7, b"tiny"])
def test_name_of_another_type_is_refused(name: Any) -> None:
    with pytest.raises(OptionError, match="expected a str"):
        resolve(name)


@pytest.mark.parametrize("name", ["no spaces, please", "x" * 400, "owner/--"])
def test_impossible_names_never_reach_the_hub(hub: HubServer, name: str) -> None:
    with pytest.raises(HubError, match="neither an existing folder nor a name on the Hub"):
        resolve(name)
    assert not hub.log


def test_names_without_owner_belong_to_the_organization_but_the_first_transformers() -> None:
    assert hub_name("all-MiniLM-L6-v2", "sentence-transformers") == "sentence-transformers/all-MiniLM-L6-v2"
    assert hub_name("BERT-base-uncased", "cross-encoder") == "BERT-base-uncased"
    assert hub_name("intfloat/e5-small", "cross-encoder") == "intfloat/e5-small"
    assert len(ORIGINAL_MODELS) == 68


# Which files


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
    files = {name: body for name, body in dense_model().items() if name not in ONNX}
    hub.add(NAME, files)

    with pytest.raises(MissingFileError, match=r"onnx/model_O3\.onnx.*pip install edge-st-export.*export sent.*/tiny"):
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


# The cache


@pytest.mark.parametrize("left_out", ["nothing", "modules.json"])
def test_cached_model_needs_no_request_offline_and_one_online(hub: HubServer, left_out: str) -> None:
    hub.add(NAME, {name: body for name, body in dense_model().items() if name != left_out})
    folder = resolve(NAME)
    hub.log.clear()

    assert resolve(NAME, local_files_only=True) == folder
    assert not hub.log
    assert resolve(NAME) == folder
    assert [request.method for request in hub.log] == ["GET"]


def test_hf_hub_offline_makes_no_request(hub: HubServer) -> None:
    hub.add(NAME, dense_model())
    folder = resolve(NAME)
    hub.log.clear()
    code = f"""
from edge_st.hub.resolve import resolve
print(resolve({NAME!r}))
try:
    resolve("other")
except OSError as error:
    print(type(error).__name__, error)
"""
    output, complaints = python(code, HF_HUB_OFFLINE="1").communicate()
    found, refused = output.splitlines()

    assert found == str(folder)
    assert refused.startswith("HubError")
    assert "HF_HUB_OFFLINE is set" in refused
    assert not complaints
    assert not hub.log


def test_unreachable_hub_is_replaced_by_the_cache(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.add(NAME, dense_model())
    folder = resolve(NAME)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")

        with caplog.at_level(logging.WARNING, "edge_st"):
            assert resolve(NAME) == folder
        assert "using the copy in the cache" in caplog.text
        with pytest.raises(
            HubError, match=r"not in the cache, and cannot fetch.*check the network.*or give a local folder"
        ):
            resolve("other")


def test_graph_that_is_not_cached_is_not_offline(hub: HubServer) -> None:
    hub.add(NAME, dense_model())
    resolve(NAME, backend="onnx")

    with pytest.raises(HubError, match=r"lacks what is needed.*openvino"):
        resolve(NAME, file_name="openvino_model.xml", local_files_only=True)


def test_new_commit_is_fetched_and_remembered(hub: HubServer) -> None:
    hub.add(NAME, dense_model())
    old = resolve(NAME)
    hub.add(NAME, {**dense_model(), "onnx/model.onnx": b"better"})
    new = resolve(NAME)

    assert old != new == resolve(NAME, local_files_only=True)
    assert (new / "onnx/model.onnx").read_bytes() == b"better"


def test_cache_folder_argument_goes_before_the_variable(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, static_model())

    assert resolve(NAME, cache_folder=tmp_path / "mine").is_relative_to(tmp_path / "mine")
    assert resolve(NAME).is_relative_to(tmp_path / "cache")


# Refusals of the Hub


def test_refusals_say_what_to_do(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, dense_model())
    hub.add("owner/gated", dense_model(), token="secret")

    with pytest.raises(HubError, match=r"no model 'sentence-transformers/other'.*edge-st list"):
        resolve("other")
    with pytest.raises(HubError, match="no revision 'v9'"):
        resolve(NAME, revision="v9")
    with pytest.raises(HubError, match="gated; accept its terms"):
        pull("owner/gated", tmp_path / "out")
    assert resolve("owner/gated", token="secret").is_dir()


def test_token_comes_from_the_environment(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("owner/gated", dense_model(), token="secret")
    monkeypatch.setenv("HF_TOKEN", "secret")

    assert resolve("owner/gated").is_dir()


@pytest.mark.parametrize("option", [{"backend": "torch"}, {"dtype": "float64"}])
def test_unknown_options_are_refused_at_once(hub: HubServer, tmp_path: Path, option: dict[str, Any]) -> None:
    ((name, value),) = option.items()

    with pytest.raises(OptionError, match=f"{name} is '{value}'; expected 'auto'"):
        resolve(NAME, **option)
    with pytest.raises(OptionError, match=f"{name} is '{value}'; expected 'auto'"):
        pull(NAME, tmp_path / "out", **option)
    assert not hub.log


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "disk is full.*run the same again"), (errno.EROFS, "folder that this user may")],
)
def test_errors_of_the_disk_say_what_to_do(number: int, message: str) -> None:
    with pytest.raises(HubError, match=message), mapped_errors(NAME, "main"):
        raise OSError(number, os.strerror(number))
