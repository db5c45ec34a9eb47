"""Clients in a closed loop: each keeps one connection and sends its next request when the last one is answered.

Requests are complete bytes before the clock starts. Of an answer, only the status and the length are read; a few whole
answers are kept to be checked.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, cast

import numpy as np
import uvloop

HOST: Final = "127.0.0.1"
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
_KEPT, _KEPT_EVERY = 24, 37


@dataclass(frozen=True)
class Clients:
    """``count`` clients that send ``requests``, each with so many ``texts``; the next one is anybody's.

    ``every`` is the time in seconds from one request of a client to its next one; it does not send before it has its
    answer.
    """

    count: int
    requests: Sequence[bytes]
    texts: int = 1
    every: float = 0


@dataclass
class Answers:
    """What clients got: the start and the end of each request in seconds, and ``kept`` answers by request number.

    The measured time is from ``begin`` to ``end``.
    """

    texts: int
    begin: float
    end: float
    times: list[tuple[float, float]] = field(default_factory=list)
    kept: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Texts per second. Of a request that was only partly in the measured time, that part counts."""
        starts, ends = np.array(self.times).T
        within = np.minimum(ends, self.end) - np.maximum(starts, self.begin)
        return float(np.sum(np.maximum(within, 0) / (ends - starts))) * self.texts / (self.end - self.begin)

    @property
    def milliseconds(self) -> list[float]:
        """The time of each request that was under way in the measured time."""
        return [(end - start) * 1000 for start, end in self.times if start < self.end and end > self.begin]


class UnansweredError(Exception):
    """A service gave no answer, or one that is not 200."""


def request(path: str, body: bytes) -> bytes:
    """A POST of ``body``, which is JSON."""
    head = f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def load(port: int, clients: Sequence[Clients], seconds: float, warm: float) -> list[Answers]:
    """What each of ``clients``, all at the same time, got in ``seconds``, which begin after the seconds ``warm``.

    What is asked before the end is answered. Raises UnansweredError where a request is not answered by 200.
    """
    return uvloop.run(_load(port, clients, seconds, warm))


async def _load(port: int, clients: Sequence[Clients], seconds: float, warm: float) -> list[Answers]:
    loop = asyncio.get_running_loop()
    begin = time.perf_counter() + warm
    found = [Answers(each.texts, begin, begin + seconds) for each in clients]
    work = []
    for each, answers in zip(clients, found, strict=True):
        numbers = count()
        for _ in range(each.count):
            _, connection = await loop.create_connection(_Connection, HOST, port)
            work.append(_client(connection, each, numbers, answers))
    await asyncio.gather(*work)
    return found


async def _client(connection: "_Connection", clients: Clients, numbers: Iterator[int], answers: Answers) -> None:
    end = 0.0
    while end < answers.end:
        number = next(numbers)
        place = number % len(clients.requests)
        start = time.perf_counter()
        status, body = await connection.ask(clients.requests[place])
        end = time.perf_counter()
        if status != 200:
            raise UnansweredError(f"status {status}: {body[:300].decode(errors='replace')}")
        answers.times.append((start, end))
        if number % _KEPT_EVERY == 0 and len(answers.kept) < _KEPT:
            answers.kept.append((place, body))
        if clients.every:
            await asyncio.sleep(clients.every - (end - start))
    connection.close()


class _Connection(asyncio.Protocol):
    """A connection that is kept, for one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._read = bytearray()
        self._body, self._whole = 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio

    def ask(self, content: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the result is the status and the body of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(content)
        return self._answer

    def close(self) -> None:
        """End the connection."""
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Read a part of an answer."""
        self._read += data
        if not self._whole:
            head = self._read.find(_END_OF_HEAD)
            if head < 0:
                return
            self._body = head + len(_END_OF_HEAD)
            self._whole = self._body + _length(bytes(self._read[:head]))
        if len(self._read) >= self._whole:
            found = int(self._read[9:12]), bytes(self._read[self._body : self._whole])
            self._read.clear()
            self._whole = 0
            assert self._answer is not None
            self._answer.set_result(found)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(UnansweredError(f"the connection ended ({exc or 'closed by the service'})"))


def _length(head: bytes) -> int:
    lowered = head.lower()
    place = lowered.find(_LENGTH)
    if place < 0:
        raise UnansweredError(f"an answer without content-length: {head[:300].decode(errors='replace')}")
    return int(lowered[place + len(_LENGTH) :].split(b"\r\n", 1)[0])
