"""`edge-st serve` under load, beside the services of peers on the same cores.

Run ``python benchmarks/serve.py MODEL [MODEL …] --original ORIGINAL --peers`` with model folders: each is served as it
says itself, so a folder with float32 and one with int8 compare both. Every service has its own process on
``--server-cores``; the clients are this process on ``--client-cores``. They keep their connections, and send when they
have their answer; they load the services in turn (A B A B …). Texts are all different and have 24 tokens.

Bulk is two clients that send 256 texts (16 to 32 tokens) at a time without a pause. A small request is one text: of 64
clients at once, of one client every 50 ms, or of one client without a pause. Beside it stands what `encode` does in a
process on the same cores with all texts at once. Answers are compared with `encode`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from disturbance import disturbance
from harness import ENVIRONMENTS, Setup, Worker, in_turn, setup
from http_load import Answers, Clients, UnansweredError, load
from measures import cosines
from serve_commands import NO_PACKAGE, PEERS, constant, edge, peer
from serve_report import Run, beside_table, http_table, many_table, start_table
from serve_rerank import rerank_table
from services import OPENAI, OPENAI_BASE64, Command, Interface, Service
from texts import even_lengths, sentences, windows

from edge_st import SentenceTransformer

SINGLES, BULKS, BULK, AT_ONCE, TOKENS = 6000, 12, 256, 2000, 24
WARM, STARTS, PACED_LONGER = 0.5, 5, 2
#: the largest difference of a vector's value to `encode`'s, and the least cosine of a peer's vector to them
TOLERANCE, PEERS_COSINE = 1e-5, 0.98
FORMATS = {"float": OPENAI, "base64": OPENAI_BASE64}
#: clients with small requests, their seconds from one to the next, and whether bulk comes beside them
PHASES = {
    "many": (64, 0.0, False),
    "paced": (1, 0.05, False),
    "bulk": (0, 0.0, True),
    "paced beside bulk": (1, 0.05, True),
    "one": (1, 0.0, False),
    "one beside bulk": (1, 0.0, True),
}
_OWN_PHASES = ("one", "one beside bulk")


@dataclass(frozen=True)
class Texts:
    """The texts of small requests, and those of bulk ones."""

    singles: Sequence[str]
    bulk: Sequence[Sequence[str]]

    def clients(self, interface: Interface, phase: str) -> list[Clients]:
        """The clients of a phase, those with small requests first."""
        count, every, beside = PHASES[phase]
        found = []
        if count:
            found.append(Clients(count, [interface.request([text]) for text in self.singles], every=every))
        if beside:
            found.append(Clients(2, [interface.request(texts) for texts in self.bulk], BULK))
        return found

    def answered(self, clients: Clients, place: int) -> Sequence[str]:
        """The texts of a request."""
        return self.bulk[place] if clients.texts > 1 else [self.singles[place]]


class Measured:
    """A running service with all its requests, and what it did so far."""

    def __init__(self, service: Service, texts: Texts, worker: Worker | None) -> None:
        self.service, self.worker, self._texts = service, worker, texts
        self.run = Run(service.label, starts=[service.seconds], idle=service.memory())
        phases = [phase for phase in PHASES if worker is not None or phase not in _OWN_PHASES]
        self._clients = {phase: texts.clients(service.interface, phase) for phase in phases}

    def round(self, seconds: float) -> None:
        """Measure each phase once. A peer that does not answer is named, and has no figure of that phase."""
        for phase, clients in list(self._clients.items()):
            try:
                longer = PACED_LONGER if phase.startswith("paced") else 1
                answers = load(self.service.port, clients, seconds * longer, WARM)
            except UnansweredError as error:
                if self.worker is not None:
                    raise
                print(f"left out: {self.service.label}, {phase} ({error})")
                del self._clients[phase]
                self.run.phases.pop(phase, None)
            else:
                self.run.phases.setdefault(phase, []).append(answers)
        if self.worker is not None:
            (rounds,) = in_turn([self.worker], "all", 1).values()
            self.run.encode += [AT_ONCE / each for each in rounds]
        self.run.loaded = self.service.memory()

    def check(self, reference: Worker) -> str:
        """How the kept answers differ from those of ``reference``; raises ValueError where they differ too much."""
        texts: list[str] = []
        vectors = []
        for phase, rounds in self.run.phases.items():
            for clients, answers in zip(self._clients[phase], rounds[-1], strict=True):
                for place, answer in answers.kept:
                    texts += self._texts.answered(clients, place)
                    vectors.append(self.service.interface.read(answer))
        if not vectors:
            return f"{self.service.label}: no answers"
        found = np.concatenate(vectors)
        reference.give("kept", texts)
        expected = reference.result("kept")
        difference, cosine = float(np.abs(found - expected).max()), float(cosines(found, expected).min())
        told = f"{self.service.label}: {len(texts)} answers, largest difference {difference:.1e}, cosine {cosine:.5f}"
        if cosine < PEERS_COSINE or (self.worker is not None and difference > TOLERANCE):
            raise ValueError(f"{told}: these are not the vectors of `encode`")
        return told


def _progress(what: str) -> None:
    print(f"{time.strftime('%X')} {what}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    options = _options()
    server, client = _cores(options)
    os.sched_setaffinity(0, client)
    common = replace(setup(options), cores=server)
    print(f"services on the cores {_shown(server)}, clients on {_shown(client)}")
    texts = _texts(options.texts, common.folder / "tokenizer.json")
    with disturbance():
        with ExitStack() as stack:
            runs = _measure(stack, options, common, texts)
        _starts(runs, options.models, common)
        two = [_workers(*each, common, texts, options.seconds) for each in zip(runs, options.models, strict=False)]
        http = _http(common, texts, options.seconds, options.rounds)
        reranking = options.reranker and rerank_table(
            options.reranker.resolve(), common, texts.singles, options.seconds, options.rounds
        )
    paced, one = "a text every 50 ms", "a text at a time, no pause"
    told = [many_table(runs), beside_table(runs, "paced", paced), beside_table(runs, "one", one)]
    told += [http_table(http), start_table([*runs, *two]), *([reranking] if reranking else [])]
    print("\n" + "\n\n".join(told))


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="model folders")
    made.add_argument("--original", type=Path, help="the original folder, for peers (default: the first MODEL)")
    made.add_argument("--reranker", type=Path, help="the folder of a cross-encoder, to measure /rerank, too")
    made.add_argument("--peers", action="store_true", help="also measure the peers' services")
    made.add_argument("--server-cores", type=_numbers, metavar="N,N", help="default: all but the clients'")
    made.add_argument("--client-cores", type=_numbers, metavar="N,N", help="default: the last one")
    made.add_argument("--seconds", type=float, default=2, help="the measured time of a phase (default: 2)")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--texts", type=Path, help=".tsv or .txt file of real texts")
    made.add_argument("--prepared", type=Path, default=ENVIRONMENTS / "models", help="the folder for peers' files")
    made.add_argument("--env", action="append", default=[], metavar="NAME=PATH", help="the environment of a peer")
    made.set_defaults(graph="onnx/model.onnx", name=None, threads=None)
    options = made.parse_args()
    options.models = [folder.resolve() for folder in options.models]
    with_graph = [folder for folder in options.models if (folder / options.graph).is_file()]
    options.folder = [*with_graph, *options.models][0]
    return options


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _cores(options: argparse.Namespace) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The cores of the services and those of the clients."""
    cores = sorted(os.sched_getaffinity(0))
    client = options.client_cores or tuple(core for core in cores if core not in (options.server_cores or cores[:-1]))
    server = options.server_cores or tuple(core for core in cores if core not in client)
    if not server or not client or set(server) & set(client):
        sys.exit(f"services on {server}, clients on {client}; expected cores for both, of {cores}, and none shared")
    return server, client


def _shown(cores: Sequence[int]) -> str:
    return ",".join(map(str, cores))


def _texts(file: Path | None, tokenizer_json: Path) -> Texts:
    lengths = [TOKENS] * SINGLES + even_lengths(BULKS * BULK, 16, 32)
    found = windows(sentences(file), lengths, tokenizer_json)
    starts = range(SINGLES, len(found), BULK)
    return Texts(found[:SINGLES], [found[start : start + BULK] for start in starts])


def _measure(stack: ExitStack, options: argparse.Namespace, common: Setup, texts: Texts) -> list[Run]:
    """All services in turn, round by round; their answers are checked at the end."""
    found = []
    for folder in options.models:
        own = replace(common, folder=folder)
        label = _label(folder)
        worker = stack.enter_context(Worker(own, "edge-st default", label))
        worker.open()
        worker.give("all", texts.singles[:AT_ONCE])
        service = stack.enter_context(Service(edge(label, folder, common.cores)))
        found.append(Measured(service, texts, worker))
    for label in PEERS if options.peers else ():
        try:
            service = stack.enter_context(Service(peer(label, common)))
        except RuntimeError as error:
            print(f"left out: {label} ({error})")
        else:
            found.append(Measured(service, texts, None))
    if options.peers:
        print(NO_PACKAGE)
    for number in range(options.rounds):
        for each in found:
            _progress(f"round {number + 1}, {each.service.label}")
            each.round(options.seconds)
    reference = next(each.worker for each in found if each.worker is not None)
    for each in found:
        print(each.check(each.worker or reference))
    return [each.run for each in found]


def _label(folder: Path) -> str:
    """What a folder's service is called: its precision."""
    return f"edge-st {SentenceTransformer(folder).info()['dtype']}"


def _starts(runs: Sequence[Run], folders: Sequence[Path], common: Setup) -> None:
    """Start each model's service again and again, in turn."""
    _progress("starts")
    for _ in range(STARTS):
        for run, folder in zip(runs, folders, strict=False):
            with Service(edge(run.label, folder, common.cores)) as service:
                run.starts.append(service.seconds)


def _workers(one: Run, folder: Path, common: Setup, texts: Texts, seconds: float) -> Run:
    """The start and the memory of two processes."""
    _progress("two processes")
    command = edge(f"{one.label}, --workers 2", folder, common.cores, "--workers", "2")
    with Service(command) as service:
        run = Run(command.label, starts=[service.seconds], idle=service.memory())
        load(service.port, texts.clients(service.interface, "many"), seconds, WARM)
        run.loaded = service.memory()
    return run


def _http(common: Setup, texts: Texts, seconds: float, rounds: int) -> dict[tuple[str, str, int], list[Answers]]:
    """The bundled model, and a service that answers what it has answered to a text."""
    found: dict[tuple[str, str, int], list[Answers]] = {}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        own = stack.enter_context(Service(edge("edge-st", None, common.cores)))
        services = []
        for form, interface in FORMATS.items():
            own.interface = interface
            (scratch / form).write_bytes(own.ask(texts.singles[:1])[1])
            other: Command = constant("constant", interface, scratch / form, common.cores)
            services += [(form, own), (form, stack.enter_context(Service(other)))]
        _progress("the bundled model")
        for _ in range(rounds):
            for form, service in services:
                requests = [FORMATS[form].request([text]) for text in texts.singles]
                for count in (1, 64):
                    (answers,) = load(service.port, [Clients(count, requests)], seconds, WARM)
                    found.setdefault((service.label, form, count), []).append(answers)
    return found


if __name__ == "__main__":
    main()
