"""The poolings of token vectors, importable from where sentence-transformers has them."""

from edge_st_runtime.modules.token_mask import MultiVectorMask
from edge_st_runtime.modules.token_pooling import BaseTokenPooling, HierarchicalTokenPooling, LambdaTokenPooling

__all__ = ["BaseTokenPooling", "HierarchicalTokenPooling", "LambdaTokenPooling", "MultiVectorMask"]
