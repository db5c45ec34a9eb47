"""sentence-transformers models on ONNX Runtime or OpenVINO, without PyTorch."""

from edge_st_runtime.errors import EdgeSTError
from edge_st_runtime.similarity import SimilarityFunction

from .sentence_transformer import SentenceTransformer
from .util import quantize_embeddings

__all__ = ["EdgeSTError", "SentenceTransformer", "SimilarityFunction", "__version__", "quantize_embeddings", "util"]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("edge-st")
    raise AttributeError(f"module 'edge_st' has no attribute {name!r}")
