"""sentence-transformers models on ONNX Runtime or OpenVINO, without PyTorch.

Names are loaded when they are first used, so that ``import edge_st`` and the command line start at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_st_runtime.errors import EdgeSTError
    from edge_st_runtime.similarity import SimilarityFunction

    from . import util
    from .sentence_transformer import SentenceTransformer
    from .util import quantize_embeddings
    from .version import __version__

__all__ = ["EdgeSTError", "SentenceTransformer", "SimilarityFunction", "__version__", "quantize_embeddings", "util"]

_HOMES = {
    "EdgeSTError": "edge_st_runtime.errors",
    "SentenceTransformer": "edge_st.sentence_transformer",
    "SimilarityFunction": "edge_st_runtime.similarity",
    "__version__": "edge_st.version",
    "quantize_embeddings": "edge_st.util",
}


def __getattr__(name: str) -> Any:
    if name == "util":
        return import_module("edge_st.util")
    if name not in _HOMES:
        raise AttributeError(f"module 'edge_st' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
