"""The embedding service: models behind HTTP, in the protocols that clients have already."""

from importlib.util import find_spec

from edge_st_runtime.errors import PackageMissingError

_PACKAGES = ("starlette", "uvicorn", "orjson", "prometheus_client")

for _package in _PACKAGES:
    if find_spec(_package) is None:
        raise PackageMissingError(f"the server needs {_package}, which is not installed: pip install 'edge-st[server]'")

from .app import create_app  # noqa: E402
from .config import Config, IndexConfig, ModelConfig  # noqa: E402

__all__ = ["Config", "IndexConfig", "ModelConfig", "create_app"]
