"""Log lines and log records in JSON. They tell of requests what `Record` holds, never texts and never keys."""

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from starlette.types import Scope

from .probing import is_polled, path_of
from .record import Record

FORMATS: Final = ("line", "json")
LEVELS: Final = ("debug", "info", "warning", "error")
_FIELDS = "fields"
_PLAIN = re.compile(r"[\w./:@+-]+")
_access = logging.getLogger("edge_st.access")


def log_request(scope: Scope, record: Record, status: int, seconds: float) -> None:
    """Tell of an answered request: what is polled at the level debug, failures of the server as warnings."""
    path = path_of(scope)
    level = logging.WARNING if status >= 500 else logging.DEBUG if is_polled(path) else logging.INFO
    if not _access.isEnabledFor(level):
        return
    shown = quote(path, safe="/:@")
    fields = {
        "client": (scope.get("client") or ("",))[0], "method": scope["method"], "path": shown, "status": status,
        "ms": _milliseconds(seconds), "key": record.key, "model": record.model, "operation": record.operation,
        "texts": record.texts, "tokens": record.tokens, "truncated": record.truncated, "cached": record.cached,
        "tokenization_ms": _milliseconds(record.tokenization), "queue_ms": _milliseconds(record.queue),
        "inference_ms": _milliseconds(record.inference), "failure": record.failure,
        "trace_id": record.extra.get("trace_id"),
    }  # fmt: skip
    made = logging.LogRecord(  # not by `log`, which looks for the place in the source that called it
        _access.name, level, "", 0, "%s %s %d", (scope["method"], shown, status), None
    )
    setattr(made, _FIELDS, {name: value for name, value in fields.items() if value not in (None, "", 0)})
    _access.handle(made)


class LineFormatter(logging.Formatter):
    """A line: time in UTC, level, message, and the fields of a request as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of ``record``, and the lines of its exception."""
        fields: Mapping[str, Any] = getattr(record, _FIELDS, {})
        told = [f"{name}={_shown(value)}" for name, value in fields.items() if name not in _IN_THE_MESSAGE]
        lines = [" ".join([_time(record), f"{record.levelname:<7}", record.getMessage(), *told])]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """A JSON object on a line: time in UTC, level, logger and message, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """The object of ``record``; an exception is its field ``exception``."""
        found = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found, default=str)


_IN_THE_MESSAGE = frozenset({"method", "path", "status"})
_FORMATTERS = {"line": LineFormatter, "json": JsonFormatter}


def log_config(kind: str = "line", level: str = "info") -> dict[str, Any]:
    """A dictionary for `logging.config.dictConfig`: records of at least ``level`` go to standard error.

    Of uvicorn and of what loads models, only warnings are shown, but where all is asked for.
    """
    own, others = level.upper(), (level if level in {"debug", "error"} else "warning").upper()
    handler = {"class": "logging.StreamHandler", "formatter": "chosen"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": _FORMATTERS[kind]}},
        "filters": {"once": {"()": _Once}},
        "handlers": {
            "messages": {**handler, "stream": "ext://sys.stderr", "filters": ["once"]},
            "requests": {**handler, "stream": "ext://sys.__stderr__"},  # they hold nothing that has to be escaped
        },
        "root": {"handlers": ["messages"], "level": others},
        "loggers": {
            "edge_st.server": {"level": own},
            "edge_st.access": {"level": own, "handlers": ["requests"], "propagate": False},
            **{name: {"level": others} for name in ("edge_st", "edge_st_runtime", "uvicorn")},
            "asyncio": {"level": "WARNING"},
        },
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _time(record: logging.LogRecord) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


@lru_cache(maxsize=1)
def _second(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _shown(value: object) -> str:
    if not isinstance(value, str):
        return str(value)
    return value if _PLAIN.fullmatch(value) else json.dumps(value)


class _Once(logging.Filter):
    """Leaves out that the application did not start: the reason is told at the end of the process."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` tells of something else."""
        return not (record.name == "uvicorn.error" and str(record.msg).startswith("Application startup failed"))
