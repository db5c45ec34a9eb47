"""Indexes that are killed and shared, for as long as it is asked for.

``python -m tests.soak_index kills 200`` kills a writer at so many random moments, with ``tokens`` after it one of a
multi-vector index; ``python -m tests.soak_index readers
60`` has four processes search for so many seconds while a fifth writes. Both end with what was counted, or raise.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edge_st import Index, MultiVectorEncoder, MultiVectorIndex, SentenceTransformer
from edge_st_runtime.store.segment_folder import listed
from tests.support.tiny_models import TinyModel
from tests.support.tiny_multi_vector import dense_weight, save_multi_vector

DIM, STABLE, WIDTHS = 48, 200, (256, 64)
Held = dict[int, str]


# a writer that is killed


def change(held: Held, step: dict[str, Any]) -> Held:
    """What ``step`` makes of ``held``."""
    if step["do"] == "delete":
        return {found: text for found, text in held.items() if found not in step["ids"]}
    if step["do"] in ("add", "update"):
        return held | dict(zip(step["ids"], step["texts"], strict=True))
    return held


def steps(held: Held, chance: random.Random, first: int = 0) -> Iterator[dict[str, Any]]:
    """Changes of all kinds, without end, of rows from number ``first``."""
    held = {found: text for found, text in held.items() if found >= first}
    first = max(held, default=first - 1) + 1
    while True:
        do = chance.choices(["add", "update", "delete", "compact", "migrate"], [10, 2, 3, 2, 3])[0]
        ids = chance.sample(sorted(held), min(len(held), chance.randint(1, 20)))
        if do == "add":
            ids = list(range(first, first + chance.choice([1, 1, 1, 2, 9, 40])))
            first += len(ids)
        if do == "delete" and len(held) > 1500:
            ids = sorted(held)[:700]
        step = {"do": do, "ids": ids, "texts": [f"text {found} {chance.random()}" for found in ids]}
        held = change(held, step)
        yield step


class Kind:
    """Indexes of dense vectors, and two models to migrate between."""

    index: Any = Index

    def __init__(self) -> None:
        self.models: list[Any] = [SentenceTransformer(truncate_dim=width) for width in WIDTHS]

    def current(self, path: Path) -> int:
        """The number of the model that the index was built with or moved to last."""
        return WIDTHS.index(Index.open(path).info()["dim"])

    def create(self, path: Path) -> None:
        Index.build(self.models[0], [], path, precision="int8", rescore="float32").close()

    def check(self, reader: Any, model: Any, texts: list[str]) -> None:  # noqa: ARG002 - for the other kind
        """Every text finds itself."""
        for text, hits in zip(texts, reader.search(texts, top_k=1), strict=True):
            assert hits[0]["text"] == text, f"{hits} for {text!r}"


class TokenKind(Kind):
    """The same for token vectors, of tiny models in ``folder``."""

    index = MultiVectorIndex

    def __init__(self, folder: Path) -> None:
        TinyModel().save(folder / "tiny")
        saved = [
            save_multi_vector(folder / str(seed), folder / "tiny", query_expansion=None, weight=dense_weight(seed=seed))
            for seed in (1, 2)
        ]
        self.models = [MultiVectorEncoder(path) for path in saved]

    def current(self, path: Path) -> int:
        recorded = MultiVectorIndex.open(path).info()["model"]["fingerprint"]
        return [model.fingerprint for model in self.models].index(recorded)

    def create(self, path: Path) -> None:
        MultiVectorIndex.build(self.models[0], [], path).close()

    def check(self, reader: Any, model: Any, texts: list[str]) -> None:
        """Every text finds a row that scores as itself: the tiny tokenizer does not tell all texts apart."""
        for text, hits in zip(texts, reader.search(texts, top_k=1), strict=True):
            own = float(model.similarity(model.encode_query([text]), model.encode_document([text]))[0, 0])
            assert hits[0]["score"] > own - 0.1, f"{hits} for {text!r}, which scores {own} with itself"


def write(path: Path, kind: Kind, seed: int, told: Any) -> None:
    """Change the index in ``path`` until killed: each step is told before it begins, and when it is complete."""
    with kind.index.open(path, "a", kind.models[kind.current(path)]) as index:
        for step in steps(held_in(index), random.Random(seed)):
            print(json.dumps(step), file=told, flush=True)
            if step["do"] == "migrate":
                index.migrate(kind.models[1 - kind.current(path)])
            elif step["do"] == "compact":
                index.compact()
            elif step["do"] == "delete":
                index.delete(step["ids"])
            elif step["do"] == "update":
                index.update(step["ids"], step["texts"])
            else:
                index.add(step["texts"], step["ids"])
            print("done", file=told, flush=True)


def held_in(index: Any) -> Held:
    snapshot = index._store.snapshot
    return {int(snapshot.id(row)): snapshot.text(row) or "" for row in snapshot.rows().tolist()}


def kills(times: int, tokens: bool = False) -> Counter[str]:
    """Kill a writer so many times; raises AssertionError for an index that is not what it told to be complete."""
    chance, counted, held = random.Random(0), Counter[str](), dict[int, str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        kind = TokenKind(Path(folder) / "models") if tokens else Kind()
        kind.create(path)
        for number in range(times):
            lines = killed(path, kind, number, chance.random() ** 2 / 2)
            done = lines.count("done")
            told_steps = [json.loads(line) for line in lines if line != "done"]
            for step in told_steps[:done]:
                held = change(held, step)
            begun = told_steps[done:]
            counted.update(complete=done, **{f"killed in {step['do']}": 1 for step in begun})
            allowed = [held, *(change(held, step) for step in begun)]
            held = check_killed(path, allowed, kind, chance)
            counted.update(kills=1)
    return counted


def killed(path: Path, kind: Kind, seed: int, seconds: float) -> list[str]:
    """What a forked writer told before it was killed, so long after its first word."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        with suppress(BaseException), os.fdopen(writing, "w") as told:
            write(path, kind, seed, told)
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as told:
        first = told.readline()
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        lines = [first, *told]
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL, "the writer ended by itself"
    return [line.strip() for line in lines if line.endswith("\n")]


def check_killed(path: Path, allowed: list[Held], kind: Kind, chance: random.Random) -> Held:
    """The index opens, is whole and holds one of ``allowed``: which."""
    model = kind.models[kind.current(path)]
    reader = kind.index.open(path, model=model)
    reader.verify()
    held = held_in(reader)
    assert held in allowed, f"{len(held)} rows, expected one of {list(map(len, allowed))}"
    kind.check(reader, model, [held[found] for found in chance.sample(sorted(held), min(len(held), 5))])
    with kind.index.open(path, "a"):
        files = {found.name for found in path.iterdir() if not found.name.startswith(".")}
    manifests = [json.loads((path / name).read_text()) for name in files if name.endswith(".json")]
    names = {entry["name"] for manifest in manifests for entry in listed(manifest)}
    assert {name for name in files if name.startswith("segment-")} == names, "leftovers"
    return held


# readers beside a writer


def start(*arguments: object) -> Any:
    """This module as another process, whose output is read."""
    command = [sys.executable, "-m", "tests.soak_index", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def vector(text: str) -> Any:
    found = np.random.default_rng(list(text.encode())).standard_normal(DIM)
    return (found / np.linalg.norm(found)).astype(np.float32)


def vectors(texts: list[str]) -> Any:
    return np.stack([vector(text) for text in texts])


def share(path: str, seed: str, seconds: str) -> None:
    """Change the index in ``path`` for so long; the first rows stay."""
    chance, counted, until = random.Random(seed), Counter[str](), time.monotonic() + float(seconds)
    while time.monotonic() < until:
        with Index.open(path, "a") as index:
            for step in steps(held_in(index), chance, STABLE):
                texts = [f"{found} {chance.random()}" for found in step["ids"]]
                if step["do"] == "delete":
                    index.delete(step["ids"])
                elif step["do"] == "add":
                    index.add(texts, step["ids"], embeddings=vectors(texts))
                elif step["do"] == "update" and texts:
                    index.update(step["ids"], texts, embeddings=vectors(texts))
                elif step["do"] == "compact":
                    index.compact()
                counted[step["do"]] += step["do"] != "migrate"  # which takes a model
                if chance.random() < 0.02 or time.monotonic() > until:
                    break
    print(json.dumps(counted), flush=True)


def read(path: str, seed: str, seconds: str) -> None:
    """Search the index in ``path`` for so long; every hit is checked against its text."""
    chance, counted, until = random.Random(seed), Counter[str](), time.monotonic() + float(seconds)
    index = Index.open(path)
    while time.monotonic() < until:
        stable = [chance.randrange(STABLE) for _ in range(4)]
        queries = vectors([f"{found} stable" for found in stable])
        for found, query, hits in zip(stable, queries, index.search(queries, top_k=5), strict=True):
            assert hits[0]["corpus_id"] == found, f"{hits[0]} for {found}"
            for hit in hits:
                assert hit["text"].split()[0] == str(hit["corpus_id"]), hit
                assert abs(hit["score"] - float(query @ vector(hit["text"]))) < 1e-4, hit
            counted.update(hits=len(hits), searches=1)
            other = index.search(vector(hits[-1]["text"]), top_k=1)[0]
            assert other["text"] == hits[-1]["text"], other
        if chance.random() < 0.3:
            counted["refreshed"] += index.refresh()
        if chance.random() < 0.05:
            index = Index.open(path)
            counted["opened"] += 1
    print(json.dumps(counted), flush=True)


def readers(seconds: float, processes: int = 4) -> Counter[str]:
    """Search in so many processes beside a writer; raises AssertionError where one of them found something wrong."""
    with tempfile.TemporaryDirectory() as folder:
        texts = [f"{found} stable" for found in range(STABLE)]
        made = {"embeddings": vectors(texts), "precision": "int8", "rescore": "float32"}
        Index.build(None, texts, Path(folder) / "x", **made).close()  # type: ignore[arg-type]
        started = [start("share", Path(folder) / "x", 0, seconds)]
        started += [start("read", Path(folder) / "x", number, seconds) for number in range(processes)]
        told = [process.communicate()[0] for process in started]
        assert all(process.returncode == 0 for process in started), [process.returncode for process in started]
        with Index.open(Path(folder) / "x") as index:
            index.verify()
            rows = len(index)
    return sum((Counter(json.loads(line)) for line in told), Counter[str](rows=rows))


if __name__ == "__main__":
    name, *given = sys.argv[1:]
    if name == "kills":
        print(json.dumps(kills(int(given[0]), given[1:] == ["tokens"])))
    elif name == "readers":
        print(json.dumps(readers(float(given[0]))))
    else:
        {"share": share, "read": read}[name](*given)
