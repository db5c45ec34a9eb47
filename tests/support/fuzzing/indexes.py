"""Small indexes of every kind, each with a changed manifest whose checksum is right."""

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge_st import Index, MultiVectorIndex
from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from tests.support.fuzzing.values import change
from tests.support.small_index import DOCUMENTS, QUERIES

_TEXTS = [f"{word} {place}" for place, word in enumerate(["apple", "pear", "plum", "fig"] * 5)]
_VECTORS = np.random.default_rng(5).standard_normal((len(_TEXTS), 8)).astype(np.float32)
_TOKENS = [_VECTORS[place : place + place % 4] for place in range(len(_TEXTS))]


def _dense(folder: Path, **options: Any) -> None:
    metadata = [{"n": place} for place in range(len(_TEXTS))]
    with Index.build(None, _TEXTS[:12], folder, metadata=metadata[:12], embeddings=_VECTORS[:12], **options) as index:
        index.add(_TEXTS[12:], metadata=metadata[12:], embeddings=_VECTORS[12:])
        index.delete([3, 14])


def _read_dense(folder: Path) -> list[Any]:
    index = Index.open(folder)
    index.info()
    index.verify()
    hits = index.search(_VECTORS[:2], top_k=4)
    return [hits, index.search(_VECTORS[0], filter={"n": [1, 2]}), index.get([1, 2])]


def _write_dense(folder: Path) -> list[Any]:
    with Index.open(folder, "a") as index:
        index.add(["more"], embeddings=_VECTORS[:1])
        index.update([1], ["other"], embeddings=_VECTORS[:1])
        index.delete([2])
        index.compact()
        return [index.search(_VECTORS[:2], top_k=4), len(index)]


def _tokens(folder: Path) -> None:
    metadata = [{"n": place} for place in range(len(_TEXTS))]
    made = {"metadata": metadata[:12], "embeddings": _TOKENS[:12], "precision": "int8"}
    with MultiVectorIndex.build(None, _TEXTS[:12], folder, **made) as index:
        index.add(_TEXTS[12:], metadata=metadata[12:], embeddings=_TOKENS[12:])
        index.delete([3, 14])


def _use_tokens(folder: Path) -> list[Any]:
    with MultiVectorIndex.open(folder, "a") as index:
        index.info()
        index.verify()
        hits = [index.search(_TOKENS[:2], top_k=4), index.search(_TOKENS[1], filter={"n": [1, 2]}), index.get([1, 2])]
        index.add(["more"], embeddings=_TOKENS[:1])
        index.compact()
        return [*hits, index.search(_TOKENS[:2], top_k=4, candidates=4), len(index)]


def _sparse(folder: Path) -> None:
    index = InvertedIndex(DOCUMENTS.dim)
    index.add(DOCUMENTS[:50])
    index.save(folder)
    InvertedIndex.open(folder).add(DOCUMENTS[50:])


def _read_sparse(folder: Path) -> list[Any]:
    index = InvertedIndex.open(folder)
    found = [each.tolist() for each in index.search(QUERIES, 5)]
    index.add(DOCUMENTS[:2])
    index.merge()
    index.verify()
    return [*found, len(index)]


def _bm25(folder: Path) -> None:
    index = BM25()
    index.add(_TEXTS)
    index.save(folder)
    BM25.open(folder).add(["grape and pear", "melon"])


def _read_bm25(folder: Path) -> list[Any]:
    index = BM25.open(folder)
    found = [each.tolist() for each in index.search(["pear", "grape 3"], 5)]
    index.add(["one more"])
    index.merge()
    index.verify()
    return [*found, len(index)]


Make: TypeAlias = Callable[[Path], None]
Read: TypeAlias = Callable[[Path], list[Any]]
KINDS: Mapping[str, tuple[Make, Read]] = {
    "dense index": (_dense, _read_dense),
    "int8 index": (lambda folder: _dense(folder, precision="int8", rescore="float16"), _read_dense),
    "binary index, written to": (lambda folder: _dense(folder, precision="binary"), _write_dense),
    "multi-vector index": (_tokens, _use_tokens),
    "sparse index": (_sparse, _read_sparse),
    "BM25 index": (_bm25, _read_bm25),
}


def make(root: Path) -> None:
    """Write an index of every kind below ``root``."""
    for kind, (write, _) in KINDS.items():
        write(root / kind)


class Indexes:
    """Cases of changed manifests."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root, self._folder = root, scratch / "case"
        self._right = cache(self._read)

    def prepare(self, number: int) -> str:
        """Make the index of case ``number``; returns what was changed."""
        kind, chance, changes = row(number), random.Random(number), []
        self._right(kind)
        self._copy(kind)
        (manifest,) = self._folder.glob("*.json")
        found = json.loads(manifest.read_text())
        del found["sha256"]
        for _ in range(chance.choice([1, 1, 1, 2])):
            changed = change(found, chance)
            changes.append(_difference(found, changed))
            found = changed
        if isinstance(found, dict):
            found["sha256"] = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
        manifest.write_text(json.dumps(found))
        return ", ".join(changes)

    def outcome(self, number: int) -> tuple[str, str]:
        """What became of the results, and a word about it; raises what the index raises."""
        kind = row(number)
        return ("same" if KINDS[kind][1](self._folder) == self._right(kind) else "different"), ""

    def _read(self, kind: str) -> list[Any]:
        self._copy(kind)
        return KINDS[kind][1](self._folder)

    def _copy(self, kind: str) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._root / kind, self._folder)


def row(number: int) -> str:
    """The row of the table that case ``number`` belongs to: the kind of its index."""
    return list(KINDS)[number % len(KINDS)]


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key, ...) != after.get(key, ...)]
        return f"{keys}: {[after.get(key) for key in keys]!r:.300}"
    return f"{after!r:.60}"
