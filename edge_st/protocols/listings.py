"""The answers to GET: which models are served, and what they are. Pure functions of `Described`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..models.classes import Model
from ..models.cross_encoder import CrossEncoder
from ..models.facts import labels_of, pooling_of
from ..models.sparse_encoder import SparseEncoder
from ..version import __version__
from .described import Described, bytes_of, details_of, facts_of
from .fields import UnknownModelError

#: what text-embeddings-inference calls a limit where there is none: clients split requests by it
NO_LIMIT = 2**31 - 1


class Limits(NamedTuple):
    """What the service takes: texts of a request, requests at once, tokens that wait; None is no limit.

    ``batch_tokens`` are the tokens computed together, ``threads`` those of all models. ``truncate`` says whether texts
    are cut where a request does not say.
    """

    texts: int | None = None
    requests: int | None = None
    batch_tokens: int | None = None
    threads: int = 1
    truncate: bool = True


def models(described: Sequence[Described]) -> dict[str, Any]:
    """OpenAI's GET /v1/models. Each model also has `facts_of`."""
    return {"object": "list", "data": [model(each) for each in described]}


def model(described: Described) -> dict[str, Any]:
    """OpenAI's GET /v1/models/{name}."""
    return {
        "id": described.name,
        "object": "model",
        "created": described.created,
        "owned_by": "edge-st",
        **facts_of(described),
    }


def find(described: Sequence[Described], name: str) -> Described:
    """The model with this name or alias; raises UnknownModelError."""
    found = next((each for each in described if name == each.name or name in each.aliases), None)
    if found is None:
        raise UnknownModelError(name, [each.name for each in described])
    return found


def info(described: Described, limits: Limits) -> dict[str, Any]:
    """GET /info of text-embeddings-inference, with ``fingerprint``, ``class``, ``prompts`` and ``edge_st_version``.

    ``max_client_batch_size`` is large where there is no limit: requests of any size are split here.
    """
    facts = facts_of(described)
    return {
        "model_id": described.name,
        "model_sha": None,
        "model_dtype": facts["dtype"] or "",
        "served_model_name": described.name,
        "model_type": _model_type(described.model, described.class_name),
        "max_concurrent_requests": limits.requests or NO_LIMIT,
        "max_input_length": facts["max_input_length"] or NO_LIMIT,
        "max_batch_tokens": limits.batch_tokens or NO_LIMIT,
        "max_batch_requests": None,
        "max_client_batch_size": limits.texts or NO_LIMIT,
        "auto_truncate": limits.truncate,
        "tokenization_workers": limits.threads,
        "version": __version__,
        "sha": None,
        "docker_label": None,
        "edge_st_version": __version__,
        **{name: facts[name] for name in ("class", "dimension", "fingerprint", "prompts")},
    }


def _model_type(loaded: Model | None, class_name: str) -> dict[str, Any]:
    if isinstance(loaded, CrossEncoder):
        names = labels_of(loaded)
        kind = "reranker" if len(names) == 1 else "classifier"
        by_name = {name: place for place, name in enumerate(names)}
        return {kind: {"id2label": {str(place): name for name, place in by_name.items()}, "label2id": by_name}}
    if loaded is None:
        return {"reranker" if class_name == CrossEncoder.__name__ else "embedding": {}}
    return {"embedding": {"pooling": "splade" if isinstance(loaded, SparseEncoder) else pooling_of(loaded)}}


def tags(described: Sequence[Described]) -> dict[str, Any]:
    """Ollama's GET /api/tags; a ``digest`` is the model's fingerprint."""
    return {
        "models": [
            {
                "name": each.name,
                "model": each.name,
                "modified_at": datetime.fromtimestamp(each.created, UTC).isoformat().replace("+00:00", "Z"),
                "size": bytes_of(each),
                "digest": facts_of(each)["fingerprint"] or "",
                "details": details_of(each),
            }
            for each in described
        ]
    }


def version() -> dict[str, Any]:
    """Ollama's GET /api/version, with the version of edge-st."""
    return {"version": __version__}


def meta(described: Described) -> dict[str, Any]:
    """Weaviate's GET /meta, which it shows as it is."""
    return {"model": described.name, **facts_of(described), "edge_st_version": __version__}
