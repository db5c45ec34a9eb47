"""What every request passes before it is answered, in this order."""

from collections.abc import Iterator

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from .config import Config
from .keys import KeysMiddleware
from .limits import BodyLimitMiddleware
from .metrics import Metrics
from .tracing import SpanMiddleware, TraceIdMiddleware, can_trace
from .watching import WatchMiddleware

_SHOWN = (
    *("retry-after", "x-edge-st-truncated", "x-compute-type", "x-compute-time", "x-compute-characters"),
    *("x-compute-tokens", "x-total-time", "x-tokenization-time", "x-queue-time", "x-inference-time"),
)


def middleware(config: Config, metrics: Metrics) -> list[Middleware]:
    """The parts around the routes, outermost first: time and count, traces, CORS, keys, and the limit of the body.

    The application has to fill the `Record` of a request's scope, and gives ``metrics`` its batches.
    """
    return list(_parts(config, metrics))


def _parts(config: Config, metrics: Metrics) -> Iterator[Middleware]:
    yield Middleware(WatchMiddleware, metrics=metrics)
    yield Middleware(TraceIdMiddleware)
    if can_trace():
        yield Middleware(SpanMiddleware)
    if config.cors_origins:
        yield Middleware(
            CORSMiddleware,
            allow_origins=config.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=_SHOWN,
        )
    if config.keys:
        yield Middleware(KeysMiddleware, keys=config.keys)
    yield Middleware(BodyLimitMiddleware, most=config.max_body_bytes)
