"""SparseEncoder: the inference side of sentence-transformers' class of this name."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.engines.signature import MAX_ACTIVE_DIMS
from edge_st_runtime.errors import InputError, InputTypeError
from edge_st_runtime.files.reading import reading, whole_number
from edge_st_runtime.model.classes import SPARSE_ENCODER
from edge_st_runtime.model.folder import SETTINGS_FILE
from edge_st_runtime.modules.sparse import SparseAutoEncoder, SpladePooling
from edge_st_runtime.vectors.similarity import SimilarityFunction
from edge_st_runtime.vectors.sparse import SparseMatrix, SparseVector
from edge_st_runtime.vectors.sparse_similarity import FUNCTIONS

from .encoder import Encoder
from .old_names import named_inputs
from .results import shaped
from .sparse_outputs import SparseEmbeddings

if TYPE_CHECKING:
    from .multi_process import Pool


logger = logging.getLogger(__name__)
Embeddings: TypeAlias = SparseVector | SparseMatrix | NDArray[np.float32]
Decoded: TypeAlias = list[tuple[str, float]]


class SparseEncoder(Encoder):
    """A model that gives every text a few weighted dimensions, most often tokens of its vocabulary.

    It has these arguments besides those of `SentenceTransformer`:

    - ``similarity_fn_name``: the default is the folder's, or "dot".
    - ``max_active_dims``: the most dimensions that `encode` keeps. The default is the folder's or the model's own
      number, or all.

    Raises FolderError for a folder that cannot be used, such as one of another class, EngineError, HubError, and
    OptionError for an argument with a value that it cannot have.
    """

    _model_type = SPARSE_ENCODER
    _organization = "sparse-encoder"
    _default_similarity = SimilarityFunction.DOT_PRODUCT
    _similarity_functions = FUNCTIONS
    _chunk_size: int | None = None
    _after_prompt = (
        "batch_size",
        "show_progress_bar",
        "convert_to_tensor",
        "convert_to_sparse_tensor",
        "save_to_cpu",
        "device",
        "max_active_dims",
        "pool",
        "chunk_size",
    )
    _saved_settings: ClassVar[tuple[str, ...]] = (*Encoder._saved_settings, MAX_ACTIVE_DIMS)

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        similarity_fn_name: str | SimilarityFunction | None = None,
        max_active_dims: int | None = None,
        **shared: Any,
    ) -> None:
        """``shared`` are the arguments that all model classes have."""
        super().__init__(model_name_or_path, similarity_fn_name=similarity_fn_name, **shared)
        if max_active_dims is not None:
            check_count(MAX_ACTIVE_DIMS, max_active_dims)
        saved = self._settings_of(self._runner.folder.settings)
        self.max_active_dims: int | None = saved[MAX_ACTIVE_DIMS] if max_active_dims is None else max_active_dims

    def encode(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        convert_to_tensor: bool = True,
        convert_to_sparse_tensor: bool = True,
        save_to_cpu: bool = False,  # noqa: ARG002 - that is where they are
        device: str | Sequence[str] | None = None,
        max_active_dims: int | None = None,
        pool: "Pool | None" = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Sparse embeddings of a text, a pair of texts, or a list of them.

        Returns a SparseMatrix (n, dim), for a single input a SparseVector (dim,), with ``indices`` int32 and ``values``
        float32. ``convert_to_sparse_tensor=False`` gives a float32 array of the same shape instead.
        ``convert_to_tensor=False`` gives a list with one of either for each text.

        ``max_active_dims`` keeps the largest values. ``batch_size`` is the most texts in a batch; batches are also
        bounded by their tokens. ``task`` chooses the route of a model with a Router; see `tasks`. ``processing_kwargs``
        such as {"text": {"max_length": 256}} set the limit in tokens of this call.

        Raises InputTypeError or InputError for inputs that are not texts, before any work; OptionError for an argument
        with a value that it cannot have; TextTooLongError with ``truncation="error"``.
        Source: sentence-transformers' SparseEncoder.encode.
        """
        inputs, kwargs = named_inputs("encode", inputs, kwargs)
        options = self._call_options("encode", kwargs)
        most = self.max_active_dims if max_active_dims is None else max_active_dims
        if most is not None:
            check_count(MAX_ACTIVE_DIMS, most)
        request = self._request(inputs, options, prompt_name, prompt, batch_size, SparseEmbeddings(most))
        found = self._runner.run(request, device, pool, chunk_size, show_progress_bar)
        rows = found if convert_to_sparse_tensor else found.to_dense()
        return shaped(rows, singular=request.singular, as_array=convert_to_tensor)

    def get_embedding_dimension(self) -> int:
        """The number of dimensions of an embedding: mostly the size of the vocabulary."""
        return self._runner.width

    def decode(self, embeddings: Embeddings, top_k: int | None = None) -> Decoded | list[Decoded]:
        """The tokens of an embedding (dim,) with their weights, heaviest first; for (n, dim) a list of such lists.

        ``top_k`` keeps the first ones. Raises InputTypeError unless ``embeddings`` are what `encode` returns,
        InputError for other shapes, and OptionError for ``top_k`` below 1.
        Source: sentence-transformers' SparseEncoder.decode.
        """
        if top_k is not None:
            check_count("top_k", top_k)
        found = [self._decode(row, top_k) for row in _matrix(embeddings)]
        return found[0] if embeddings.ndim == 1 else found

    def _decode(self, row: SparseVector, top_k: int | None) -> Decoded:
        order = np.argsort(-row.values, kind="stable")[:top_k]
        name = self._runner.main_pipeline.tokenizer.tokenizer.id_to_token
        return [(name(row.indices[place].item()), row.values[place].item()) for place in order]

    @staticmethod
    def sparsity(embeddings: Embeddings) -> dict[str, float]:
        """The mean number of dimensions that are not zero, and the share of those that are zero.

        Raises InputTypeError unless ``embeddings`` are what `encode` returns.
        Source: sentence-transformers' SparseEncoder.sparsity.
        """
        matrix = _matrix(embeddings)
        if not len(matrix) or not matrix.dim:
            return {"active_dims": 0.0, "sparsity_ratio": 1.0}
        active = matrix.nnz / len(matrix)
        return {"active_dims": active, "sparsity_ratio": 1 - active / matrix.dim}

    @staticmethod
    def intersection(embeddings_1: Embeddings, embeddings_2: Embeddings) -> SparseVector | SparseMatrix:
        """The products of ``embeddings_1`` (dim,) with ``embeddings_2``, (dim,) or (n, dim), where they are positive.

        Raises InputTypeError unless both are what `encode` returns, InputError for other shapes.
        Source: sentence-transformers' SparseEncoder.intersection.
        """
        one, others = _matrix(embeddings_1), _matrix(embeddings_2)
        if embeddings_1.ndim != 1 or one.dim != others.dim:
            raise InputError(
                f"embeddings of shapes {embeddings_1.shape} and {embeddings_2.shape}; expected (dim,), and (dim,) or "
                "(n, dim)"
            )
        products = others.values * one.to_dense()[0][others.indices]
        kept = products > 0
        counts = np.bincount(others.rows[kept], minlength=len(others))
        ends = np.concatenate(([0], np.cumsum(counts)))
        found = SparseMatrix(ends, others.indices[kept], products[kept], others.dim)
        return found[0] if embeddings_2.ndim == 1 else found

    def _settings_of(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        with reading(self._runner.folder.path / SETTINGS_FILE):
            most = whole_number(saved, MAX_ACTIVE_DIMS)
        return {**super()._settings_of(saved), MAX_ACTIVE_DIMS: most or self._own_max_active_dims()}

    @property
    def splade_pooling_chunk_size(self) -> int | None:
        """What it is set to; settable, without effect: batches are bounded by their tokens. None without SPLADE."""
        return self._chunk_size if self._has_splade("get") else None

    @splade_pooling_chunk_size.setter
    def splade_pooling_chunk_size(self, value: int | None) -> None:
        if value is not None:
            check_count("splade_pooling_chunk_size", value)
        if self._has_splade("set"):
            self._chunk_size = value

    def _has_splade(self, action: str) -> bool:
        modules = (module for route in self._runner.folder.routes.values() for module in route.modules)
        found = any(isinstance(module, SpladePooling) for module in modules)
        if not found:
            logger.warning("SpladePooling module not found. Cannot %s chunk_size.", action)
        return found

    def _own_max_active_dims(self) -> int | None:
        modules = (module for route in self._runner.pipelines.values() for module in route.modules)
        return next((module.k for module in modules if isinstance(module, SparseAutoEncoder)), None)

    def info(self) -> dict[str, Any]:
        """What was loaded and how it runs, as values that JSON can hold."""
        return {**super().info(), "max_active_dims": self.max_active_dims}


def _matrix(embeddings: Any) -> SparseMatrix:
    if isinstance(embeddings, SparseMatrix):
        return embeddings
    if isinstance(embeddings, SparseVector):
        return SparseMatrix.from_rows([embeddings], embeddings.dim)
    if isinstance(embeddings, np.ndarray):
        if embeddings.ndim not in (1, 2):
            raise InputError(f"Input tensor must be 1D or 2D, got {embeddings.ndim}D. Expected (dim,) or (n, dim)")
        return SparseMatrix.from_dense(np.atleast_2d(embeddings))
    raise InputTypeError(
        f"embeddings are a {type(embeddings).__name__}; expected what encode gives: a SparseMatrix, a SparseVector or "
        "an array (dim,) or (n, dim)"
    )
