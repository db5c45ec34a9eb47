"""Access tokens and passwords: sent to the Hub alone, and in no message."""

import logging
import re
import traceback
from pathlib import Path

import pytest

from edge_st.hub.errors import mapped_errors, redacted
from edge_st.hub.pull import pull
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import EdgeSTError, HubError, OptionError
from tests.support.hub_models import NAME, dense_model, python
from tests.support.hub_server import Handler, HubServer, hub_server

TOKEN = "hf_AbCdEfGhIjKlMnOp"


def everything(error: BaseException) -> str:
    """What a log has of an error: its message and that of its causes."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("name", ["other", "owner/gated", NAME])
def test_no_password_of_the_endpoint_is_printed(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    hub.add("owner/gated", dense_model(), token="another")
    hub.instead = {} if name != NAME else {"list": lambda handler: handler.head(503, {"Content-Length": "0"})}
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("://", "://me:p4ssw0rd@"))

    with (
        caplog.at_level(logging.DEBUG, "edge_st"),
        pytest.raises(HubError, match=f"127.0.0.1.*{name}|{name}.*127") as caught,
    ):
        resolve(name, token=TOKEN)
    for secret in ("p4ssw0rd", "me:", TOKEN):
        assert secret not in everything(caught.value) + caplog.text


@pytest.mark.parametrize("endpoint", ["http://me:p4ssw0rd@no host", "http://127.0.0.1:9/?key=p4ssw0rd"])
def test_an_endpoint_where_nothing_is(hub: HubServer, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)

    with pytest.raises(HubError, match="check the network and HF_ENDPOINT") as caught:
        resolve(NAME)
    assert "p4ssw0rd" not in everything(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("me:p4ss%40w0rd@127.0.0.1:9", "127.0.0.1:9"),
        ("//me:p4ssw0rd@host", "host"),
        ("http:/me:p4ssw0rd@host", "host"),
        ("ftp://me:p4ssw0rd@host", "host"),
        ("http://me:p4ssw0rd@", ""),
        ("host/?key=p4ssw0rd", "host/?…"),
    ],
)
def test_an_endpoint_that_is_no_address(
    hub: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    endpoint: str,
    shown: str,
) -> None:
    hub.add(NAME, dense_model())
    folder = resolve(NAME)
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    said = f"HF_ENDPOINT is no address ({shown!r}); expected one such as https://huggingface.co: mend or unset it"

    with caplog.at_level(logging.WARNING, "edge_st"):
        assert resolve(NAME) == resolve(NAME, local_files_only=True) == folder
    assert caplog.messages == [f"{said}; using the copy in the cache"]
    for fetch in (lambda: resolve("me/other"), lambda: pull("me/other", tmp_path / "out")):
        with pytest.raises(HubError, match=re.escape(said)) as caught:
            fetch()
        assert "p4ss" not in everything(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("http://me:p4ssw0rd@[", "'['"),
        ("http://me:p4ss/w0rd@host:abc", "'host:abc'"),
        ("http://h:99999/", "'http://h:99999'"),
    ],
)
def test_an_endpoint_that_cannot_be_parsed(endpoint: str, shown: str) -> None:
    """In a process of its own: huggingface_hub, too, looks at it, and prints a line."""
    code = """
from edge_st import SentenceTransformer
for local_only in (False, True):
    try:
        SentenceTransformer("owner/name", local_files_only=local_only)
    except OSError as error:
        print(error)
"""
    output, complaints = python(code, HF_ENDPOINT=endpoint).communicate()
    assert not complaints
    expected = f"HF_ENDPOINT is no address ({shown}); expected one such as https://huggingface.co: mend or unset it"
    assert output.splitlines() == [expected] * 2


def test_a_password_that_the_parser_of_addresses_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://me:p4ssw0rd@a\u2100b")
    with pytest.raises(HubError, match="HF_ENDPOINT is no address") as caught:
        resolve(NAME)
    assert "p4ssw0rd" not in everything(caught.value)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN} ", f"{TOKEN}é", f"{TOKEN}\0"])
def test_a_token_that_is_none_is_refused_unprinted(hub: HubServer, tmp_path: Path, token: str) -> None:
    with pytest.raises(
        OptionError, match="the access token has a character that no token has; check HF_TOKEN"
    ) as caught:
        pull(NAME, tmp_path / "out", token=token)
    assert TOKEN not in everything(caught.value)
    assert not hub.log


def test_a_token_that_must_be_there_and_is_not(hub: HubServer) -> None:
    with pytest.raises(OptionError, match="hf auth login"):
        resolve(NAME, token=True)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (f"Illegal header value b'Bearer {TOKEN}'", "Illegal header value b'Bearer …'"),
        ("Bearer secret is wrong", "Bearer … is wrong"),
        ("for https://me:word@host/x@y and http://host", "for https://host/x@y and http://host"),
        ("https://token@host", "https://host"),
    ],
)
def test_messages_of_others_are_redacted(text: str, printed: str) -> None:
    assert redacted(text) == printed
    with pytest.raises(EdgeSTError) as caught, mapped_errors(NAME):
        raise RuntimeError(text)
    assert printed in str(caught.value)
    assert text not in everything(caught.value)


def test_the_token_stays_with_the_hub_where_it_sends_elsewhere(hub: HubServer) -> None:
    files = dense_model()
    hub.add(NAME, files, token=TOKEN)
    seen: list[str | None] = []

    def elsewhere(handler: Handler) -> None:
        seen.append(handler.headers.get("Authorization"))
        body = files["tokenizer.json"]
        handler.head(200, {"Content-Length": str(len(body)), "Connection": "close"})
        handler.wfile.write(body)

    with hub_server() as other:
        other.instead["list"] = elsewhere
        address = other.url.replace("127.0.0.1", "localhost")
        hub.instead["tokenizer.json"] = lambda handler: handler.head(
            302, {"Location": f"{address}/file", "Content-Length": "0", "Connection": "close"}
        )
        assert (resolve(NAME, token=TOKEN) / "tokenizer.json").read_bytes() == files["tokenizer.json"]
    assert seen == [None]
