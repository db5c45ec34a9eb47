"""sentence-transformers models on ONNX Runtime or OpenVINO, without PyTorch.

Names are imported when they are first used, so that ``import edge_st`` and the command line start at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_st_runtime.errors import EdgeSTError
    from edge_st_runtime.store.sparse.bm25 import BM25
    from edge_st_runtime.store.sparse.inverted import InvertedIndex
    from edge_st_runtime.vectors.similarity import SimilarityFunction
    from edge_st_runtime.vectors.sparse import SparseMatrix, SparseVector

    from . import util
    from .evaluation.input_example import InputExample
    from .index.corpus import Index
    from .index.multi_vector import MultiVectorIndex
    from .models.bge_m3 import BGEM3
    from .models.cross_encoder import CrossEncoder
    from .models.multi_vector_encoder import MultiVectorEncoder
    from .models.sentence_transformer import SentenceTransformer
    from .models.sparse_encoder import SparseEncoder
    from .retrieval.retriever import Retriever
    from .util import mine_hard_negatives, quantize_embeddings
    from .version import __version__

__all__ = [
    "BGEM3",
    "BM25",
    "CrossEncoder",
    "EdgeSTError",
    "Index",
    "InputExample",
    "InvertedIndex",
    "MultiVectorEncoder",
    "MultiVectorIndex",
    "Retriever",
    "SentenceTransformer",
    "SimilarityFunction",
    "SparseEncoder",
    "SparseMatrix",
    "SparseVector",
    "__version__",
    "mine_hard_negatives",
    "quantize_embeddings",
    "util",
]

_HOMES = {
    "BGEM3": "edge_st.models.bge_m3",
    "BM25": "edge_st_runtime.store.sparse.bm25",
    "CrossEncoder": "edge_st.models.cross_encoder",
    "EdgeSTError": "edge_st_runtime.errors",
    "Index": "edge_st.index.corpus",
    "InputExample": "edge_st.evaluation.input_example",
    "InvertedIndex": "edge_st_runtime.store.sparse.inverted",
    "MultiVectorEncoder": "edge_st.models.multi_vector_encoder",
    "MultiVectorIndex": "edge_st.index.multi_vector",
    "Retriever": "edge_st.retrieval.retriever",
    "SentenceTransformer": "edge_st.models.sentence_transformer",
    "SimilarityFunction": "edge_st_runtime.vectors.similarity",
    "SparseEncoder": "edge_st.models.sparse_encoder",
    "SparseMatrix": "edge_st_runtime.vectors.sparse",
    "SparseVector": "edge_st_runtime.vectors.sparse",
    "__version__": "edge_st.version",
    "mine_hard_negatives": "edge_st.mining.hard_negatives.mining",
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
