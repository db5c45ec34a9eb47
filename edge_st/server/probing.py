"""The paths that are asked without a key, and the path of a request within an application that is mounted."""

from collections.abc import Mapping
from typing import Any

_PROBES = frozenset({"/health", "/health/ready", "/ready", "/ping", "/metrics"})
_WELL_KNOWN = "/.well-known/"
_PAGE = frozenset({"/", "/favicon.ico", "/openapi.json"})
_PAGE_FILES = "/page/"


def path_of(scope: Mapping[str, Any]) -> str:
    """The path of the request without the place at which the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def is_probe(path: str) -> bool:
    """Whether monitoring asks at ``path``."""
    return path in _PROBES or path.startswith(_WELL_KNOWN)


def is_polled(path: str) -> bool:
    """Whether monitoring, or an open page, asks at ``path`` again and again."""
    return is_probe(path) or path == "/stats"


def is_open(method: str, path: str) -> bool:
    """Whether no key is needed: for probes, the page with its files, and the description of the routes."""
    reads = method in {"GET", "HEAD"}
    return is_probe(path) or (reads and (path in _PAGE or path.startswith(_PAGE_FILES)))
