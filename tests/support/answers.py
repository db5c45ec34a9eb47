"""Answers of the service's shapes, computed at once and read as a client reads them."""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from edge_st.models.classes import Model
from edge_st.protocols.answering import answer
from edge_st.protocols.engine import Answered, Direct, Engine, run
from edge_st.protocols.writing import plain, written


def body_of(
    function: Callable[[Engine, Mapping[str, Any]], Coroutine[Any, Any, Answered]], model: Model, body: Any
) -> Any:
    """The body that ``function`` answers, as lists, objects and numbers."""
    return plain(run(function(Direct(model), body)).body)


def post(model: Model, path: str, body: Any) -> tuple[int, Any]:
    """The status and the body, read from JSON, of a POST."""
    found = answer(model, "POST", path, json.dumps(body))
    return found.status, json.loads(written(found.body))
