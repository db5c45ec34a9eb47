"""POST /search: the texts of an index that answer a query."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from edge_st_runtime.arrays import Floats

from ..index import Index
from ..models.sentence_transformer import SentenceTransformer
from ..protocols.engine import Texts
from ..protocols.fields import OBJECT, TEXT, WHOLE_NUMBER, Kind, RequestError, UnknownModelError, optional
from ..protocols.texts import texts_of
from .answers import Endpoint, as_json, endpoint
from .config import IndexConfig
from .joining import Joining
from .record import Record
from .service import Service

_NUMBER = Kind((int, float), "a number")
_TOP_K = 10


class Searchable:
    """An index, opened at its first search with the model of that time."""

    def __init__(self, config: IndexConfig) -> None:
        self.config = config
        self._lock = asyncio.Lock()
        self._opened: tuple[SentenceTransformer, Index] | None = None

    async def open(self, engine: Joining) -> Index:
        """The index; raises what `Index.open` raises, as for another model's fingerprint."""
        async with self._lock:
            model = engine.model
            assert isinstance(model, SentenceTransformer)
            if self._opened is None or self._opened[0] is not model:
                index = await engine.call(partial(Index.open, self.config.path, model=model))
                self._opened = (model, index)
            return self._opened[1]


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
    index.refresh()
    return [list(hits) for hits in index.search(vectors, **asked)]


def _named(indexes: Mapping[str, Searchable], name: str | None) -> Searchable:
    if not indexes:
        raise RequestError("no index is served; name one at the start: edge-st serve --index NAME=FOLDER:MODEL")
    found = next(iter(indexes.values())) if name is None else indexes.get(name)
    if found is None:
        raise UnknownModelError(str(name), list(indexes))
    return found
