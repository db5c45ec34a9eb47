"""OpenAI's shape: the body of POST /v1/embeddings, its answer, and its errors.

Every optional field may be null, as LiteLLM sends it.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import EdgeSTError, InputError, InputTypeError, OptionError

from ..models.classes import Model
from .computing import Counts, count, embed
from .fields import TEXT, WHOLE_NUMBER, NoSuchTaskError, RequestError, optional, texts_of

_BAD_REQUEST, _FAILED = 400, 500
_FORMATS = ("float", "base64")


@dataclass(frozen=True)
class EmbeddingsRequest:
    """The fields of a body. ``dimensions`` None are all; ``model`` is what the client calls the model, if it does."""

    texts: list[str]
    encoding_format: str = "float"
    dimensions: int | None = None
    model: str | None = None


def read_embeddings(body: Mapping[str, Any]) -> EmbeddingsRequest:
    """The body of a request; raises RequestError for a field that cannot be used.

    ``user`` and unknown fields have no effect.
    """
    encoding_format = optional(body, "encoding_format", TEXT, "float")
    if encoding_format not in _FORMATS:
        raise RequestError(
            f"`encoding_format` is {encoding_format!r}; expected one of {', '.join(_FORMATS)}", "encoding_format"
        )
    return EmbeddingsRequest(
        texts_of(body, "input"),
        encoding_format,
        optional(body, "dimensions", WHOLE_NUMBER),
        optional(body, "model", TEXT),
    )


def embeddings_answer(request: EmbeddingsRequest, embeddings: Floats, counts: Counts, name: str) -> dict[str, Any]:
    """The answer with ``embeddings`` (n, dim) float32; ``name`` is the model's.

    ``usage`` counts the tokens that were read. Where texts were cut, ``truncated`` lists their places: OpenAI has no
    such field, and its clients pass over it.
    """
    write = _as_base64 if request.encoding_format == "base64" else _as_numbers
    data = [
        {"object": "embedding", "index": place, "embedding": write(vector)} for place, vector in enumerate(embeddings)
    ]
    cut = counts.truncated
    return {
        "object": "list",
        "data": data,
        "model": name,
        "usage": {"prompt_tokens": counts.read, "total_tokens": counts.read},
        **({"truncated": cut} if cut else {}),
    }


def answer_embeddings(model: Model, body: Mapping[str, Any]) -> dict[str, Any]:
    """Read, embed and answer; raises RequestError, and what `embed` raises. Embeddings are normalized, as OpenAI's."""
    request = read_embeddings(body)
    embeddings = embed(model, request.texts, normalize=True, dimensions=request.dimensions)
    name = request.model or model.model_card_data.model_name or ""
    return embeddings_answer(request, embeddings, count(model, request.texts), name)


def failure(error: EdgeSTError) -> tuple[int, dict[str, Any]]:
    """The status and the body for ``error``."""
    asked = isinstance(error, RequestError | NoSuchTaskError | InputError | InputTypeError | OptionError)
    return failure_of(_BAD_REQUEST if asked else _FAILED, str(error), getattr(error, "param", None))


def failure_of(status: int, message: str, param: str | None = None) -> tuple[int, dict[str, Any]]:
    """A ``status`` and the body that goes with it."""
    kind = "server_error" if status >= _FAILED else "invalid_request_error"
    return status, {"error": {"message": message, "type": kind, "param": param, "code": None}}


def _as_numbers(vector: Floats) -> list[float]:
    return vector.tolist()


def _as_base64(vector: Floats) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
