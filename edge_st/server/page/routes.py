"""The page's files over HTTP: small, in memory, and revalidated by their content."""

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_INDEX = "index.html"
_HEADERS = {
    # a name does not change with its content, so that browsers have to ask; most often they get 304
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
#: what those get who ask GET / for something else than a page, as Ollama's clients do to see whether it is there
RUNNING = "edge-st is running"

_Endpoint = Callable[[Request], Awaitable[Response]]


def page_routes(*, page: bool = True) -> list[Route]:
    """GET / and, where there is a ``page``, its files below /page.

    GET / answers with the page where HTML is accepted, and else with a line of text. Every file has an ETag of its
    content, for wheels give all files the same time.
    """
    if not page:
        return [Route("/", _is_running, methods=["GET"])]
    found = {each.name: each.read_bytes() for each in files("edge_st.server.page").joinpath("files").iterdir()}
    served = {name: _served(name, content) for name, content in found.items()}
    index = served.pop(_INDEX)

    async def root(request: Request) -> Response:
        answer = index if "text/html" in request.headers.get("accept", "") else _is_running
        response = await answer(request)
        response.headers["vary"] = "accept"
        return response

    return [
        Route("/", root, methods=["GET"], name="page"),
        *(Route(f"/page/{name}", endpoint, methods=["GET"]) for name, endpoint in sorted(served.items())),
    ]


async def _is_running(_: Request) -> Response:
    return PlainTextResponse(RUNNING)


def _served(name: str, content: bytes) -> _Endpoint:
    kind = _KINDS[name[name.rindex(".") :]]
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "etag": etag}

    async def serve(request: Request) -> Response:
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if etag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return serve
