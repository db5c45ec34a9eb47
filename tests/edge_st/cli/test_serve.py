"""What ``edge-st serve`` makes of its arguments, and refuses before it serves."""

import argparse
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_st import cli
from edge_st.cli import serve
from edge_st.server.config import ModelConfig


def parsed(*arguments: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve.add(parser.add_subparsers())
    return parser.parse_args(["serve", *map(str, arguments)])


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_ST_KEYS", raising=False)


def test_options_take_the_place_of_the_file(tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("models: [{name: own}]\nthreads: 3\nlazy: true\nmax_texts: 7\npage: false\n")
    found = serve.config_of(parsed("--config", path))
    assert (found.threads, found.lazy, found.max_texts, found.page) == (3, True, 7, False)
    found = serve.config_of(
        parsed(
            *(f"a={tiny_folder}", tiny_folder, "--config", path, "--threads", "2", "--queue-tokens", "9"),
            *("--cache-mb", "1.5", "--max-body-mb", "2", "--unload-after", "60", "--cors-origin", "https://a.example"),
        )
    )
    assert found.models == (ModelConfig(str(tiny_folder), "a"), ModelConfig(str(tiny_folder), tiny_folder.name))
    assert (found.threads, found.lazy, found.max_texts, found.page) == (2, True, 7, False)
    assert (found.queue_tokens, found.cache_mb, found.max_body_bytes, found.unload_after) == (9, 1.5, 2**21, 60)
    assert found.cors_origins == ("https://a.example",)


def test_a_folder_may_have_an_equals_sign(tmp_path: Path) -> None:
    folder = tmp_path / "a=b"
    folder.mkdir()
    assert serve.config_of(parsed(folder)).models == (ModelConfig(str(folder), "a=b"),)


def test_an_index(tmp_path: Path) -> None:
    (index,) = serve.config_of(parsed("--index", f"docs={tmp_path}:own", "own=all-MiniLM-L6-v2")).indexes
    assert (index.name, index.path, index.model) == ("docs", tmp_path, "own")


def test_where_to_listen() -> None:
    found = serve.running_of(parsed("--host", "0.0.0.0", "--port", "0", "--workers", "3", "--drain-seconds", "2.5"))
    assert (found.place.host, found.place.port, found.workers, found.drain_seconds) == ("0.0.0.0", 0, 3, 2.5)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "65536"], ["--port", "-1"], ["--workers", "0"], ["--threads", "x"], ["--cache-mb", "-1"],
        ["--cache-mb", "nan"], ["--max-body-mb", "0"], ["--unload-after", "inf"], ["--log-format", "xml"],
    ],
)  # fmt: skip
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The line with which the command ends."""
    assert cli.main(["serve", "--port", "0", *map(str, arguments)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err.removeprefix("edge-st: error: ").removesuffix("\n")


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused(capsys, "--port", str(port)) == (
            f"another process listens at 127.0.0.1:{port}; give another port: edge-st serve --port {port + 1}"
        )


def test_a_key_file_that_others_can_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    path.write_text("secret")
    path.chmod(0o644)
    assert refused(capsys, "--keys", path).endswith(f"(mode 644); run: chmod 600 {path}")


def test_what_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.write_text("no certificate")
    cases: dict[tuple[str | Path, ...], str] = {
        ("--config", missing): f"the configuration {missing} cannot be read: No such file or directory",
        ("--ssl-certfile", missing): f"--ssl-certfile {missing}: No such file or directory",
        ("--ssl-certfile", file): f"the certificate {file} with the key {file} cannot be used: ",
        ("--ssl-keyfile", file): f"--ssl-keyfile {file} has no certificate; give it, too: --ssl-certfile FILE",
        ("--index", "docs"): "--index is 'docs'; expected NAME=FOLDER:MODEL",
        ("--index", f"docs={missing}:x"): "indexes[0]: the model 'x' is not served; expected one of 'static-",
        ("--host", "203.0.113.1"): "--host 203.0.113.1 is no address of this machine; expected one, such as 127.0.0.1",
        ("--host", "no such host"): "--host no such host: ",
        ("--uds", file): f"--uds {file}: there is something else than a socket; give another path",
        ("--uds", missing / "s"): f"--uds {missing / 's'}: No such file or directory; expected a short path",
        ("--fd", "999"): "the file descriptor 999 is no socket: Bad file descriptor; expected one that is open",
        ("./missing",): "models[0].model: './missing' is neither an existing folder",
        ("a=.", "a=."): "models[1]: the name 'a' stands for models[0] already",
    }
    for arguments, message in cases.items():
        assert refused(capsys, *arguments).startswith(message)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "uvicorn" or "edge_st.server" in name]:
        monkeypatch.delitem(sys.modules, name)
    hide: Any = lambda _: None  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", hide)
    assert "pip install 'edge-st[server]'" in refused(capsys)
