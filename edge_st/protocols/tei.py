"""The shapes of text-embeddings-inference: /embed, /embed_all, /embed_sparse, /similarity, /rerank, and its errors."""

from collections.abc import Mapping
from typing import Any

from edge_st_runtime.errors import EdgeSTError, InputError, InputTypeError, OptionError
from edge_st_runtime.modules.activations import sigmoid

from .embeddings import Form, embed, form_of
from .engine import Answered, Engine, Texts
from .fields import (
    OBJECT,
    SWITCH,
    TEXT,
    WHOLE_NUMBER,
    OverloadedError,
    RequestError,
    UnavailableError,
    UnknownModelError,
    optional,
    required,
)
from .scores import best_first, relevance
from .texts import prompt_of, read_texts, texts_of, truncation_of
from .tokens import decoder

_REQUEST = (RequestError, InputError, InputTypeError, OptionError)
_TYPES = {429: "Overloaded", 503: "Unhealthy"}


async def answer_embed(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/embed: a list of embeddings, also for a single text.

    These fields are not of text-embeddings-inference: ``input_type``, ``task`` and ``precision``. Token ids are those
    of the model's own tokenizer, as there: their text is embedded.

    Raises RequestError for a field that cannot be used, and what `Engine.embed` raises.
    """
    form = form_of(body)
    return Answered(*await embed(engine, _inputs(engine, body), form))


async def answer_embed_all(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/embed_all: for each text the embeddings of its tokens; raises what `Engine.embed_tokens` raises."""
    return Answered(*await engine.embed_tokens(_inputs(engine, body)))


async def answer_embed_sparse(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/embed_sparse: for each text a list of its dimensions with their values; raises as `answer_embed`."""
    found, counts = await engine.embed_sparse(_inputs(engine, body))
    rows = [
        [{"index": index, "value": value} for index, value in zip(row.indices.tolist(), row.values, strict=True)]
        for row in found
    ]
    return Answered(rows, counts)


async def answer_similarity(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/similarity: the cosine of the source sentence with each of the sentences; raises as `answer_embed`."""
    fields, parameters = required(body, "inputs", OBJECT), optional(body, "parameters", OBJECT, default={})
    source, others = required(fields, "source_sentence", TEXT), texts_of(fields, "sentences")
    prompts, cut = prompt_of(engine.model, parameters), truncation_of(parameters)
    found, counts = await embed(engine, Texts([source, *others], "inputs", *prompts, *cut), Form())
    return Answered(found[1:] @ found[0], counts)


async def answer_rerank(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/rerank with ``texts``: their places and scores, highest first.

    ``top_n``, which LiteLLM sends, is not a field of text-embeddings-inference: it gives the first ones only.

    Raises RequestError for a field that cannot be used, and what `relevance` raises.
    """
    query, texts = required(body, "query", TEXT), texts_of(body, "texts")
    raw, with_texts = (optional(body, name, SWITCH, default=False) for name in ("raw_scores", "return_text"))
    top_n = optional(body, "top_n", WHOLE_NUMBER)
    truncate, cut_left = truncation_of(body)
    pairs = Texts([(query, text) for text in texts], "texts", truncate=truncate, cut_left=cut_left)
    logits, counts = await relevance(engine, pairs)
    scores = logits if raw else sigmoid(logits)
    ranks = [
        {"index": place, "score": scores[place], **({"text": texts[place]} if with_texts else {})}
        for place in best_first(logits)[:top_n]
    ]
    return Answered(ranks, counts)


def failure(error: EdgeSTError) -> tuple[int, dict[str, Any]]:
    """The status and the body for ``error``."""
    if isinstance(error, RequestError) and error.empty:
        return 400, {"error": str(error), "error_type": "Empty"}
    status = status_of(error)
    return status, error_body(status, str(error))


def status_of(error: EdgeSTError) -> int:
    """The status for ``error``: 422, 404, 429, 503, or 424 for what the model cannot do."""
    if isinstance(error, UnknownModelError):
        return 404
    if isinstance(error, OverloadedError):
        return 429
    if isinstance(error, UnavailableError):
        return 503
    return 422 if isinstance(error, _REQUEST) else 424


def error_body(status: int, message: str) -> dict[str, Any]:
    """The body that goes with an error's ``status``."""
    kind = "Backend" if status == 424 or status in (500, 502) else _TYPES.get(status, "Validation")
    return {"error": message, "error_type": kind}


def _inputs(engine: Engine, body: Mapping[str, Any]) -> Texts:
    return read_texts(engine.model, body, "inputs", decoder(engine.model))
