"""Which path, and which keys of a body, lead to which answer, and who says in which words why there is none."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeAlias

from edge_st_runtime.errors import EdgeSTError

from ..models.classes import Model
from ..models.cross_encoder import CrossEncoder
from ..models.sentence_transformer import SentenceTransformer
from ..models.sparse_encoder import SparseEncoder
from . import cohere, ollama, openai, predict, tei, tokens, weaviate
from .engine import Answered, Engine
from .fields import RequestError, shown

Failure: TypeAlias = Callable[[EdgeSTError], tuple[int, dict[str, Any]]]
Find: TypeAlias = Callable[[Mapping[str, Any]], "Route"]


class Dialect(NamedTuple):
    """How clients of one kind want to be told why there is no result.

    ``failure`` gives the status and the body for an error, ``error_body`` the body for a status and a message.
    """

    failure: Failure
    error_body: Callable[[int, str], dict[str, Any]]


class Route(NamedTuple):
    """What answers a body, and how it fails.

    ``serves`` are the classes of models that can answer; where a request names no model, it means the first of them
    that there is. ``operation`` is what the answer is called in records, metrics and traces.
    """

    answer: Callable[[Engine, Mapping[str, Any]], Coroutine[Any, Any, Answered]]
    dialect: Dialect
    serves: tuple[type[Model], ...]
    operation: str

    @property
    def failure(self) -> Failure:
        """The status and the body for an error."""
        return self.dialect.failure


OPENAI = Dialect(openai.failure, openai.error_body)
TEI = Dialect(tei.failure, tei.error_body)
COHERE = Dialect(cohere.failure, cohere.error_body)
OLLAMA = Dialect(ollama.failure, ollama.error_body)
WEAVIATE = Dialect(weaviate.failure, weaviate.error_body)

_DENSE, _SPARSE, _PAIRS = (SentenceTransformer,), (SparseEncoder,), (CrossEncoder,)
_ALL = (SentenceTransformer, SparseEncoder, CrossEncoder)
_EMBEDDINGS = Route(openai.answer_embeddings, OPENAI, _DENSE, "embeddings")
_EMBED = Route(tei.answer_embed, TEI, _DENSE, "embeddings")
_EMBED_ALL = Route(tei.answer_embed_all, TEI, _DENSE, "token_embeddings")
_EMBED_SPARSE = Route(tei.answer_embed_sparse, TEI, _SPARSE, "sparse_embeddings")
_SIMILARITY = Route(tei.answer_similarity, TEI, _DENSE, "similarity")
_PREDICT = Route(predict.answer_predict, TEI, _PAIRS, "predict")
_TOKENIZE = Route(tokens.answer_tokenize, TEI, _ALL, "tokenize")
_DECODE = Route(tokens.answer_decode, TEI, _ALL, "decode")
_TEI_RERANK = Route(tei.answer_rerank, TEI, _PAIRS, "rerank")
_COHERE_RERANK = Route(cohere.answer_rerank, COHERE, _PAIRS, "rerank")
_WEAVIATE_RERANK = Route(weaviate.answer_rerank, WEAVIATE, _PAIRS, "rerank")
_VECTORS = Route(weaviate.answer_vectors, WEAVIATE, _DENSE, "embeddings")
_OLLAMA_EMBED = Route(ollama.answer_embed, OLLAMA, _DENSE, "embeddings")
_OLLAMA_EMBEDDINGS = Route(ollama.answer_embeddings, OLLAMA, _DENSE, "embeddings")
_SHOW = Route(ollama.answer_show, OLLAMA, _ALL, "show")


async def _answer_default(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """What the model gives for ``inputs``."""
    if isinstance(engine.model, CrossEncoder):
        return await predict.answer_predict(engine, body)
    if isinstance(engine.model, SparseEncoder):
        return await tei.answer_embed_sparse(engine, body)
    return await tei.answer_embed(engine, body)


_DEFAULT = Route(_answer_default, TEI, _ALL, "default")


def _rerank(body: Mapping[str, Any]) -> Route:
    """The same path is text-embeddings-inference's (``texts``), Weaviate's and Cohere's, Jina's and vLLM's.

    Of those with ``documents``, Weaviate's client alone always sends a ``property``.
    """
    if body.get("property") is not None:
        return _WEAVIATE_RERANK
    return _TEI_RERANK if body.get("documents") is None else _COHERE_RERANK


def _versioned_rerank(body: Mapping[str, Any]) -> Route:
    only_texts = body.get("texts") is not None and body.get("documents") is None
    return _TEI_RERANK if only_texts else _COHERE_RERANK


def route_of_body(body: Mapping[str, Any]) -> Route:
    """The route by the keys of ``body`` alone; raises RequestError where none fits."""
    if body.get("input") is not None:
        return _EMBEDDINGS
    if body.get("query") is not None:
        return _rerank(body)
    inputs = body.get("inputs")
    if isinstance(inputs, dict):
        return _SIMILARITY
    if inputs is not None:
        return _DEFAULT
    raise RequestError(
        f"the keys are {', '.join(map(shown, list(body)[:8])) or 'none'}; expected `input` (OpenAI), `inputs` "
        "(text-embeddings-inference), or `query` with `texts` or `documents`"
    )


def _always(route: Route) -> Find:
    return lambda _: route


#: what answers POST at each path, by the body
ROUTES: Mapping[str, Find] = {
    "/v1/embeddings": _always(_EMBEDDINGS),
    "/embeddings": _always(_EMBEDDINGS),
    "/embed": _always(_EMBED),
    "/embed_all": _always(_EMBED_ALL),
    "/embed_sparse": _always(_EMBED_SPARSE),
    "/similarity": _always(_SIMILARITY),
    "/predict": _always(_PREDICT),
    "/tokenize": _always(_TOKENIZE),
    "/decode": _always(_DECODE),
    "/rerank": _rerank,
    "/v1/rerank": _versioned_rerank,
    "/v2/rerank": _versioned_rerank,
    "/api/embed": _always(_OLLAMA_EMBED),
    "/api/embeddings": _always(_OLLAMA_EMBEDDINGS),
    "/api/show": _always(_SHOW),
    "/vectors": _always(_VECTORS),
    "/invocations": route_of_body,
    "/": route_of_body,
}
_DIALECTS = {
    "/api": OLLAMA,
    "/v1/rerank": COHERE,
    "/v2/rerank": COHERE,
    "/v1": OPENAI,
    "/v2": COHERE,
    "/embeddings": OPENAI,
    "/vectors": WEAVIATE,
    "/meta": WEAVIATE,
    "/.well-known": WEAVIATE,
    **dict.fromkeys(("/embed", "/embed_all", "/embed_sparse", "/similarity", "/predict", "/rerank"), TEI),
    **dict.fromkeys(("/tokenize", "/decode", "/info", "/invocations", "/health", "/ready", "/metrics"), TEI),
}


def dialect_of(path: str) -> Dialect:
    """How to fail at ``path`` while nothing is known of the body; OpenAI's where the path is unknown."""
    if path == "/":
        return TEI
    while path:
        if path in _DIALECTS:
            return _DIALECTS[path]
        path = path.rpartition("/")[0]
    return OPENAI
