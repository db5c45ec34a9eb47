"""The routes that say what is served, and whether the server is well."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_st_runtime.errors import EdgeSTError

from ..protocols import listings
from ..protocols.openapi.document import document
from ..protocols.routes import dialect_of
from .answers import Endpoint, as_json, failed
from .metrics import CONTENT_TYPE
from .own_paths import own_paths
from .service import Service


def listing_routes(service: Service) -> list[Route]:
    """The routes of all clients."""

    def models(_: Request) -> Any:
        return listings.models(service.described())

    def model(request: Request) -> Any:
        return listings.model(listings.find(service.described(), request.path_params["name"]))

    def info(request: Request) -> Any:
        served = service.described()
        name = request.query_params.get("model")
        found = served[0] if name is None else listings.find(served, name)
        return listings.info(found, service.limits(found.name))

    def tags(_: Request) -> Any:
        return listings.tags(service.described())

    def version(_: Request) -> Any:
        return listings.version()

    def meta(_: Request) -> Any:
        return listings.meta(service.described()[0])

    def described(request: Request) -> Any:
        return document(service.described(), own_paths(), server=request.scope.get("root_path") or "/")

    found: Mapping[str, Callable[[Request], Any]] = {
        "/openapi.json": described,
        "/v1/models": models,
        "/v1/models/{name:path}": model,
        "/models": models,
        "/info": info,
        "/api/tags": tags,
        "/api/version": version,
        "/meta": meta,
        "/stats": lambda _: service.statistics(),
    }
    return [Route(path, _reading(answer), methods=["GET"]) for path, answer in found.items()]


def probe_routes(service: Service) -> list[Route]:
    """Whether the process lives, whether it answers, and its metrics."""

    async def live(_: Request) -> Response:
        return as_json({"status": "ok"})

    async def ready(_: Request) -> Response:
        service.check_ready()
        return as_json({"status": "ok"})

    async def well_known(request: Request) -> Response:
        if request.scope["path"].endswith("/ready"):
            service.check_ready()
        return Response(status_code=204)

    async def metrics(_: Request) -> Response:
        return Response(service.metrics.exposition(), media_type=CONTENT_TYPE)

    found: Mapping[str, Endpoint] = {
        "/health": live,
        "/ping": live,
        "/health/ready": ready,
        "/ready": ready,
        "/.well-known/live": well_known,
        "/.well-known/ready": well_known,
        "/metrics": metrics,
    }
    return [Route(path, _in_dialect(answer), methods=["GET"]) for path, answer in found.items()]


def _reading(answer: Callable[[Request], Any]) -> Endpoint:
    async def respond(request: Request) -> Response:
        return as_json(answer(request))

    return _in_dialect(respond)


def _in_dialect(answer: Endpoint) -> Endpoint:
    async def respond(request: Request) -> Response:
        try:
            return await answer(request)
        except EdgeSTError as error:
            return failed(dialect_of(request.scope["path"]), error)

    return respond
