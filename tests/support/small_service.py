"""A small application with what every request passes: it embeds with the bundled model, one request after the other."""

import time

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_st import SentenceTransformer
from edge_st.server.config import Config
from edge_st.server.draining import draining
from edge_st.server.metrics import CONTENT_TYPE, Metrics
from edge_st.server.middleware import middleware
from edge_st.server.record import record_of

MODEL = "static-all-MiniLM-L6-v2"
#: the text that no model can embed here, to see failures
FAILS = "fails"


def create_app(config: Config) -> Starlette:
    """POST /embed and /v1/embeddings embed."""
    model = SentenceTransformer()
    metrics = Metrics(lambda: {MODEL: (3, 21)}, lambda: {MODEL: True})

    async def embed(request: Request) -> Response:
        texts = (await request.json())["inputs"]
        texts = [texts] if isinstance(texts, str) else texts
        record, begin = record_of(request.scope), time.perf_counter()
        record.operation, record.model, record.texts = "embeddings", MODEL, len(texts)
        record.lengths = np.array(model.count_tokens(texts)).tolist()
        record.tokens, record.characters = sum(record.lengths), sum(map(len, texts))
        record.tokenization, begin = time.perf_counter() - begin, time.perf_counter()
        if FAILS in texts:
            record.failure = "inference"
            return JSONResponse({"error": "failed", "error_type": "Backend"}, 424)
        metrics.batch(model=MODEL, texts=record.texts, tokens=record.tokens)
        found = model.encode(texts)
        record.inference = time.perf_counter() - begin
        record.extra["gen_ai.embeddings.dimension.count"] = found.shape[1]
        return JSONResponse(found.tolist())

    async def ready(_: Request) -> Response:
        return Response(status_code=503 if draining() else 200)

    async def scrape(_: Request) -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    async def page(_: Request) -> Response:
        return Response("a page")

    async def crash(_: Request) -> Response:
        raise ZeroDivisionError

    routes = [
        Route("/embed", embed, methods=["POST"]),
        Route("/v1/embeddings", embed, methods=["POST"]),
        Route("/api/embed", embed, methods=["POST"]),
        Route("/v1/models/{name}", page),
        Route("/crash", crash, methods=["POST"]),
        *(Route(path, ready) for path in ("/ready", "/health", "/ping", "/.well-known/live")),
        Route("/metrics", scrape),
        Route("/", page),
    ]
    return Starlette(routes=routes, middleware=middleware(config, metrics))
