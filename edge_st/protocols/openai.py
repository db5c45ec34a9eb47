"""OpenAI's shape: the body of POST /v1/embeddings, its answer, and its errors.

Every optional field may be null, as LiteLLM sends it.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import EdgeSTError, InputError, InputTypeError, OptionError

from .embeddings import embed, form_of
from .engine import Answered, Counts, Engine
from .fields import (
    NoSuchTaskError,
    OverloadedError,
    RequestError,
    UnavailableError,
    UnknownModelError,
    model_of,
    one_of,
)
from .texts import read_texts

FORMATS = ("float", "base64")
_STATUSES: tuple[tuple[tuple[type[EdgeSTError], ...], int], ...] = (
    ((UnknownModelError,), 404),
    ((OverloadedError,), 429),
    ((UnavailableError,), 503),
    ((RequestError, NoSuchTaskError, InputError, InputTypeError, OptionError), 400),
)
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


async def answer_embeddings(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """Embeddings of ``input``, normalized as OpenAI's are.

    These fields are not OpenAI's: ``prompt_name``, ``input_type`` and ``task``; ``precision``; ``truncate`` and
    ``truncation_direction``; ``normalize``. ``user`` and unknown fields have no effect. Token ids are refused: clients
    make them with the tokenizer of OpenAI's models.

    ``usage`` counts the tokens that were read. Where texts were cut, ``truncated`` lists their places: OpenAI has no
    such field, and its clients pass over it.

    Raises RequestError for a field that cannot be used, and what `Engine.embed` raises.
    """
    name = model_of(body) or engine.name
    as_text = one_of(body, "encoding_format", FORMATS, "float") == "base64"
    form = form_of(body)
    embeddings, counts = await embed(engine, read_texts(engine.model, body, "input"), form)
    data = [
        {"object": "embedding", "index": place, "embedding": _as_base64(vector) if as_text else vector}
        for place, vector in enumerate(embeddings)
    ]
    usage = {"prompt_tokens": counts.read, "total_tokens": counts.read}
    return Answered({"object": "list", "data": data, "model": name, "usage": usage, **truncated(counts)}, counts)


def truncated(counts: Counts) -> dict[str, list[int]]:
    """The field ``truncated`` of an answer, with the places of the texts that were cut; none where none was."""
    cut = counts.truncated
    return {"truncated": cut} if cut else {}


def failure(error: EdgeSTError) -> tuple[int, dict[str, Any]]:
    """The status and the body for ``error``."""
    status = status_of(error)
    return status, error_body(status, str(error), getattr(error, "param", None))


def status_of(error: EdgeSTError) -> int:
    """The status for ``error``: 400, 404, 429, 503, or 500 for what is no fault of the request."""
    return next((status for classes, status in _STATUSES if isinstance(error, classes)), 500)


def error_body(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """The body that goes with an error's ``status``; ``param`` is the field at fault."""
    code = _CODES.get(status) if status != 404 or param == "model" else None
    return {"error": {"message": message, "type": _type(status), "param": param, "code": code}}


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    if status == 503:
        return "service_unavailable_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def _as_base64(vector: NDArray[Any]) -> str:
    little_endian = vector.astype(np.dtype(vector.dtype).newbyteorder("<"), copy=False)
    return base64.b64encode(little_endian.tobytes()).decode("ascii")
