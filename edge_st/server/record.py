"""What is known of a request while it is answered: for headers, logs, metrics and traces. Never its texts."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

_KEY = "edge_st.record"


@dataclass
class Record:
    """One request. Times are in seconds; ``characters`` and ``tokens`` are of all ``texts`` together.

    ``key`` is the name of the caller's key, ``model`` that of the model. ``operation`` is "embeddings", "rerank" or
    another name of what was done. ``failure`` is None, or why there was no result: "validation", "overloaded",
    "inference", "dropped", "batch_size", "tokenization" or "model_type", which are the words of
    text-embeddings-inference. ``lengths`` are the tokens of each text that were read.
    """

    key: str | None = None
    model: str | None = None
    operation: str | None = None
    texts: int = 0
    characters: int = 0
    tokens: int = 0
    truncated: int = 0
    cached: int = 0
    tokenization: float = 0
    queue: float = 0
    inference: float = 0
    failure: str | None = None
    lengths: list[int] = field(default_factory=list)
    #: what a trace or a log may tell besides, such as gen_ai.embeddings.dimension.count
    extra: dict[str, Any] = field(default_factory=dict)


def record_of(scope: MutableMapping[str, Any]) -> Record:
    """The record of the request with this ASGI ``scope``; made at the first call."""
    found: Record = scope.setdefault(_KEY, Record())
    return found
