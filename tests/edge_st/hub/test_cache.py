"""The cache, with and without the network."""

import logging
import socket
from pathlib import Path

import pytest

from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import (
    HubError,
)
from tests.support.hub_models import (
    NAME,
    dense_model,
    python,
    static_model,
)
from tests.support.hub_server import HubServer


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
