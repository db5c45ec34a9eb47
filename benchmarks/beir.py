"""Retrieval sets in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv (with a header line)."""

import json
import random
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Collection:
    """Documents, queries, and of each query the grades above 0 by document position."""

    documents: list[str]
    queries: list[str]
    grades: list[dict[int, int]]


def collection(folder: Path, split: str, count: int | None = None, *, titles: bool) -> Collection:
    """All documents, and the queries that have a relevant one in ``split``: all, or ``count`` drawn by a fixed seed.

    ``titles`` puts each document's title before its text, as BEIR does.
    """
    corpus, queries = _rows(folder / "corpus.jsonl"), _rows(folder / "queries.jsonl")
    positions = {row["_id"]: position for position, row in enumerate(corpus)}
    judged: dict[str, dict[int, int]] = {}
    for line in _lines(folder / "qrels" / f"{split}.tsv")[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            judged.setdefault(query, {})[positions[document]] = int(grade)
    wanted = [row for row in queries if row["_id"] in judged]
    if count is not None and count < len(wanted):
        wanted = random.Random(1).sample(wanted, count)
    return Collection(
        documents=[f"{row.get('title', '')} {row['text']}".strip() if titles else row["text"] for row in corpus],
        queries=[row["text"] for row in wanted],
        grades=[judged[row["_id"]] for row in wanted],
    )


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in _lines(file)]


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").split("\n") if line]
