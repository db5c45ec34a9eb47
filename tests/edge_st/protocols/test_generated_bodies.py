"""Bodies generated from the OpenAPI document: what fits is answered, what does not fit is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.protocols.described import Described
from edge_st.protocols.engine import Direct
from edge_st.protocols.fields import UnknownModelError, model_of
from edge_st.protocols.openapi.document import document
from edge_st.protocols.routes import ROUTES, dialect_of
from edge_st_runtime.errors import EdgeSTError

schemathesis = pytest.importorskip("schemathesis")
pytestmark = pytest.mark.slow
TOO_LONG = "must have at most"


@pytest.fixture(scope="module")
def schema(small: SentenceTransformer, sparse: SparseEncoder, cross: CrossEncoder) -> Any:
    """The document, over a small application that mounts every route."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    from edge_st.server.bodies import parsed, written

    models = (small, sparse, cross)
    found = document([Described("m", model=model, class_name=type(model).__name__) for model in models])
    for item in found["paths"].values():
        item.pop("get", None)

    def handler(path: str) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            dialect = dialect_of(path)
            try:
                body = parsed(await request.body())
                route = ROUTES[path](body)
                dialect = route.dialect
                if (name := model_of(body)) not in (None, "m"):
                    raise UnknownModelError(str(name), ["m"])
                model = next(each for each in models if isinstance(each, route.serves))
                status, answered = 200, (await route.answer(Direct(model, "m"), body)).body
            except EdgeSTError as error:
                status, answered = dialect.failure(error)
            return Response(written(answered), status, media_type="application/json")

        return handle

    async def openapi(_: Request) -> Response:
        return JSONResponse(found)

    routes = [Route("/openapi.json", openapi), *[Route(path, handler(path), methods=["POST"]) for path in ROUTES]]
    return schemathesis.openapi.from_asgi("/openapi.json", Starlette(routes=routes))


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("path", [path for path in ROUTES if path not in ("/", "/invocations")])
def test_what_fits_is_answered_and_nothing_else(schema: Any, path: str, fits: bool) -> None:
    from hypothesis import HealthCheck, given, settings

    mode = schemathesis.GenerationMode.POSITIVE if fits else schemathesis.GenerationMode.NEGATIVE

    @settings(
        max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(case=schema[path]["POST"].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        response = case.call()
        case.validate_response(response)
        if fits:
            assert response.status_code == 200 or TOO_LONG in response.text, json.dumps(case.body)
        else:
            assert 400 <= response.status_code < 500, json.dumps(case.body)

    check()
