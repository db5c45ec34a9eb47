"""Small vector indexes, each with its expected content, which is compared by brute force."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.dense.layout import DenseLayout
from edge_st_runtime.store.dense.snapshot import VectorSnapshot
from edge_st_runtime.store.rows.index import Mode
from edge_st_runtime.store.rows.segment import Rows
from edge_st_runtime.store.rows.snapshot import SearchOptions, encoded_id, hashes_of
from edge_st_runtime.store.rows.strings import Strings
from edge_st_runtime.store.tokens.index import TokenIndex
from edge_st_runtime.store.tokens.layout import TokenLayout
from edge_st_runtime.store.tokens.snapshot import TokenSnapshot
from edge_st_runtime.vectors.similarity import SimilarityFunction
from tests.support.small_tokens import DIM, check_token_search, token_vectors

DOT = SimilarityFunction.DOT_PRODUCT
Known = tuple[Any, str, dict[str, Any]]
Change: TypeAlias = "Callable[[Small], object]"


def settings(precision: str = "float32", rescore: str | None = None, texts: bool = True) -> dict[str, Any]:
    return {"dim": DIM, "precision": precision, "rescore": rescore, "texts": texts, "similarity": "dot", "model": None}


def vector(seed: int) -> Any:
    """The vector of the text ``str(seed)``: whole numbers, so that products are exact."""
    return np.random.default_rng(seed).integers(-9, 10, DIM).astype(np.float32)


def rows_of(known: Sequence[Known], layout: DenseLayout | TokenLayout) -> Rows[Any]:
    seeds = [int(text) for _, text, _ in known]
    if isinstance(layout, DenseLayout):
        vectors: Any = layout.encode(np.array([vector(seed) for seed in seeds], dtype=np.float32).reshape(-1, DIM))
    else:
        vectors = layout.encode([token_vectors(seed) for seed in seeds])
    ids, texts = [encoded_id(found) for found, _, _ in known], [text.encode() for _, text, _ in known]
    metadata = [json.dumps(found).encode() for _, _, found in known]
    kept = (Strings.of(texts), hashes_of(texts)) if layout.texts else (None, None)
    return Rows(vectors, Strings.of(ids), hashes_of(ids), Strings.of(metadata), *kept)


@dataclass
class Small:
    """An index open for writing, and its expected content: id → seed of the vector, in order of adding."""

    index: Any
    held: dict[Any, int] = field(default_factory=dict)
    added: int = 0

    @classmethod
    def create(cls, folder: Path, *kind: Any) -> "Small":
        """Of dense vectors; ``kind`` are the arguments of `settings`."""
        return cls(VectorIndex.create(folder, settings(*kind)))

    @classmethod
    def of_tokens(cls, folder: Path, precision: str = "int8", texts: bool = True) -> "Small":
        """Of token vectors."""
        made = {"dim": DIM, "precision": precision, "texts": texts, "similarity": "maxsim", "model": None}
        return cls(TokenIndex.create(folder, made))

    def open(self, mode: Mode = "r") -> Any:
        """The index, opened once more."""
        return type(self.index).open(self.index.folder, mode)

    def append(self, count: int, ids: Sequence[Any] | None = None) -> None:
        """Add ``count`` new rows, or rows that replace those with ``ids``."""
        known = [
            (found, str(seed), {"odd": seed % 2})
            for seed, found in enumerate(ids if ids is not None else range(self.added, self.added + count), self.added)
        ]
        self.index.append(rows_of(known, self.index.snapshot.layout))
        for found, text, _ in known:
            self.held.pop(found, None)
            self.held[found] = int(text)
        self.added += count

    def delete(self, *ids: Any) -> None:
        self.index.delete([encoded_id(found) for found in ids])
        for found in ids:
            del self.held[found]


def check(snapshot: VectorSnapshot | TokenSnapshot, held: dict[Any, int]) -> None:
    """Compare the content of ``snapshot`` and its search results with brute force."""
    rows = snapshot.rows().tolist()
    assert len(snapshot) == len(rows)
    assert [(snapshot.id(row), snapshot.text(row)) for row in rows] == [
        (found, str(seed) if snapshot.layout.texts else None) for found, seed in held.items()
    ]
    assert [snapshot.metadata(row) for row in rows] == [{"odd": seed % 2} for seed in held.values()]
    assert snapshot.find([encoded_id(found) for found in held]).tolist() == rows
    assert snapshot.find([encoded_id("not there")]).tolist() == [-1]
    if isinstance(snapshot, TokenSnapshot):
        check_token_search(snapshot, held)
    else:
        _check_search(snapshot, held)


def _check_search(snapshot: VectorSnapshot, held: dict[Any, int]) -> None:
    rows = snapshot.rows().tolist()
    queries, vectors = np.stack([vector(-seed) for seed in (-1, -2, -3)]), np.array([vector(s) for s in held.values()])
    expected = queries @ vectors.reshape(-1, DIM).T
    order = np.argsort(-expected, axis=1, kind="stable")[:, :10]
    scores, found = snapshot.search(queries, 10, DOT)
    assert found.tolist() == np.array(rows, dtype=int)[order].tolist()
    assert scores.tolist() == np.take_along_axis(expected, order, axis=1).tolist()
    odd = np.array([seed % 2 for seed in held.values()], dtype=bool)
    _, found = snapshot.search(queries[:1], len(held), DOT, SearchOptions(lambda metadata: metadata["odd"]))
    assert set(found[0].tolist()) - {-1} == set(np.array(rows, dtype=int)[odd].tolist())


def files_of(small: Small) -> set[str]:
    return {path.name for path in small.index.folder.iterdir()}


def other_settings(small: Small, number: int = 0) -> dict[str, Any]:
    """Settings to move to, and others to change one's mind to."""
    if isinstance(small.index, VectorIndex):
        return settings(["float16", "float32"][number])
    return {
        **small.index.settings,
        "similarity": "meanmaxsim",
        "model": [None, {"name": "x", "fingerprint": "y"}][number],
    }


def migrated(small: Small) -> Any:
    target = small.index.start_migration(other_settings(small))
    known = [(found, str(seed), {"odd": seed % 2}) for found, seed in small.held.items()]
    target.append(rows_of(known, target.snapshot.layout))
    return target


def append(small: Small, ids: list[Any]) -> None:
    known = [(found, str(place), {"odd": place % 2}) for place, found in enumerate(ids)]
    small.index.append(rows_of(known, small.index.snapshot.layout))


CHANGES: dict[str, Change] = {
    "append": lambda small: append(small, ["new", "other"] * 4),
    "replace": lambda small: append(small, [5, 32, "new"]),
    "merge": lambda small: append(small, ["new", 0]),
    "delete": lambda small: small.index.delete([encoded_id(found) for found in (6, 32, 33)]),
    "compact": lambda small: small.index.compact(),
    "migrate": lambda small: small.index.finish_migration(migrated(small)),
}
