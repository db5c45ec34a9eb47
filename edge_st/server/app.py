"""The ASGI application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..protocols.routes import ROUTES, dialect_of
from .answers import answering, as_json
from .config import Config, as_config
from .listing import listing_routes, probe_routes
from .middleware import middleware
from .page.routes import page_routes
from .search import search_endpoint
from .service import Service


def create_app(config: Config | Mapping[str, Any] | None = None) -> Starlette:
    """An ASGI application that serves what ``config`` says, by default the bundled model.

    Models are loaded when the application starts. Where it is mounted in another one, which does not tell it of its
    start, they are loaded at the first request; ``await app.state.service.start()`` does it before.

    Raises OptionError for a configuration that cannot be used. A model that does not load raises at the start.
    """
    service = Service(as_config(config))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = Starlette(
        routes=[
            *(Route(path, answering(find, service), methods=["POST"]) for path, find in ROUTES.items()),
            Route("/search", search_endpoint(service), methods=["POST"]),
            *listing_routes(service),
            *probe_routes(service),
            *page_routes(page=service.config.page),
        ],
        middleware=middleware(service.config, service.metrics),
        exception_handlers={HTTPException: _refused, Exception: _broken},
        lifespan=lifespan,
    )
    app.state.service = service
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """An unknown path, or a method that it does not take."""
    assert isinstance(error, HTTPException)
    path, status = request.scope["path"], error.status_code
    message = {
        404: f"there is no {path[:80]!r}; the paths there are: GET /openapi.json",
        405: f"{path} does not take {request.method}; it takes {(error.headers or {}).get('Allow', 'another method')}",
    }.get(status, error.detail)
    return as_json(dialect_of(path).error_body(status, message), status, error.headers)


async def _broken(request: Request, _: Exception) -> Response:
    """A fault of the server: its details are in the log alone."""
    message = "the server failed; its log says why"
    return as_json(dialect_of(request.scope["path"]).error_body(500, message), 500)
