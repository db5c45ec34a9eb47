"""The fields of a JSON body. Clients send null for what they leave open, so null is as good as nothing everywhere."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from edge_st_runtime.checks import described
from edge_st_runtime.errors import EdgeSTError


class RequestError(EdgeSTError, ValueError):
    """A body that cannot be answered; ``param`` is the field at fault."""

    def __init__(self, message: str, param: str | None = None, *, empty: bool = False) -> None:
        super().__init__(message)
        self.param, self.empty = param, empty


class NoSuchTaskError(EdgeSTError):
    """The loaded model is of another class than the request needs."""


class Kind(NamedTuple):
    """What a field may hold: its JSON ``types``, and their name for messages."""

    types: tuple[type, ...]
    name: str


TEXT = Kind((str,), "a string")
WHOLE_NUMBER = Kind((int,), "a whole number of at least 1")
SWITCH = Kind((bool,), "true or false")
OBJECT = Kind((dict,), "an object")


def optional(body: Mapping[str, Any], name: str, kind: Kind, default: Any = None) -> Any:
    """The field ``name``, or ``default`` where it is missing or null; raises RequestError for another kind."""
    value: Any = body.get(name)
    if value is None:
        return default
    fits = isinstance(value, kind.types) and (kind is SWITCH or not isinstance(value, bool))
    if not fits or (kind is WHOLE_NUMBER and value < 1):
        raise RequestError(f"`{name}` is {described(value)}; expected {kind.name}", name)
    return value


def required(body: Mapping[str, Any], name: str, kind: Kind) -> Any:
    """The field ``name``; raises RequestError where it is missing, null, or of another kind."""
    found = optional(body, name, kind)
    if found is None:
        raise RequestError(f"`{name}` is missing; expected {kind.name}", name)
    return found


def texts_of(body: Mapping[str, Any], name: str) -> list[str]:
    """The text or the texts in the field ``name``, as a list.

    Raises RequestError where there is none, where one is empty, and for token ids: the model has a tokenizer of its
    own.
    """
    value = body.get(name)
    texts = [value] if isinstance(value, str) else value
    if texts is None:
        raise RequestError(f"`{name}` is missing; expected a string or a list of strings", name)
    if not isinstance(texts, list):
        raise RequestError(f"`{name}` is {described(value)}; expected a string or a list of strings", name)
    if not texts:
        raise RequestError(f"`{name}` is an empty list; expected at least one text", name, empty=True)
    for place, text in enumerate(texts):
        _check_text(text, name if isinstance(value, str) else f"{name}[{place}]", name)
    return texts


def _check_text(text: Any, where: str, name: str) -> None:
    if isinstance(text, int) or (isinstance(text, list) and text and isinstance(text[0], int)):
        raise RequestError(
            f"`{where}` holds token ids; they belong to another tokenizer than this model's: send texts (in LangChain: "
            "OpenAIEmbeddings(check_embedding_ctx_length=False))",
            name,
        )
    if not isinstance(text, str):
        raise RequestError(f"`{where}` is {described(text)}; expected a string", name)
    if not text:
        raise RequestError(f"`{where}` is an empty string; leave it out", name, empty=True)


class OverloadedError(EdgeSTError):
    """More waits than is allowed; ``retry_after`` are the seconds until it is worth trying again."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
