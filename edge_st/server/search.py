"""POST /search: the texts of an index that answer a query."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import EdgeSTError, OptionError

from ..index import Index
from ..models.sentence_transformer import SentenceTransformer
from ..protocols.engine import Texts
from ..protocols.fields import (
    OBJECT,
    TEXT,
    WHOLE_NUMBER,
    Kind,
    RequestError,
    UnavailableError,
    UnknownModelError,
    optional,
)
from ..protocols.texts import texts_of
from .answers import Endpoint, as_json, endpoint
from .config import IndexConfig
from .joining import Joining
from .record import Record
from .service import Service

_NUMBER = Kind((int, float), "a number")
_TOP_K = 10


class Searchable:
    """An index, opened at the first search after its model was loaded, and forgotten with that."""

    def __init__(self, config: IndexConfig) -> None:
        self.config = config
        self._lock = asyncio.Lock()

    async def open(self, engine: Joining) -> Index:
        """The index as it is now; raises UnavailableError where it is damaged, or made by another model."""
        async with self._lock:
            try:
                found: Index | None = engine.kept.get(self.config.name)
                if found is None:
                    opening = partial(Index.open, self.config.path, model=_dense(engine))
                    found = engine.kept[self.config.name] = await engine.call(opening)
                await engine.call(found.refresh)
            except (EdgeSTError, OSError) as error:
                raise UnavailableError(f"the index {self.config.name!r} does not open: {error}") from error
            return found


def _dense(engine: Joining) -> SentenceTransformer:
    if not isinstance(engine.model, SentenceTransformer):
        raise OptionError(
            f"its model {engine.name!r} is a {type(engine.model).__name__}; expected the one that made it"
        )
    return engine.model


def search_endpoint(service: Service) -> Endpoint:
    """Answers ``{"query": …, "index": …, "top_k": 10, "filter": …, "score_threshold": …}``.

    ``query`` is a text or a list of texts. The answer is ``{"index": name, "hits": […]}``, each hit with ``id``,
    ``score``, ``text`` and ``metadata``; for several queries there is a list of hits for each. Without ``index`` it is
    the first one.
    """
    indexes = {each.name: Searchable(each) for each in service.config.indexes}

    async def search(body: Mapping[str, Any], record: Record) -> Response:
        record.operation = "search"
        index = _named(indexes, optional(body, "index", TEXT))
        queries, single = texts_of(body, "query"), isinstance(body["query"], str)
        asked = {
            "top_k": optional(body, "top_k", WHOLE_NUMBER, _TOP_K),
            "filter": optional(body, "filter", OBJECT),
            "score_threshold": optional(body, "score_threshold", _NUMBER),
        }
        async with service.engine(index.config.model, (SentenceTransformer,), record) as engine:
            opened = await index.open(engine)
            vectors, _ = await engine.embed(Texts(queries, "query", task="query"))
            hits = await engine.call(partial(_search, opened, vectors, asked))
        return as_json({"index": index.config.name, "hits": hits[0] if single else hits})

    return endpoint(search)


def _search(index: Index, vectors: Floats, asked: Mapping[str, Any]) -> list[Any]:
    return [[{"id": hit.pop("corpus_id"), **hit} for hit in hits] for hits in index.search(vectors, **asked)]


def _named(indexes: Mapping[str, Searchable], name: str | None) -> Searchable:
    if not indexes:
        raise RequestError("no index is served; name one at the start: edge-st serve --index NAME=FOLDER:MODEL")
    found = next(iter(indexes.values())) if name is None else indexes.get(name)
    if found is None:
        raise UnknownModelError(str(name), list(indexes))
    return found
