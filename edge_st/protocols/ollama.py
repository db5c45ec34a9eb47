"""Ollama's shapes: POST /api/embed, /api/embeddings and /api/show, and its errors."""

from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

import numpy as np

from edge_st_runtime.errors import EdgeSTError

from ..models.sentence_transformer import SentenceTransformer
from . import openai
from .described import Described, details_of, facts_of
from .embeddings import Form, embed, form_of
from .engine import Answered, Counts, Engine, Texts
from .fields import TEXT, OverloadedError, model_of, optional
from .texts import prompt_of, read_texts, truncation_of

_NOTHING = Counts(np.zeros(0, np.int64), None)


async def answer_embed(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/api/embed: embeddings of ``input``, normalized. Without a text there are none: clients load a model so.

    ``total_duration`` is in nanoseconds. These fields are not Ollama's: ``prompt_name``, ``input_type``, ``task``,
    ``precision`` and ``truncated``, which is as in `openai.answer_embeddings`. ``options`` and ``keep_alive`` have no
    effect.

    Raises RequestError for a field that cannot be used, and what `Engine.embed` raises.
    """
    start = perf_counter_ns()
    name, form = model_of(body) or engine.name, form_of(body)
    texts = _texts(engine, body, "input")
    if texts is None:
        return Answered({"model": name, "embeddings": []}, _NOTHING)
    embeddings, counts = await embed(engine, texts, form)
    found = {
        "model": name,
        "embeddings": embeddings,
        "total_duration": perf_counter_ns() - start,
        "prompt_eval_count": counts.read,
        **openai.truncated(counts),
    }
    return Answered(found, counts)


async def answer_embeddings(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/api/embeddings: the embedding of ``prompt`` as the model gives it; raises as `answer_embed`."""
    texts = _texts(engine, {**body, "prompt": optional(body, "prompt", TEXT)}, "prompt")
    if texts is None:
        return Answered({"embedding": []}, _NOTHING)
    embeddings, counts = await embed(engine, texts, Form(normalize=False))
    return Answered({"embedding": embeddings[0], **openai.truncated(counts)}, counts)


def _texts(engine: Engine, body: Mapping[str, Any], name: str) -> Texts | None:
    """The texts in the field ``name``; None for no text at all."""
    if body.get(name) not in (None, "", []):
        return read_texts(engine.model, body, name)
    prompt_of(engine.model, body)
    truncation_of(body)
    return None


async def answer_show(engine: Engine, body: Mapping[str, Any]) -> Answered:  # noqa: ARG001 - it only names the model
    """/api/show: what the model is."""
    model = Described(engine.name, model=engine.model, class_name=type(engine.model).__name__)
    facts, details = facts_of(model), details_of(model)
    family = details["family"]
    found = {
        "details": details,
        "model_info": {
            "general.architecture": family,
            f"{family}.embedding_length": facts["dimension"],
            f"{family}.context_length": facts["max_input_length"],
        },
        "capabilities": ["embedding"] if isinstance(engine.model, SentenceTransformer) else [],
    }
    return Answered(found, _NOTHING)


def failure(error: EdgeSTError) -> tuple[int, dict[str, Any]]:
    """The status and the body for ``error``; Ollama's status for a full queue is 503."""
    status = 503 if isinstance(error, OverloadedError) else openai.status_of(error)
    return status, error_body(status, str(error))


def error_body(status: int, message: str) -> dict[str, Any]:  # noqa: ARG001 - the same for all
    """The body that goes with an error's ``status``."""
    return {"error": message}
