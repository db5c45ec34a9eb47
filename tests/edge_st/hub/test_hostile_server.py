"""What a server may send: without an end, compressed, a little at a time, more than it said, or something else."""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_st.hub import transfer
from edge_st.hub.pull import pull
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import HubError, UnsafePathError, UnsupportedModelError
from tests.support.hub_models import NAME, contents, dense_model, static_model
from tests.support.hub_server import Handler, HubServer

GRAPH = "onnx/model.onnx"
Answer = Callable[[Handler], None]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes ten seconds takes less than two."""
    for name, value in {"_HEAD": 1.5, "_WINDOW": 0.3, "_PAUSE": 0.01, "_LISTING": 2**20}.items():
        monkeypatch.setattr(transfer, name, value)


def endless(handler: Handler) -> None:
    handler.head(200, {"Connection": "close"})
    while True:
        handler.wfile.write(bytes(2**16))


def dripping(handler: Handler) -> None:
    handler.head(200, {"Connection": "close"})
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.02)


def dripping_head(handler: Handler) -> None:
    handler.send_response(200)
    handler.flush_headers()
    while True:
        handler.wfile.write(b"X-More: yes\r\n")
        time.sleep(0.02)


def going_round(handler: Handler) -> None:
    handler.head(302, {"Location": "/again", "Content-Length": "0", "Connection": "close"})


_BOMB = gzip.compress(gzip.compress(bytes(10_000_000), 1))


def compressed(handler: Handler) -> None:
    handler.head(200, {"Content-Encoding": "gzip, gzip", "Content-Length": str(len(_BOMB))})
    handler.wfile.write(_BOMB)


def listing(content: object) -> Answer:
    def answer(handler: Handler) -> None:
        body = json.dumps(content).encode()
        handler.head(200, {"Content-Length": str(len(body))})
        handler.wfile.write(body)

    return answer


def names(count: int) -> object:
    return {"sha": "0" * 40, "siblings": [{"rfilename": f"{number}"} for number in range(count)]}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (endless, "list of files of .* is larger than 1048576 bytes"),
        (dripping, r"cannot fetch .* \(\d+ bytes in 0 seconds\)"),
        (dripping_head, "no complete head of an answer within 1.5 seconds"),
        (compressed, "compresses .*, which was not asked for"),
        (listing(names(30_000)), "lists 30000 files; expected at most 20000"),
        (listing(names(300_000)), "is larger than 1048576 bytes"),
        (listing([1]), "is no list of files"),
        (listing({"sha": "../..", "siblings": []}), "is no list of files"),
        (listing({"sha": "0" * 40, "siblings": [{"rfilename": "a", "blobId": "../../x"}]}), "is no list of files"),
        (listing({"sha": "0" * 40, "siblings": [{"rfilename": "a", "size": True}]}), "is no list of files"),
        (lambda handler: handler.wfile.write(bytes(2**20)), "cannot fetch"),
        (going_round, "cannot fetch .*edirects"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_lists_of_files_are_bounded(hub: HubServer, answer: Answer, message: str) -> None:
    hub.instead["list"] = answer
    with pytest.raises(HubError, match=message):
        resolve(NAME)


@pytest.mark.parametrize("fetch", ["pull", "resolve"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (endless, rf"{GRAPH} of .* is larger than the \d+ bytes that the Hub says"),
        (dripping, r"cannot fetch .* \(\d+ bytes in 0 seconds\)"),
        (dripping_head, "no complete head of an answer within 1.5 seconds"),
        (compressed, "compresses .*, which was not asked for"),
        (lambda handler: handler.head(200, {"Connection": "close"}), rf"{GRAPH} ended after 0 of 3000000 bytes"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_files_are_bounded(hub: HubServer, tmp_path: Path, answer: Answer, message: str, fetch: str) -> None:
    hub.add(NAME, {**dense_model(), GRAPH: bytes(3_000_000)})
    hub.instead[GRAPH] = answer

    with pytest.raises(HubError, match=message):
        resolve(NAME) if fetch == "resolve" else pull(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 3_200_000


def test_a_connection_that_breaks_again_and_again_is_continued(hub: HubServer, tmp_path: Path) -> None:
    files = {**dense_model(), GRAPH: bytes(range(200)) * 1000}
    hub.add(NAME, files)

    def piece(handler: Handler) -> None:
        start = int((handler.headers["Range"] or "bytes=0-")[6:-1])
        handler.head(206 if start else 200, {"Connection": "close"})
        handler.wfile.write(files[GRAPH][start : start + 50_000])

    hub.instead[GRAPH] = piece

    assert (resolve(NAME) / GRAPH).read_bytes() == files[GRAPH]
    assert [request.range for request in hub.log if request.file == GRAPH] == [
        *(None, "bytes=50000-", "bytes=100000-", "bytes=150000-")
    ]


def test_a_server_that_ignores_the_range_starts_the_file_anew(hub: HubServer, tmp_path: Path) -> None:
    files = dense_model()
    hub.add(NAME, files)
    broken = iter([files[GRAPH][:50], files[GRAPH]])

    def whole(handler: Handler) -> None:
        handler.head(200, {"Connection": "close"})
        handler.wfile.write(next(broken))

    hub.instead[GRAPH] = whole

    assert (pull(NAME, tmp_path / "out") / GRAPH).read_bytes() == files[GRAPH]


def test_a_file_larger_than_the_disk_is_refused_before_it_is_asked_for_whole(hub: HubServer, tmp_path: Path) -> None:
    listed = {"rfilename": "modules.json", "size": 10**16}
    hub.instead["list"] = listing({"sha": "0" * 40, "siblings": [listed, {"rfilename": "config.json", "size": 1}]})
    hub.instead["modules.json"] = endless

    with pytest.raises(HubError, match=r"modules\.json has 10000000000000000 bytes; expected at most"):
        pull(NAME, tmp_path / "out")
    file = transfer.HubFile("model.bin", 10**16, None, None)
    hub.instead["model.bin"] = endless
    empty = transfer.Listing(transfer.Repository(NAME), "0" * 40, {})
    with pytest.raises(HubError, match=r"the disk is full \(model\.bin has 10000000000000000 bytes\)"):
        transfer.download(empty, file, tmp_path / "part")


def test_a_file_of_unknown_size_is_refused(hub: HubServer) -> None:
    hub.instead["list"] = listing({"sha": "0" * 40, "siblings": [{"rfilename": "config.json"}]})
    hub.instead["config.json"] = endless

    with pytest.raises(HubError, match=r"does not say how large config\.json is"):
        resolve(NAME)


@pytest.mark.parametrize("name", ["../../config_x.json", "/etc/config_x.json"])
def test_names_stay_inside_the_cache(hub: HubServer, tmp_path: Path, name: str) -> None:
    files = static_model()
    hub.add(NAME, files)
    listed = transfer.list_files(transfer.Repository(NAME))
    outside = transfer.Listing(listed.repository, listed.commit, {name: transfer.HubFile(name, 2, None, None)})

    from edge_st.hub.client import fetch_to_cache

    with pytest.raises(UnsafePathError, match="leads outside"):
        fetch_to_cache(outside, name, None)


def test_a_thousand_files_of_configuration_are_refused(hub: HubServer) -> None:
    hub.add(NAME, {**static_model(), **{f"config_{number}.json": b"{}" for number in range(1001)}})

    with pytest.raises(UnsupportedModelError, match="has 1004 files of configuration; expected 1000 at most"):
        resolve(NAME)


@pytest.mark.parametrize("name", [GRAPH, "tokenizer.json"])
def test_a_damaged_file_does_not_stay_in_the_cache(hub: HubServer, name: str) -> None:
    hub.add(NAME, dense_model())
    hub.corrupt.add(name)

    with pytest.raises(HubError, match=rf"{name} of {NAME} arrived damaged \((sha256|git blob id) "):
        resolve(NAME)
    hub.corrupt.clear()
    assert (resolve(NAME) / name).read_bytes() == dense_model()[name]


def test_a_file_that_is_cut_in_the_cache_is_fetched_anew(hub: HubServer) -> None:
    hub.add(NAME, dense_model())
    graph = resolve(NAME) / GRAPH
    graph.resolve().write_bytes(b"cut")

    assert (resolve(NAME) / GRAPH).read_bytes() == dense_model()[GRAPH]
    assert contents(graph.parents[1]) >= {GRAPH}
