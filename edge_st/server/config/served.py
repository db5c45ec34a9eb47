"""What is served, and within which limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEGABYTE = 2**20


@dataclass(frozen=True)
class ModelConfig:
    """A model: a folder, an installed model or a name on the Hub; None is the bundled one.

    Clients call it ``name``, or one of its ``aliases``. ``options`` are those of its class, such as
    {"dtype": "int8"}. ``truncate`` says whether a text beyond the model's limit is cut where a request does not say.
    """

    model: str | None = None
    name: str = ""
    aliases: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    truncate: bool = True


@dataclass(frozen=True)
class IndexConfig:
    """An index for POST /search: its folder ``path``, the ``name`` clients call it, and the name of its ``model``."""

    path: Path
    name: str
    model: str


@dataclass(frozen=True)
class Config:
    """What `create_app` serves. The first model of a class answers requests that name none.

    ``lazy`` loads a model at its first request. ``unload_after`` are the seconds after which a model that nobody asked
    is unloaded. ``threads`` are those of all models together. Beyond ``queue_tokens`` waiting tokens, requests are
    refused. ``cache_mb`` is the memory for embeddings of texts that come again. ``max_texts`` are the most texts of a
    request. ``keys`` maps each key to its name for the metrics; without keys everyone may ask.

    `as_config` gives names to models without one, and checks all.
    """

    models: tuple[ModelConfig, ...] = (ModelConfig(),)
    indexes: tuple[IndexConfig, ...] = ()
    threads: int | None = None
    lazy: bool = False
    unload_after: float | None = None
    queue_tokens: int = 2**18
    cache_mb: float = 0
    max_body_bytes: int = 32 * MEGABYTE
    max_texts: int | None = None
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    cors_origins: tuple[str, ...] = ()
    page: bool = True
