import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from edge_st.hub import pull, resolve
from edge_st.hub.names import ORIGINAL_MODELS, hub_name
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
from edge_st_runtime.loading import LoadOptions, load_model
from tests.hub_server import HubServer, hub_server

NAME = "sentence-transformers/tiny"
CONFIGS = {
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
}
ONNX = {"onnx/model.onnx", "onnx/model.onnx_data"}
OPENVINO = {"openvino/openvino_model.bin", "openvino/openvino_model.xml"}


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def modules(*rows: tuple[str, str]) -> bytes:
    return as_json([{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in rows])


def tokenizer() -> bytes:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "good": 1, "day": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str().encode()


def dense_model() -> dict[str, bytes]:
    """What a repository of a transformer holds, useful to the runtime or not; graphs are opaque bytes here."""
    unused = [
        "README.md",
        "data_config.json",
        "model.safetensors",
        "onnx/model_O3.onnx",
        "pytorch_model.bin",
        "vocab.txt",
    ]
    files = {name: name.encode() * 10 for name in [*unused, *ONNX, *OPENVINO]}
    files |= {name: as_json({"distinct": name}) for name in CONFIGS}
    files["modules.json"] = modules(("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    files["tokenizer.json"] = tokenizer()
    return files


def static_model() -> dict[str, bytes]:
    rows = np.eye(3, 4, dtype="<f4")
    header = as_json({"embedding.weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, rows.nbytes]}})
    return {
        "modules.json": modules(("", "StaticEmbedding")),
        "config_sentence_transformers.json": b"{}",
        "tokenizer.json": tokenizer(),
        "model.safetensors": len(header).to_bytes(8, "little") + header + rows.tobytes(),
        "onnx/model.onnx": b"not needed",
        "README.md": b"# Static",
    }


def record(files: dict[str, bytes], graphs: list[str]) -> bytes:
    checksums = {name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in files.items()}
    entries = [{"file": file, "engine": "onnx", "dtype": "float32", "cosine_min": 1.0} for file in graphs]
    return as_json(
        {
            "format_version": 1,
            "task": "sentence-embedding",
            "weights_sha256": "0",
            "fingerprint": "0",
            "files": checksums,
            "graphs": entries,
            "golden": {"texts": [], "embeddings": []},
        }
    )


def contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def running() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


@pytest.fixture
def hub(running: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    running.reset()
    monkeypatch.setenv("HF_ENDPOINT", running.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return running


def python(code: str, **environment: str) -> "subprocess.Popen[str]":
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.Popen([sys.executable, "-c", code], env=variables, stdout=subprocess.PIPE, text=True)


# Names


def test_existing_folder_is_itself_and_loads_no_client(tmp_path: Path) -> None:
    code = f"""
import sys
from edge_st.hub import resolve
print(resolve({str(tmp_path)!r}), "huggingface_hub" in sys.modules)
"""
    process = python(code)

    assert process.communicate()[0].split() == [str(tmp_path), "False"]


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


def test_modules_in_folders_bring_their_weights_but_not_the_transformers(hub: HubServer) -> None:
    files = {f"0_Transformer/{name}": body for name, body in dense_model().items() if "Pooling" not in name}
    norm = static_model()["model.safetensors"].replace(b"embedding.weight", b"norm.weight     ")
    files |= {"1_Pooling/config.json": b"{}", "2_Dense/config.json": b"{}", "2_Dense/pytorch_model.bin": norm}
    files["modules.json"] = modules(("0_Transformer", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"))
    hub.add(NAME, files)

    with pytest.raises(MissingFileError, match="has no 2_Dense/model.safetensors"):
        resolve(NAME)
    assert "0_Transformer/tokenizer.json" in hub.requested()
    assert not any(name.endswith((".onnx", ".bin", ".safetensors")) for name in hub.requested())


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
from edge_st.hub import resolve
print(resolve({NAME!r}))
try:
    resolve("other")
except OSError as error:
    print(type(error).__name__, error)
"""
    process = python(code, HF_HUB_OFFLINE="1")
    found, refused = process.communicate()[0].splitlines()

    assert found == str(folder)
    assert refused.startswith("HubError")
    assert "HF_HUB_OFFLINE is set" in refused
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
        with pytest.raises(HubError, match=r"not in the cache, and cannot fetch.*with a connection"):
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


# Pull


def test_pull_makes_a_plain_folder_quietly(hub: HubServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hub.add(NAME, dense_model())

    folder = pull("tiny", tmp_path / "deep" / "out", backend="onnx")

    assert folder == tmp_path / "deep" / "out"
    assert contents(folder) == hub.requested() == CONFIGS | ONNX
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    assert capfd.readouterr() == ("", "")


def test_pulled_static_model_runs(hub: HubServer, tmp_path: Path) -> None:
    files = static_model()
    needed = {name: body for name, body in files.items() if name not in ("README.md", "onnx/model.onnx")}
    hub.add(NAME, {**files, "edge_st.json": record(needed, [])})

    folder = pull(NAME, tmp_path / "out")

    assert hub.requested() == contents(folder) == {*needed, "edge_st.json"}
    (vector,) = load_model(folder, LoadOptions()).pipeline.embed(["good day"])
    np.testing.assert_allclose(vector, [0, 0.5, 0.5, 0])


def test_killed_pull_leaves_nothing_loadable_and_is_continued(hub: HubServer, tmp_path: Path) -> None:
    files, out = dense_model(), tmp_path / "out"
    files["onnx/model.onnx"] = np.random.default_rng(0).bytes(12_000_000)
    hub.add(NAME, files)
    hub.stall["onnx/model.onnx"] = 11_000_000
    process = python(f"from edge_st.hub import pull; pull({NAME!r}, {str(out)!r})")
    assert hub.stalled.wait(30)
    part = next(iter((tmp_path / ".out.partial/onnx").glob("model.onnx.*.part")))
    while part.stat().st_size == 0:  # the client writes 10 MiB at a time
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = part.stat().st_size
    hub.log.clear()

    assert not out.exists()
    assert pull(NAME, out) == out
    assert contents(out) == CONFIGS | ONNX
    assert (out / "onnx/model.onnx").read_bytes() == files["onnx/model.onnx"]
    (request,) = [request for request in hub.log if request.file]
    assert (request.file, request.range) == ("onnx/model.onnx", f"bytes={done}-")


@pytest.mark.parametrize("name", ["onnx/model.onnx", "1_Pooling/config.json"])
def test_corrupted_bytes_are_thrown_away(hub: HubServer, tmp_path: Path, name: str) -> None:
    hub.add(NAME, dense_model())
    hub.corrupt.add(name)

    with pytest.raises(HubError, match=rf"{name} of {NAME} arrived damaged \((sha256|git blob id) "):
        pull(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    hub.corrupt.clear()
    assert contents(pull(NAME, tmp_path / "out")) == CONFIGS | ONNX


def test_record_that_contradicts_the_files_is_found(hub: HubServer, tmp_path: Path) -> None:
    files = dense_model()
    checksums = record({**files, "onnx/model.onnx": files["onnx/model.onnx"][::-1]}, ["onnx/model.onnx"])
    hub.add(NAME, {**files, "edge_st.json": checksums})

    with pytest.raises(DamagedFileError, match=r"model\.onnx has sha256 .*, expected"):
        pull(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_leftovers_of_another_call_do_not_get_in(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, dense_model())
    stray = tmp_path / ".out.partial" / "openvino" / "openvino_model.xml"
    stray.parent.mkdir(parents=True)
    stray.touch()

    assert contents(pull(NAME, tmp_path / "out")) == CONFIGS | ONNX
    assert not (tmp_path / "out" / "openvino").exists()


def test_occupied_folder_is_replaced_only_by_force_and_only_if_it_is_a_model(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, static_model())
    out, precious = tmp_path / "out", tmp_path / "precious"
    out.mkdir()
    pull(NAME, out)
    precious.mkdir()
    (precious / "thesis.md").touch()
    hub.add(NAME, dense_model())

    with pytest.raises(OptionError, match=r"not empty.*--force"):
        pull(NAME, out)
    with pytest.raises(OptionError, match="no model folder"):
        pull(NAME, precious, force=True)
    with pytest.raises(OptionError, match="is a file"):
        pull(NAME, precious / "thesis.md")
    assert contents(pull(NAME, out, force=True)) == CONFIGS | ONNX
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["out", "precious"]


def test_unknown_backend_is_refused_at_once(hub: HubServer, tmp_path: Path) -> None:
    for call in (lambda: resolve(NAME, backend="torch"), lambda: pull(NAME, tmp_path / "out", backend="torch")):
        with pytest.raises(OptionError, match="backend is 'torch'; expected 'auto', 'onnx', 'openvino'"):
            call()
    assert not hub.log
