"""Texts for indexes, what an exact search finds among them, and a model that counts what it encodes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_st import Index, SentenceTransformer
from edge_st_runtime.errors import InputError

_WHO = ["a cat", "the dog", "my neighbour", "an engineer", "the old king", "a small bird", "our teacher", "the river"]
_DOES = ["sleeps", "writes letters", "eats apples", "climbs", "waits", "sings loudly", "builds a house", "runs away"]
_WHERE = ["in the garden", "near Paris", "on the roof", "at night", "before winter", "under water"]
TEXTS = [f"{who} {does} {where}" for who in _WHO for does in _DOES for where in _WHERE]
METADATA = [{"place": place, "third": place % 3 == 0, "words": text.split()} for place, text in enumerate(TEXTS)]
QUERIES = ["kitten", "someone constructs a home", "music in the dark", "Wer schläft?", "fruit", ""]
PRECISIONS = ["float32", "float16", "int8", "binary"]


class Counted(SentenceTransformer):
    """The bundled model, or that of a folder; ``documents`` are the texts it was given to encode."""

    def __init__(self, *arguments: Any, stop_after: int | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.documents: list[str] = []
        self.stop_after = stop_after

    def encode_document(self, inputs: Any, *arguments: Any, **options: Any) -> Any:
        """Raises InputError where more than ``stop_after`` texts would be encoded."""
        if self.stop_after is not None and len(self.documents) + len(inputs) > self.stop_after:
            raise InputError("stopped")
        self.documents += dict.fromkeys(inputs)  # what occurs several times in a call is computed once
        return super().encode_document(inputs, *arguments, **options)


def exact(model: SentenceTransformer, texts: Sequence[str], query: str, top_k: int = 10) -> list[tuple[int, float]]:
    """Positions and scores of the best texts by the model's own similarity."""
    scores = np.asarray(model.similarity(model.encode_query([query]), model.encode_document(list(texts))))[0]
    return [(place, float(scores[place])) for place in np.argsort(-scores, kind="stable")[:top_k].tolist()]


def ids_of(hits: Sequence[dict[str, Any]]) -> list[Any]:
    return [hit["corpus_id"] for hit in hits]


def check(index: Index, texts: dict[Any, str], model: SentenceTransformer | None = None) -> None:
    """Check that it holds these texts by id, in order of adding, and that a search for each finds itself first."""
    assert len(index) == len(texts)
    assert [row["text"] for row in index.get(list(texts))] == list(texts.values())
    if model is not None and texts:
        found = index.search(model.encode_document(list(texts.values())), top_k=1)
        assert [hits[0]["text"] for hits in found] == list(texts.values())


def names(path: Path) -> set[str]:
    return {found.name for found in path.iterdir()}
