"""Nothing but a model's name leads to a request, and nothing is written below the home folder."""

from pathlib import Path

import pytest

from edge_st import SentenceTransformer
from edge_st.cli import COMMANDS
from tests.support.hub_models import NAME, static_model
from tests.support.hub_server import HubServer
from tests.support.tiny_models import TinyModel, graph_entry, write_record
from tests.support.tiny_pair_models import ONE, SPARSE
from tests.support.traced import Trace, traced
from tests.support.variants import TEXTS, golden

_CLASSES = """
import edge_st
texts = ["one text", "another one", "a third"]
edge_st.SentenceTransformer({dense!r}, backend={engine!r}).encode(texts)
edge_st.SparseEncoder({sparse!r}, backend={engine!r}).encode(texts)
model = edge_st.CrossEncoder({cross!r}, backend={engine!r})
model.rank("a query", texts)
print(model.info()["engine"], end="")
"""
_COMMANDS = """
import os, pathlib, signal, socket, threading, time
from edge_st.cli import main

def ask_and_end():
    with socket.socket(socket.AF_UNIX) as client:
        while client.connect_ex("serve.sock"):
            time.sleep(0.05)
        client.sendall(b'POST /embed HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 16\\r\\n\\r\\n{{"inputs":"one"}}')
        assert b" 200 " in client.recv(1024)
    os.kill(os.getpid(), signal.SIGTERM)

pathlib.Path("texts.txt").write_text("one text\\nanother one\\na third\\n")
pathlib.Path("pairs.tsv").write_text("5\\tone\\tone\\n1\\tone\\ttwo\\n3\\tone text\\tthree\\n")
for command in {commands!r}:
    if command[0] == "serve":
        threading.Thread(target=ask_and_end, daemon=True).start()
    assert main(command) == 0, command
"""
_MEASURING = {"bench", "tune"}  # which take half a minute
_EMPTY = {"texts": [], "vectors": []}


def write_models(folder: Path, engine: str) -> tuple[str, str, str]:
    """A model of each class, whose record has one graph, for ``engine``."""
    graphs, tiny = [graph_entry("onnx/model.onnx", engine)], TinyModel()
    dense, sparse, cross = tiny.save(folder / "dense"), SPARSE.save(folder / "sparse"), ONE.save(folder / "cross")
    write_record(dense, graphs, golden=golden(tiny.means(TEXTS)))
    fingerprint = SentenceTransformer(dense).fingerprint
    write_record(dense, graphs, golden=golden(tiny.means(TEXTS)), fingerprint=fingerprint)
    write_record(sparse, graphs, task="sparse-encoding", golden=_EMPTY)
    write_record(cross, graphs, task="text-ranking", golden=_EMPTY)
    return str(dense), str(sparse), str(cross)


def commands(dense: str, sparse: str, cross: str) -> dict[str, list[list[str]]]:
    """Calls of every command."""
    model = ["--model", dense]
    return {
        "demo": [["demo", *model]],
        "embed": [["embed", "texts.txt", "-o", "out.npy", *model]],
        "search": [
            ["search", "texts.txt", "-q", "one", *model, "--hybrid"],
            ["search", "texts.txt", "-q", "one", *model, "--sparse", sparse, "--rerank", cross],
        ],
        "index": [
            ["index", "build", "index", "texts.txt", *model],
            ["index", "search", "index", "-q", "one"],
            ["index", "info", "index"],
        ],
        "rerank": [["rerank", "texts.txt", "-q", "one", "--model", cross]],
        "info": [["info", dense], ["info", sparse], ["info", cross]],
        "list": [["list", "minilm"], ["list", "--installed"]],
        "pull": [["pull", NAME, "pulled"]],
        "verify": [["verify", dense]],
        "eval": [["eval", dense, "pairs.tsv"]],
        "serve": [["serve", dense, "--uds", "serve.sock"]],
        "bench": [["bench", dense]],
        "tune": [["tune", dense]],
        "doctor": [["doctor"]],
    }


@pytest.mark.parametrize("measuring", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_commands_speak_to_no_host_but_the_hub(
    measuring: bool, engine: str, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(NAME, static_model())
    calls = commands(*write_models(tmp_path / "models", engine))
    assert calls.keys() == COMMANDS.keys()
    monkeypatch.chdir(tmp_path)

    chosen = [call for name, several in calls.items() if (name in _MEASURING) == measuring for call in several]
    code = _COMMANDS.format(commands=chosen)
    trace = traced(code, tmp_path / "trace", XDG_CACHE_HOME=str(tmp_path / "xdg"))

    assert trace.hosts == (set() if measuring else {"127.0.0.1"})
    assert all(NAME in request.path for request in hub.log)
    assert trace.files == set()


def test_classes_speak_to_no_host(engine: str, tmp_path: Path) -> None:
    dense, sparse, cross = write_models(tmp_path / "models", engine)

    trace = traced(_CLASSES.format(dense=dense, sparse=sparse, cross=cross, engine=engine), tmp_path / "trace")

    assert trace == Trace(set(), set(), engine)


def test_a_trace_sees_processes_and_files(tmp_path: Path) -> None:
    inner = "import socket, pathlib; pathlib.Path.home().joinpath('kept').touch(); socket.gethostbyname('localhost')"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"

    assert traced(code, tmp_path) == Trace({"localhost"}, {"kept"}, "")
