"""The fields of a JSON body, and why a request gets no result.

Clients send null for what they leave open, so null is as good as nothing everywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edge_st_runtime.errors import EdgeSTError
from edge_st_runtime.unicode import is_unicode

_SHOWN, _LARGE = 40, 10**15


class RequestError(EdgeSTError, ValueError):
    """A body that cannot be answered; ``param`` is the field at fault, ``empty`` says that it holds no text."""

    def __init__(self, message: str, param: str | None = None, *, empty: bool = False) -> None:
        super().__init__(message)
        self.param, self.empty = param, empty


class NoSuchTaskError(EdgeSTError):
    """The model is of another class than the request needs."""


class UnknownModelError(EdgeSTError):
    """A request names a model that is not served; ``known`` are the names there are."""

    param = "model"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no model {name[:_SHOWN]!r}; expected one of {', '.join(known)}")
        self.name, self.known = name, tuple(known)


class OverloadedError(EdgeSTError):
    """Too much is waiting already; ``retry_after`` are the seconds after which to ask again, None where unknown."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(EdgeSTError):
    """Nothing is answered now, such as before models are loaded; ``retry_after`` is as in `OverloadedError`."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Kind(NamedTuple):
    """What a field may hold: its JSON ``types``, their name for messages, and the ``least`` number."""

    types: tuple[type, ...]
    name: str
    least: int | None = None


TEXT = Kind((str,), "a string")
TEXTS = Kind((list,), "a list of strings")
WHOLE_NUMBER = Kind((int,), "a whole number of at least 1", 1)
SWITCH = Kind((bool,), "true or false")
OBJECT = Kind((dict,), "an object")


def optional(body: Mapping[str, Any], name: str, kind: Kind, default: Any = None) -> Any:
    """The field ``name``, or ``default`` where it is missing or null.

    JSON does not tell 8 from 8.0. Raises RequestError for another kind, and for a string with a lone surrogate.
    """
    value: Any = body.get(name)
    if value is None:
        return default
    if kind.least is not None and isinstance(value, float):
        value = int(value) if value.is_integer() else value
    fits = isinstance(value, kind.types) and (kind is SWITCH or not isinstance(value, bool))
    if not fits or (kind.least is not None and value < kind.least):
        raise RequestError(f"`{name}` is {shown(value)}; expected {kind.name}", name)
    if isinstance(value, str):
        check_text(value, name, name)
    return value


def required(body: Mapping[str, Any], name: str, kind: Kind) -> Any:
    """The field ``name``; raises RequestError where it is missing, null, or of another kind."""
    found = optional(body, name, kind)
    if found is None:
        raise RequestError(f"`{name}` is missing; expected {kind.name}", name)
    return found


def one_of(body: Mapping[str, Any], name: str, values: Sequence[str], default: str) -> str:
    """The string in the field ``name``, or ``default``; raises RequestError unless it is one of ``values``."""
    found: str = optional(body, name, TEXT, default)
    if found not in values:
        raise RequestError(f"`{name}` is {shown(found)}; expected one of {', '.join(values)}", name)
    return found


def either(body: Mapping[str, Any], names: Sequence[str], kind: Kind) -> tuple[str, Any]:
    """The one of the fields ``names`` that is there, and its value; the first one and None where none is.

    Raises RequestError for two of them, and for another kind.
    """
    found = [(name, value) for name in names if (value := optional(body, name, kind)) is not None]
    if len(found) > 1:
        raise RequestError(f"there are `{found[0][0]}` and `{found[1][0]}`; expected one of them", found[1][0])
    return found[0] if found else (names[0], None)


def model_of(body: Mapping[str, Any]) -> str | None:
    """The name of the model that a body asks for; None where it names none. Raises RequestError for no string."""
    return optional(body, "model", TEXT) or None


def check_text(text: str, where: str, name: str) -> None:
    """Raise RequestError where UTF-8 cannot hold ``text``, which stands at ``where`` in the field ``name``."""
    if not text.isascii() and not is_unicode(text):
        raise RequestError(f"`{where}` holds a lone surrogate, half of a character; remove it", name)


def shown(value: Any) -> str:
    """``value`` in the words of JSON, cut short, for messages."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"the string {value[:_SHOWN]!r}{'…' if len(value) > _SHOWN else ''}"
    if isinstance(value, int | float):
        return "a very large number" if abs(value) >= _LARGE else f"the number {value}"
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"
