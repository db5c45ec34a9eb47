"""The shapes of text-embeddings-inference: /embed, /embed_sparse, /rerank, /similarity, and its errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_st_runtime.errors import EdgeSTError, InputError, InputTypeError, OptionError

from ..models.classes import Model
from .computing import best_first, embed, embed_sparse, refuse_long, score
from .fields import OBJECT, SWITCH, TEXT, WHOLE_NUMBER, RequestError, optional, required, texts_of

_EMPTY, _VALIDATION, _BACKEND = (400, "Empty"), (422, "Validation"), (424, "Backend")


@dataclass(frozen=True)
class Inputs:
    """The fields that several routes share. Without ``truncate`` it is as with True: the model cuts long texts."""

    texts: list[str]
    truncate: bool | None = None
    prompt_name: str | None = None


def read_inputs(body: Mapping[str, Any]) -> Inputs:
    """The texts of a body and what is to be done with them; raises RequestError for a field that cannot be used."""
    return Inputs(texts_of(body, "inputs"), _truncate(body), optional(body, "prompt_name", TEXT))


def answer_embed(model: Model, body: Mapping[str, Any]) -> list[list[float]]:
    """/embed: a list of embeddings, also for a single text."""
    inputs, normalize = read_inputs(body), optional(body, "normalize", SWITCH, default=True)
    dimensions = optional(body, "dimensions", WHOLE_NUMBER)
    _check_lengths(model, inputs)
    found = embed(model, inputs.texts, normalize=normalize, dimensions=dimensions, prompt_name=inputs.prompt_name)
    return found.tolist()


def answer_embed_sparse(model: Model, body: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """/embed_sparse: for each text a list of its dimensions with their values."""
    inputs = read_inputs(body)
    _check_lengths(model, inputs)
    return [
        [
            {"index": index, "value": value}
            for index, value in zip(row.indices.tolist(), row.values.tolist(), strict=True)
        ]
        for row in embed_sparse(model, inputs.texts, inputs.prompt_name)
    ]


def answer_similarity(model: Model, body: Mapping[str, Any]) -> list[float]:
    """/similarity: the cosine of the source sentence with each of the sentences."""
    fields, parameters = required(body, "inputs", OBJECT), optional(body, "parameters", OBJECT, default={})
    source, others = required(fields, "source_sentence", TEXT), texts_of(fields, "sentences")
    inputs = Inputs([source, *others], _truncate(parameters), optional(parameters, "prompt_name", TEXT))
    _check_lengths(model, inputs)
    found = embed(model, inputs.texts, normalize=True, dimensions=None, prompt_name=inputs.prompt_name)
    return (found[1:] @ found[0]).tolist()


def answer_rerank(model: Model, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """/rerank with ``texts``: their places and scores, highest first."""
    query, texts = required(body, "query", TEXT), texts_of(body, "texts")
    raw, with_texts = (optional(body, name, SWITCH, default=False) for name in ("raw_scores", "return_text"))
    if _truncate(body) is False:
        refuse_long(model, [(query, text) for text in texts], "texts")
    scores = score(model, query, texts, raw=raw)
    return [
        {"index": place, "score": float(scores[place]), **({"text": texts[place]} if with_texts else {})}
        for place in best_first(scores)
    ]


def failure(error: EdgeSTError) -> tuple[int, dict[str, Any]]:
    """The status and the body for ``error``."""
    status, kind = _BACKEND
    if isinstance(error, RequestError):
        status, kind = _EMPTY if error.empty else _VALIDATION
    elif isinstance(error, InputError | InputTypeError | OptionError):
        status, kind = _VALIDATION
    return status, {"error": str(error), "error_type": kind}


def _truncate(body: Mapping[str, Any]) -> bool | None:
    """The field ``truncate``; raises RequestError for a side other than the right one, where models are cut."""
    direction = optional(body, "truncation_direction", TEXT, "right")
    if direction.lower() != "right":
        raise RequestError(
            f"`truncation_direction` is {direction!r}; this server cuts on the right only", "truncation_direction"
        )
    found: bool | None = optional(body, "truncate", SWITCH)
    return found


def _check_lengths(model: Model, inputs: Inputs) -> None:
    if inputs.truncate is False:
        refuse_long(model, inputs.texts, "inputs", inputs.prompt_name)
