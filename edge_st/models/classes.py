"""Open a model without knowing its class."""

from pathlib import Path
from typing import Any, TypeAlias

from edge_st_runtime.errors import WrongClassError
from edge_st_runtime.model.classes import CROSS_ENCODER, MULTI_VECTOR_ENCODER, SENTENCE_TRANSFORMER, SPARSE_ENCODER

from .cross_encoder import CrossEncoder
from .multi_vector_encoder import MultiVectorEncoder
from .sentence_transformer import SentenceTransformer
from .sparse_encoder import SparseEncoder

Model: TypeAlias = SentenceTransformer | CrossEncoder | SparseEncoder | MultiVectorEncoder
_CLASSES: dict[str, type[Model]] = {
    SENTENCE_TRANSFORMER: SentenceTransformer,
    CROSS_ENCODER: CrossEncoder,
    SPARSE_ENCODER: SparseEncoder,
    MULTI_VECTOR_ENCODER: MultiVectorEncoder,
}


def open_model(model_name_or_path: str | Path | None = None, **options: Any) -> Model:
    """The model, as an instance of the class it was made for; a plain transformer is a SentenceTransformer.

    ``options`` are the constructor's. Raises what the constructors raise.
    """
    try:
        return SentenceTransformer(model_name_or_path, **options)
    except WrongClassError as error:
        return _CLASSES[error.model_type](model_name_or_path, **options)
