"""Requests to the Hub, bounded in time, rate and size.

huggingface_hub gives the session, with the proxies and certificates that are set for it, and the token. Its own
functions are not used for requests: they read an answer of any size, wait as long as a server sends a byte now and
then, decompress what a server sends compressed, and ask the Hub for more than the file.
"""

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import quote

from edge_st_runtime.errors import HubError, OptionError

from .errors import (
    OfflineError,
    TooSlowError,
    UnreachableError,
    address,
    endpoint,
    full,
    redacted,
    refusal,
    unreachable,
)
from .repository import HubFile, Listing, Repository, read_listing

_SILENCE = 10.0  # seconds to connect, and between two pieces of an answer
_HEAD = 30.0  # seconds until the head of an answer is there, redirections included
_WINDOW, _LEAST = 10.0, 1_000  # an answer of fewer bytes a second, over a window of so many seconds, is given up
_PIECE = 2**16
_LISTING = 16 * 2**20  # bytes of a list of files
_CONFIGURATION = 256 * 2**20  # bytes of a file that is no weights
_WITHOUT_BAR = 2**20
_AGAIN, _PAUSE = 3, 1.0  # attempts in a row that bring nothing, and the seconds between them


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


def list_files(repository: Repository) -> Listing:
    """Ask the Hub for the commit and its files, in one request."""
    with repository.mapped_errors():
        from huggingface_hub.utils import validate_repo_id

        validate_repo_id(repository.name)
        path = f"api/models/{repository.name}/revision/{quote(repository.revision, safe='')}?blobs=true"
        content = bytearray()
        with _get(repository, path, {}) as answer:
            for piece in answer.pieces:
                content += piece
                if len(content) > _LISTING:
                    raise HubError(
                        f"the list of files of {repository.name} is larger than {_LISTING} bytes; give another model, "
                        "or check HF_ENDPOINT"
                    )
        return read_listing(repository, bytes(content))


def download(listing: Listing, file: HubFile, part: Path) -> None:
    """Append to ``part`` what it lacks; where the connection breaks, continue while every attempt brings something."""
    attempts = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if before and before == file.size:
            return
        try:
            with listing.repository.mapped_errors():
                _append(listing, file, part, before)
        except (OfflineError, TooSlowError):
            raise
        except UnreachableError:
            attempts = 0 if part.exists() and part.stat().st_size > before else attempts + 1
            if attempts == _AGAIN:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _append(listing: Listing, file: HubFile, part: Path, before: int) -> None:
    repository = listing.repository
    path = f"{repository.name}/resolve/{listing.commit}/{quote(file.name)}"
    with _get(repository, path, {"Range": f"bytes={before}-"} if before else {}) as answer, ExitStack() as stack:
        done = before if answer.status == 206 else 0
        expected = _expected(file, answer, done)
        if expected - done > shutil.disk_usage(part.parent).free:
            raise full(repository.name, f"{file.name} has {expected} bytes")
        stream = stack.enter_context(part.open("ab" if done else "wb"))
        bar = stack.enter_context(_bar(file.name, done, expected))
        for piece in answer.pieces:
            done += len(piece)
            if done > expected:
                raise HubError(
                    f"{file.name} of {repository.name} is larger than the {expected} bytes that the Hub says; "
                    "check HF_ENDPOINT, or give a local folder"
                )
            stream.write(piece)
            bar.update(len(piece))
        if done < expected:
            raise unreachable(repository.name, f"{file.name} ended after {done} of {expected} bytes")


def _expected(file: HubFile, answer: _Answer, done: int) -> int:
    length = answer.headers.get("Content-Length", "")
    if file.size is None and not length.isdecimal():
        raise HubError(f"the Hub does not say how large {file.name} is; check HF_ENDPOINT, or give a local folder")
    size = done + int(length) if file.size is None else file.size
    if size > _CONFIGURATION and file.name.endswith((".json", ".jinja", ".txt")):
        raise HubError(f"{file.name} has {size} bytes; expected at most {_CONFIGURATION}: give another model")
    return size


@contextmanager
def _get(repository: Repository, path: str, headers: Mapping[str, str]) -> Iterator[_Answer]:
    """The answer to a request, whose pieces are bounded in rate; raises HubError where it is not one of success."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OfflineError(f"HF_HUB_OFFLINE is set, so {repository.name} is not downloaded; unset it, or give a folder")
    sent = {"User-Agent": "edge-st", "Accept-Encoding": "identity", **_authorization(repository.token), **headers}
    response = _head(repository.name, f"{address()}/{path}", sent)
    try:
        status, found = response.status_code, response.headers
        if status not in (200, 206):
            raise refusal(repository.name, repository.revision, status, found)
        if found.get("Content-Encoding", "identity") != "identity":
            raise HubError(
                f"{redacted(endpoint())} compresses {repository.name}, which was not asked for; check HF_ENDPOINT"
            )
        yield _Answer(status, found, _paced(_raw(response), repository.name))
    finally:
        response.close()


def _head(name: str, url: str, headers: Mapping[str, str]) -> Any:
    """The response as soon as its head is there; raises TooSlowError, and what the session raises.

    A thread of its own waits for it: a session has a limit for the time between two bytes only.
    """
    found: SimpleQueue[Any] = SimpleQueue()
    given_up: list[bool] = []

    def wait() -> None:
        try:
            response = _open(url, headers)
        except Exception as error:  # noqa: BLE001 - raised in the calling thread
            found.put(error)
            return
        found.put(response)
        if given_up:
            response.close()

    Thread(target=wait, name="edge-st request", daemon=True).start()
    try:
        response = found.get(timeout=_HEAD)
    except Empty:
        given_up.append(True)
        raise unreachable(name, f"no complete head of an answer within {_HEAD:g} seconds", TooSlowError) from None
    if isinstance(response, Exception):
        raise response
    return response


def _open(url: str, headers: Mapping[str, str]) -> Any:
    from huggingface_hub.utils import get_session

    session: Any = get_session()  # of httpx, before huggingface_hub 1.0 of requests
    if hasattr(session, "build_request"):  # httpx, from huggingface_hub 1.0 on
        request = session.build_request("GET", url, headers=headers, timeout=_SILENCE)
        return session.send(request, stream=True, follow_redirects=True)
    return session.get(url, headers=headers, timeout=_SILENCE, stream=True)


def _raw(response: Any) -> Iterator[bytes]:
    if hasattr(response, "iter_raw"):
        return iter(response.iter_raw())
    if hasattr(response.raw, "read1"):  # from urllib3 2.1 on: what is there, which need not fill the piece
        return iter(partial(response.raw.read1, _PIECE, decode_content=False), b"")
    return iter(response.raw.stream(_LEAST, decode_content=False))


def _paced(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """``pieces`` as they come; raises TooSlowError where they come too slowly."""
    start, count = time.monotonic(), 0
    for piece in pieces:
        count += len(piece)
        seconds = time.monotonic() - start
        if seconds > _WINDOW:
            if count < _LEAST * seconds:
                raise unreachable(name, f"{count} bytes in {seconds:.0f} seconds", TooSlowError)
            start, count = time.monotonic(), 0
        yield piece


def _authorization(token: str | bool | None) -> dict[str, str]:
    from huggingface_hub import constants, get_token

    if token is False or (token is None and constants.HF_HUB_DISABLE_IMPLICIT_TOKEN):
        return {}
    found = token if isinstance(token, str) else get_token()
    if token is True and not found:
        raise OptionError("token is True, but there is no login; set HF_TOKEN, or run: hf auth login")
    if not found:
        return {}
    if not (found.isascii() and found.isprintable() and " " not in found):
        raise OptionError("the access token has a character that no token has; check HF_TOKEN, token= or --token")
    return {"Authorization": f"Bearer {found}"}


def _bar(name: str, done: int, expected: int) -> Any:
    """A progress bar, on a terminal, for a large file."""
    from huggingface_hub.utils import are_progress_bars_disabled
    from tqdm.auto import tqdm

    hidden = sys.stderr is None or expected < _WITHOUT_BAR or are_progress_bars_disabled()
    return tqdm(total=expected, initial=done, desc=name, unit="B", unit_scale=True, disable=True if hidden else None)
