"""The part of benchmarks/serve.py for a reranker: 8 clients, each with a query and 16 texts at a time."""

import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness import Setup, Worker, in_turn
from http_load import Answers, Clients, load
from serve_commands import edge
from services import Interface, Service
from tables import table

CLIENTS, TEXTS, SEARCHES, AT_ONCE, WARM = 8, 16, 250, 50, 0.5
_RERANK = Interface("/rerank", "texts", lambda answer: [each["index"] for each in answer], {"query": "What is it?"})


def rerank_table(folder: Path, common: Setup, texts: Sequence[str], seconds: float, rounds: int) -> str:
    """Pairs per second over HTTP, beside `rank` with the same searches; raises ValueError where the orders differ."""
    steps = range(0, SEARCHES * (TEXTS + 1), TEXTS + 1)
    searches = [(texts[start], list(texts[start + 1 : start + 1 + TEXTS])) for start in steps]
    requests = [replace(_RERANK, others={"query": query}).request(documents) for query, documents in searches]
    served: list[Answers] = []
    ranked: list[float] = []
    with ExitStack() as stack:
        worker = stack.enter_context(Worker(replace(common, folder=folder, task="rerank"), "edge-st default"))
        worker.open()
        worker.give("all", searches[:AT_ONCE])
        command = replace(edge("edge-st", folder, common.cores), interface=_RERANK)
        service = stack.enter_context(Service(command))
        for _ in range(rounds):
            served += load(service.port, [Clients(CLIENTS, requests, TEXTS)], seconds, WARM)
            ranked += [AT_ONCE * TEXTS / each for (each,) in in_turn([worker], "all", 1).values()]
        _check(worker, searches, served[-1])
    shares = statistics.median(one.rate / other for one, other in zip(served, ranked, strict=True))
    p50, p99 = np.percentile([each for answers in served for each in answers.milliseconds], (50, 99))
    rate, alone = statistics.median(each.rate for each in served), statistics.median(ranked)
    header = ["rerank, 8 clients, 16 texts each", "pairs/s", "p50 ms", "p99 ms", "rank, all at once", "share of rank"]
    return table(header, [["edge-st", f"{rate:.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{alone:.0f}", f"{shares:.0%}"]])


def _check(worker: Worker, searches: Sequence[tuple[str, list[str]]], answers: Answers) -> None:
    worker.give("kept", [searches[place] for place, _ in answers.kept])
    expected = worker.result("kept")[..., 0].astype(int).tolist()
    found = [_RERANK.vectors(json.loads(answer)) for _, answer in answers.kept]
    if found != expected:
        raise ValueError("the service ranks in another order than `rank`")
