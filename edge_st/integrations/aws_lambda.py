"""A handler for AWS Lambda that answers direct invocations, API Gateway, load balancers and function URLs.

Requests and answers have the shapes of OpenAI's /v1/embeddings, of text-embeddings-inference, and of Cohere's and
Jina's /rerank. `edge-st pack lambda` writes a function with such a handler.
"""

import base64
import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from edge_st_runtime.errors import InputError

from ..models.classes import Model, open_model
from ..models.cross_encoder import CrossEncoder
from ..protocols.answering import Answer, answer, answer_body
from ..protocols.engine import check_served
from ..protocols.writing import written

Handler: TypeAlias = Callable[[Any, Any], Any]
_HEADERS = {"content-type": "application/json"}
_INITIALIZATION, _SNAP_START = "AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"


def make_handler(model: str | Path | Model, **options: Any) -> Handler:
    """Load ``model``, and return the function that Lambda calls with each event.

    Call it at the top of the function's file, so that the model is loaded in the init phase. ``model`` is a folder or
    the name of an installed model; ``options`` are those of its class. Nothing is downloaded.

    An event of API Gateway (REST and HTTP), of a load balancer or of a function URL is answered by its path,
    such as /v1/embeddings, /embed, /embed_sparse, /similarity, /rerank, /predict; `edge_st.protocols.routes` has all.
    Any other event is a direct invocation: it is the body itself, its keys say what is asked, and so is the answer.
    What cannot be answered then raises an EdgeSTError, which Lambda reports as the function's error.

    With SnapStart, the memory that a run needs is part of the snapshot, and what is random differs after each restore.

    Raises what the constructors of the models raise.
    """
    if isinstance(model, str | Path):
        model = open_model(model, local_files_only=True, **options)
    check_served(model)
    loaded = model
    if os.environ.get(_INITIALIZATION) == _SNAP_START:
        _prepare_snapshots(loaded)

    def handler(event: Any, _: Any) -> Any:
        if not isinstance(event, dict):
            raise InputError(
                f"the event is a {type(event).__name__}; expected an object, such as {{'input': 'a text'}}"
            )
        if isinstance(event.get("requestContext"), dict):
            return _http_answer(loaded, event)
        return answer_body(loaded, event)

    return handler


def _http_answer(model: Model, event: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an event that carries a request: format 2.0 has ``rawPath``, format 1.0 ``path``."""
    request = event["requestContext"].get("http", event)
    content = event.get("body") or ""
    if event.get("isBase64Encoded"):
        content = base64.b64decode(content)
    method = request.get("method", event.get("httpMethod", ""))
    return _as_response(answer(model, method, event.get("rawPath", event.get("path", "")), content))


def _as_response(found: Answer) -> dict[str, Any]:
    return {"statusCode": found.status, "headers": _HEADERS, "body": written(found.body), "isBase64Encoded": False}


def _prepare_snapshots(model: Model) -> None:
    """Have Lambda's runtime run the model before it takes a snapshot, and renew what is random after each restore."""
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    register_before_snapshot(_run_once, model)
    register_after_restore(_renew)


def _run_once(model: Model) -> None:
    if isinstance(model, CrossEncoder):
        model.predict(("a question", "an answer"))
    else:
        model.encode("a text")


def _renew() -> None:
    """Give new seeds to the generators that every instance would else take from the snapshot; edge-st uses neither."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
