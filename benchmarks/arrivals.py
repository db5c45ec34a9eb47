"""Requests that arrive at a server at a fixed rate, whether it keeps up or not, and what became of each."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

#: of ten requests, one is large
_LARGE_EVERY = 10
_LAST_ANSWER = 90.0  # seconds after the last arrival


class Outcome(NamedTuple):
    """What became of a request with so many ``texts``: its ``status``, or the ``fault`` of its connection.

    ``begun`` is the time of `time.monotonic` at which it arrived; it took so many ``seconds``.
    """

    texts: int
    begun: float
    seconds: float
    status: int | None
    fault: str = ""

    @property
    def is_small(self) -> bool:
        """Whether it has a single text."""
        return self.texts == 1


class Mix:
    """Bodies for /embed, all of different texts: nine with one text, then one with ``large`` texts."""

    def __init__(self, sentences: Sequence[str], large: int) -> None:
        self._sentences, self._large = itertools.cycle(sentences), large
        self._number = itertools.count()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """The number of texts of each request, and its body."""
        for number in itertools.count():
            texts = self._large if number % _LARGE_EVERY == _LARGE_EVERY - 1 else 1
            inputs = [f"{next(self._sentences)} {next(self._number)}" for _ in range(texts)]
            yield texts, json.dumps({"inputs": inputs}).encode()

    @property
    def texts_a_request(self) -> float:
        """The mean number of texts."""
        return (_LARGE_EVERY - 1 + self._large) / _LARGE_EVERY


@dataclass
class Load:
    """Requests of ``mix`` to the server at ``host`` and ``port``; ``outcomes`` are those that have ended.

    Connections are used again where ``keep`` says so.
    """

    host: str
    port: int
    mix: Mix
    keep: bool = True
    outcomes: list[Outcome] = field(default_factory=list)
    _stopped: bool = False
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def closed(self, clients: int, seconds: float) -> float:
        """Requests answered with 200 per second, by so many clients that each ask as soon as they have an answer."""
        bodies, begin = iter(self.mix), time.monotonic()

        async def client() -> None:
            while time.monotonic() - begin < seconds:
                await self.one(*next(bodies))

        await asyncio.gather(*(client() for _ in range(clients)))
        answered = sum(each.status == 200 for each in self.outcomes if each.begun >= begin)
        return answered / (time.monotonic() - begin)

    async def open(self, rate: float, seconds: float) -> float:
        """Requests arrive ``rate`` times a second, until `stop`; the answer is the rate that was reached."""
        bodies, begin, running = iter(self.mix), time.monotonic(), set[asyncio.Task[None]]()
        sent, self._stopped = 0, False
        while (due := sent / rate) < seconds and not self._stopped:
            await asyncio.sleep(max(0, begin + due - time.monotonic()))
            task = asyncio.ensure_future(self.one(*next(bodies)))
            running.add(task)
            task.add_done_callback(running.discard)
            sent += 1
        reached = sent / (time.monotonic() - begin)
        if running:
            await asyncio.wait(running, timeout=_LAST_ANSWER)
        for task in running:
            task.cancel()
        return reached

    def stop(self) -> None:
        """Let no more requests arrive."""
        self._stopped = True

    async def one(self, texts: int, content: bytes) -> None:
        """Send a request, and keep its outcome."""
        begun = time.monotonic()
        status, fault = None, ""
        try:
            status = await self._post(content)
        except ConnectionRefusedError:
            fault = "refused"
        except (OSError, EOFError) as error:
            fault = f"broken ({type(error).__name__})"
        except asyncio.CancelledError:
            fault = "no answer"
        self.outcomes.append(Outcome(texts, begun, time.monotonic() - begun, status, fault))

    def _head(self, length: int) -> bytes:
        kind = "keep-alive" if self.keep else "close"
        lines = (
            "POST /embed HTTP/1.1",
            f"Host: {self.host}",
            f"Connection: {kind}",
            f"Content-Length: {length}",
            "",
            "",
        )
        return "\r\n".join(lines).encode()

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection that waits for a request, and that the server did not close for idleness."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _post(self, content: bytes) -> int:
        reader, writer = self._kept() or await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(self._head(len(content)) + content)
            head_lines = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head_lines.partition(b"content-length:")[2].split(b"\r\n")[0]))
        except BaseException:
            writer.close()
            raise
        if self.keep and b"connection: close" not in head_lines:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return int(head_lines.split(b" ", 2)[1])


def counts(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How often each status and each fault came."""
    return Counter(each.fault or str(each.status) for each in outcomes)


def latency(outcomes: Sequence[Outcome]) -> str:
    """The median and the 99th percentile of those that were answered with 200, in milliseconds."""
    times = [each.seconds * 1000 for each in outcomes if each.status == 200]
    if not times:
        return "none"
    p50, p99 = np.percentile(times, (50, 99))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {max(times):.0f} ms ({len(times)})"
