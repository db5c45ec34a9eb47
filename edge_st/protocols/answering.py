"""From a method, a path and a body to a status and an answer, computed at once."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from edge_st_runtime.errors import EdgeSTError

from ..models.classes import Model
from . import openai
from .engine import Direct, run
from .fields import RequestError, shown
from .routes import ROUTES, dialect_of, route_of_body
from .writing import plain

_HEALTH = "/health"
_LONGEST_FIRST = sorted(ROUTES, key=len, reverse=True)


class Answer(NamedTuple):
    """A status of HTTP, and a body, which may hold NumPy's arrays: see `writing`."""

    status: int
    body: Any


def answer(model: Model, method: str, path: str, content: str | bytes) -> Answer:
    """The answer to a request. Errors are answers, too, in the shape of the path.

    What comes before a known path does not matter, such as a stage.
    """
    if path.endswith(_HEALTH):
        return Answer(200, {"status": "ok"}) if method == "GET" else _wrong_method(_HEALTH, method, "GET")
    known = next((known for known in _LONGEST_FIRST if path.endswith(known)), None)
    if known is None:
        paths = ", ".join([*ROUTES, _HEALTH])
        return Answer(404, openai.error_body(404, f"there is no {path[:80]!r}; expected one of {paths}"))
    if method != "POST":
        return _wrong_method(known, method, "POST")
    failure = dialect_of(known).failure
    try:
        body = parsed(content)
        route = ROUTES[known](body)
        failure = route.failure
        return Answer(200, run(route.answer(Direct(model), body)).body)
    except EdgeSTError as error:
        return Answer(*failure(error))


def answer_body(model: Model, body: Mapping[str, Any]) -> Any:
    """The answer to a body without a path, as lists, objects and numbers: its keys say what is asked.

    Raises RequestError where they do not, and what the answer's function raises.
    """
    return plain(run(route_of_body(body).answer(Direct(model), body)).body)


def parsed(content: str | bytes) -> Mapping[str, Any]:
    """The JSON object in ``content``; raises RequestError for anything else."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:  # of Unicode, too
        raise RequestError(f"the body is no JSON ({error}); expected an object") from None
    if not isinstance(body, dict):
        raise RequestError(f"the body is {shown(body)}; expected an object")
    return body


def _wrong_method(path: str, found: str, expected: str) -> Answer:
    return Answer(405, dialect_of(path).error_body(405, f"the method is {found}; expected {expected}"))
