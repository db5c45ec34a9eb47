"""The shapes of Weaviate's modules text2vec-transformers and reranker-transformers, and their errors."""

from collections.abc import Mapping
from typing import Any

from edge_st_runtime.errors import EdgeSTError

from ..models.cross_encoder import CrossEncoder
from ..models.score_activations import apply_activation
from . import openai
from .cohere import documents_of
from .embeddings import embed, form_of
from .engine import Answered, Engine, Texts
from .fields import OBJECT, TEXT, TEXTS, RequestError, check_text, one_of, optional, required, shown
from .scores import relevance
from .texts import prompt_of

TASK_TYPES = ("query", "passage", "document")
#: what Weaviate lets its users set; models pool as their folders say
POOLING = ("masked_mean", "cls", "mean", "")


async def answer_vectors(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/vectors: the embedding of ``text``, or the embeddings of the list ``texts``, as the model gives them.

    ``task_type`` "query" and "passage" take the model's prompts. ``pooling_strategy`` is only checked: Weaviate sends
    "masked_mean" for every model, and models pool as their folders say.

    Raises RequestError for a field that cannot be used, and what `Engine.embed` raises.
    """
    many = body.get("texts") is not None
    texts = _texts(required(body, "texts", TEXTS)) if many else [required(body, "text", TEXT)]
    config = optional(body, "config", OBJECT, default={})
    one_of(config, "pooling_strategy", POOLING, "")
    task = one_of(config, "task_type", ("", *TASK_TYPES), "")
    prompts = prompt_of(engine.model, {"input_type": task or None})
    form = form_of({"dimensions": config.get("dimensions")}, normalize=False)
    found, counts = await embed(engine, Texts(texts, "texts" if many else "text", *prompts), form)
    if many:
        return Answered({"vectors": found, "dims": found.shape[1], **openai.truncated(counts)}, counts)
    return Answered({"text": texts[0], "vector": found[0], "dim": found.shape[1], **openai.truncated(counts)}, counts)


def _texts(found: list[Any]) -> list[str]:
    """The strings of ``texts``, which may be empty as ``text`` may; raises RequestError for anything else."""
    if not found:
        raise RequestError("`texts` is an empty list; expected at least one text", "texts")
    for place, each in enumerate(found):
        if not isinstance(each, str):
            raise RequestError(f"`texts[{place}]` is {shown(each)}; expected a string", "texts")
        check_text(each, f"texts[{place}]", "texts")
    return found


async def answer_rerank(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/rerank with ``property``: the score of each of the ``documents``, in their order.

    Without ``documents``, the ``property`` itself is scored. Scores are those of `CrossEncoder.predict`.

    Raises RequestError for a field that cannot be used, and what `relevance` raises.
    """
    query, single = required(body, "query", TEXT), optional(body, "property", TEXT, "")
    texts = [single] if body.get("documents") is None and single else documents_of(body)
    logits, counts = await relevance(engine, Texts([(query, text) for text in texts], "documents"))
    scores = logits
    if isinstance(engine.model, CrossEncoder):
        scores = apply_activation(engine.model.activation_fn, logits[:, None]).reshape(-1)
    if body.get("documents") is None:
        return Answered({"query": query, "property": single, "score": scores[0]}, counts)
    pairs = [{"document": text, "score": score} for text, score in zip(texts, scores, strict=True)]
    return Answered({"query": query, "scores": pairs, **openai.truncated(counts)}, counts)


def failure(error: EdgeSTError) -> tuple[int, dict[str, Any]]:
    """The status and the body for ``error``."""
    status = openai.status_of(error)
    return status, error_body(status, str(error))


def error_body(status: int, message: str) -> dict[str, Any]:  # noqa: ARG001 - the same for all
    """The body that goes with an error's ``status``."""
    return {"error": message}
