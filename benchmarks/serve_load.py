"""A server under twice the load that it can take, a worker that is killed, and an end under load.

The load arrives at a fixed rate, whether the server keeps up or not: nine requests with one text, then a large one.
Allowed answers are 200, 429 and 503; everything else ends this with exit code 1.
"""

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arrivals import Load, Mix, Outcome, counts, latency
from tables import table
from texts import sentences

from edge_st_runtime.machine.cpu import cpu_features, cpu_name

_ALLOWED = {"200", "429", "503"}
_PAGE = os.sysconf("SC_PAGE_SIZE")
_READY = 120.0  # seconds
#: memory of the last third by that of the second one that counts as flat; in the first one all paths run once
_FLAT = 1.05
#: seconds of load before memory has to be flat
_LONG = 60
_CLIENTS = 16
#: seconds after the end of a process in which a request may still come to it
_GRACE = 0.5


@dataclass
class Server:
    """``edge-st serve`` as a process that listens at ``host`` and ``port``."""

    process: subprocess.Popen[bytes]
    host: str
    port: int

    def processes(self) -> list[int]:
        """Its own number, and those of its children that serve."""
        found = [self.process.pid]
        with_helpers = Path(f"/proc/{found[0]}/task/{found[0]}/children").read_text("utf-8").split()
        return found + [int(each) for each in with_helpers if b"spawn_main" in _read(f"/proc/{each}/cmdline")]

    def resident(self) -> float:
        """MiB of memory of all its processes."""
        pages = [int((_read(f"/proc/{each}/statm") or b"0 0").split()[1]) for each in self.processes()]
        return sum(pages) * _PAGE / 2**20


@contextmanager
def serving(model: str | None, *options: str) -> Iterator[Server]:
    """A server of ``model``, once it is ready; it is killed at the end if it still runs."""
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "edge_st", "serve", *([] if model is None else [model]), "--port", "0"]
        process = subprocess.Popen([*command, *options], stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        try:
            yield Server(process, *_address(process, log.fileno()))
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: int) -> tuple[str, int]:
    end = time.monotonic() + _READY
    while time.monotonic() < end and process.poll() is None:
        told = os.pread(log, 10**6, 0).decode()
        if " serving " in told:
            host, _, port = told.partition("http://")[2].split()[0].rstrip(",;").rpartition(":")
            return host, int(port)
        time.sleep(0.05)
    raise SystemExit(f"the server does not start:\n{os.pread(log, 10**6, 0).decode()}")


@dataclass
class Report:
    """What is printed, and the ``faults`` that must not be."""

    faults: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Print a line at once."""
        print(text, flush=True)

    def check(self, fine: bool, fault: str) -> None:
        """Note and print a fault unless all is ``fine``."""
        if not fine:
            self.faults.append(fault)
            self.say(f"FAULT: {fault}")


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", nargs="?", help="a model folder or an installed model; by default the bundled one")
    made.add_argument("--minutes", type=float, default=5, help="of twice the load (default: 5)")
    made.add_argument("--large", type=int, default=64, help="texts of a large request (default: 64)")
    made.add_argument("--texts", type=Path, help="a file of texts; by default sentences of documentation")
    made.add_argument("--seconds", type=float, default=10, help="of every other measurement (default: 10)")
    made.add_argument("--queue-tokens", type=int, help="as of `edge-st serve`, to fill the queue sooner")
    options = made.parse_args()
    more = () if options.queue_tokens is None else ("--queue-tokens", str(options.queue_tokens))
    report, mix = Report(), Mix(sentences(options.texts), options.large)
    report.say(f"{cpu_name()}: {' '.join(sorted(cpu_features()))}")
    report.say(f"{len(os.sched_getaffinity(0))} cores, which the load shares; load {os.getloadavg()[0]:.1f}")
    with serving(options.model, *more) as server:
        rate = asyncio.run(_capacity(server, mix, options.seconds, report))
        asyncio.run(_overload(server, mix, 2 * rate, options.minutes * 60, report))
        asyncio.run(_end(server, mix, rate, options.seconds, report))
    with serving(options.model, *more, "--workers", "2") as server:
        asyncio.run(_killed(server, mix, rate / 2, options.seconds, report))
        asyncio.run(_end(server, mix, rate, options.seconds, report))
    report.say(f"\n{len(report.faults)} faults" + "".join(f"\n  {each}" for each in report.faults))
    raise SystemExit(1 if report.faults else 0)


async def _capacity(server: Server, mix: Mix, seconds: float, report: Report) -> float:
    load = Load(server.host, server.port, mix)
    await load.closed(_CLIENTS, min(3, seconds))
    load.outcomes.clear()
    rate = await load.closed(_CLIENTS, seconds)
    found = counts(load.outcomes)
    report.check(set(found) <= _ALLOWED, f"while the capacity was measured: {dict(found)}")
    small, large = _split(load.outcomes)
    report.say(f"\ncapacity: {rate:.1f} requests/s, {rate * mix.texts_a_request:.0f} texts/s, with {_CLIENTS} clients")
    report.say(f"  one text: {latency(small)}\n  large: {latency(large)}")
    return rate


async def _overload(server: Server, mix: Mix, rate: float, seconds: float, report: Report) -> None:
    report.say(f"\ntwice the capacity, {rate:.1f} requests/s for {seconds:.0f} s")
    load, begin = Load(server.host, server.port, mix), time.monotonic()
    loading = asyncio.ensure_future(load.open(rate, seconds))
    rows, memory, every = [], list[float](), min(10, seconds / 6)
    while not loading.done():
        await asyncio.wait((loading,), timeout=every)
        if time.monotonic() - begin <= seconds:
            memory.append(server.resident())
            found = counts(load.outcomes)
            told = [found[name] for name in ("200", "429", "503")]
            rows.append(
                [f"{time.monotonic() - begin:.0f}", f"{memory[-1]:.1f}", *map(str, [*told, found.total() - sum(told)])]
            )
    report.say(table(["s", "MiB", "200", "429", "503", "else"], rows))
    found, (small, large) = counts(load.outcomes), _split(load.outcomes)
    report.say(f"  {await loading:.1f} requests/s arrived; answers: {dict(found)}")
    report.say(f"  accepted, one text: {latency(small)}\n  accepted, large: {latency(large)}")
    report.check(set(found) <= _ALLOWED, f"answers under load: {dict(found)}")
    report.check(found["429"] + found["503"] > 0, "nothing was refused: this was no overload")
    third = max(1, len(memory) // 3)
    second, last = statistics.mean(memory[third:-third] or memory), statistics.mean(memory[-third:])
    report.say(f"  memory: {second:.1f} MiB in the second third, {last:.1f} in the last ({last / second - 1:+.1%})")
    report.check(last < second * _FLAT or seconds < _LONG, "memory is not flat")


async def _killed(server: Server, mix: Mix, rate: float, seconds: float, report: Report) -> None:
    report.say(f"\nkill -9 of one of two workers, at {rate:.1f} requests/s")
    load = Load(server.host, server.port, mix, keep=False)
    loading = asyncio.ensure_future(load.open(rate, 2 * seconds + _READY))
    await asyncio.sleep(seconds)
    workers = server.processes()[1:]
    report.check(len(workers) == 2, f"{len(workers)} workers")
    os.kill(workers[0], signal.SIGKILL)
    killed, back = time.monotonic(), None
    while back is None and time.monotonic() < killed + _READY:
        await asyncio.sleep(0.02)
        new = [each for each in server.processes()[1:] if each not in workers]
        back = time.monotonic() - killed if any(_serves(each, server.port) for each in new) else None
    await asyncio.sleep(seconds)
    load.stop()
    await loading
    _tell_killed(load.outcomes, killed, back, report)


def _tell_killed(outcomes: Sequence[Outcome], killed: float, back: float | None, report: Report) -> None:
    failed = [each for each in outcomes if each.fault]
    answered = [each for each in outcomes if each.begun > killed and not each.fault]
    report.say(f"  {len(failed)} of {len(outcomes)} requests failed at the connection: {dict(counts(failed))}")
    if back is None:
        report.check(False, f"the worker did not come back within {_READY:.0f} s")
    else:
        between = [each for each in answered if each.begun < killed + back]
        report.say(f"  two served again after {back:.1f} s, in which the other gave {dict(counts(between))}")
        report.say(f"  these took: {latency(between)}")
    report.say(f"  all answers after the kill: {dict(counts(answered))}")
    late = [each.begun - killed for each in failed if each.begun > killed + _GRACE]
    report.check(not late, f"requests failed that came {late} s after the kill")
    report.check(set(counts(answered)) <= _ALLOWED, f"answers after the kill: {dict(counts(answered))}")


async def _end(server: Server, mix: Mix, rate: float, seconds: float, report: Report) -> None:
    report.say(f"\nSIGTERM at {rate:.1f} requests/s, {len(server.processes())} processes")
    load = Load(server.host, server.port, mix)
    loading = asyncio.ensure_future(load.open(rate, seconds))
    await asyncio.sleep(seconds / 2)
    told, running = time.monotonic(), asyncio.get_running_loop()
    server.process.send_signal(signal.SIGTERM)
    code = await running.run_in_executor(None, server.process.wait, 60)
    ended = time.monotonic() - told
    await loading
    before = [each for each in load.outcomes if each.begun < told]
    waiting = [each for each in before if each.begun + each.seconds >= told]
    after = [each for each in load.outcomes if each.begun >= told]
    report.say(f"  {len(waiting)} requests were there, and got: {dict(counts(waiting))}")
    # a connection that is kept open may be closed while the next request is on its way: that one was not accepted
    report.say(f"  of those that came later: {dict(counts(after))}; ended after {ended:.1f} s with exit code {code}")
    report.check(set(counts(before)) <= _ALLOWED, f"accepted before SIGTERM: {dict(counts(before))}")
    report.check(code == 0, f"the exit code is {code}")


def _serves(process: int, port: int) -> bool:
    """Whether the process has accepted a connection at ``port``."""
    lines = (_read("/proc/net/tcp") + _read("/proc/net/tcp6")).decode().splitlines()
    rows = [line.split() for line in lines if ":" in line]
    open_ones = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    try:
        mine = {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir()}
    except OSError:
        return False
    return not mine.isdisjoint(open_ones)


def _split(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    return [each for each in outcomes if each.is_small], [each for each in outcomes if not each.is_small]


def _read(path: str) -> bytes:
    """The content of a file of /proc; nothing where the process has ended."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
