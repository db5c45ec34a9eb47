"""`MultiVectorEncoder` and its scores, importable from where sentence-transformers has them."""

from edge_st_runtime.vectors.maxsim import maxsim, maxsim_pairwise

from ..models.multi_vector_encoder import MultiVectorEncoder

__all__ = ["MultiVectorEncoder", "maxsim", "maxsim_pairwise"]
