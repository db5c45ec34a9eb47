"""MultiVectorEncoder: the inference side of sentence-transformers' class of this name."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.classes import MULTI_VECTOR_ENCODER
from edge_st_runtime.modules.token_mask import TASK
from edge_st_runtime.modules.token_pooling import BaseTokenPooling
from edge_st_runtime.vectors.similarity import FUNCTIONS, TOKEN_FUNCTIONS, SimilarityFunction

from .encoder import Encoder
from .old_names import named_inputs
from .results import shaped
from .token_outputs import token_output

if TYPE_CHECKING:
    from .multi_process import Pool

logger = logging.getLogger(__name__)


class MultiVectorEncoder(Encoder):
    """A late-interaction model, such as ColBERT: it gives every text a vector for each of its tokens.

    Its arguments are those of `SentenceTransformer`, without ``truncate_dim``. ``similarity_fn_name`` is "maxsim" or
    "meanmaxsim"; the default is the folder's, or "maxsim".

    Raises FolderError for a folder that cannot be used, such as one of another class, EngineError, HubError, and
    OptionError for an argument with a value that it cannot have.
    """

    _model_type = MULTI_VECTOR_ENCODER
    _default_similarity = SimilarityFunction.MAXSIM
    _similarity_functions = TOKEN_FUNCTIONS
    _of_another_kind: ClassVar[tuple[str, ...]] = tuple(function.value for function in FUNCTIONS)
    _after_prompt = (
        "batch_size",
        "show_progress_bar",
        "output_value",
        "convert_to_numpy",
        "device",
        "normalize_embeddings",
        "pool",
        "chunk_size",
        "token_pooling",
    )
    SUPPORTED_SIMILARITY_FN_NAMES: ClassVar[tuple[str, ...]] = tuple(function.value for function in TOKEN_FUNCTIONS)

    def encode(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = "token_embeddings",
        convert_to_numpy: bool = False,  # noqa: ARG002 - they are arrays
        device: str | Sequence[str] | None = None,
        normalize_embeddings: bool = False,
        pool: "Pool | None" = None,
        chunk_size: int | None = None,
        token_pooling: BaseTokenPooling | None = None,
        task: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Token vectors of a text, or of a list of them; better call `encode_query` and `encode_document`.

        Returns a list of (tokens, dim) float32 arrays, for a single text one array. The tokens are those that are
        scored: a query's expansion is among them, skipped tokens are not, and there may be none.
        ``output_value=None`` gives a dictionary with every feature of a text instead.

        ``task`` "query" or "document" decides the limit in tokens, the expansion and the tokens to skip.
        ``normalize_embeddings`` scales each vector to unit length. ``token_pooling`` then merges the vectors of the
        texts whose task it is for; by default those are documents. ``batch_size`` is the most texts in a batch; batches
        are also bounded by their tokens. ``processing_kwargs`` such as {"text": {"max_length": 256}} set the limit in
        tokens of this call.

        Raises InputTypeError or InputError for inputs that are not texts, before any work; OptionError for an argument
        with a value that it cannot have; TextTooLongError with ``truncation="error"``.
        Source: sentence-transformers' MultiVectorEncoder.encode.
        """
        inputs, kwargs = named_inputs("encode", inputs, kwargs)
        if "convert_to_tensor" in kwargs:
            raise OptionError(
                f"{type(self).__name__}.encode() has no `convert_to_tensor`: token vectors of several texts differ in "
                "number and do not make one tensor. Leave it out: the result is a list of NumPy arrays"
            )
        options = self._call_options("encode", {TASK: task, **kwargs})
        output = token_output(output_value, task, token_pooling, normalize=normalize_embeddings)
        self._note_pooling(task, token_pooling)
        request = self._request(inputs, options, prompt_name, prompt, batch_size, output)
        found = self._runner.run(request, device, pool, chunk_size, show_progress_bar)
        return shaped(found, singular=request.singular)

    def _note_pooling(self, task: str | None, pooling: BaseTokenPooling | None) -> None:
        """Say that the model pools already, where a call pools too."""
        modules = self._runner.main_pipeline.modules
        if pooling is not None and pooling.applies_to(task) and any(isinstance(m, BaseTokenPooling) for m in modules):
            logger.warning(
                "This model pools its token vectors already, and `token_pooling=` pools them further. Leave it out for "
                "the model's own pooling."
            )

    def similarity(self, embeddings1: Any, embeddings2: Any, **kwargs: Any) -> NDArray[Any]:
        """Scores (n, m) float32 of every query with every document, by `similarity_fn_name`.

        Both are lists of (tokens, dim), a padded array (n, tokens, dim), or one array (tokens, dim). ``kwargs`` are
        those of `edge_st.util.maxsim`.
        """
        found: NDArray[Any] = self._functions[0](embeddings1, embeddings2, **kwargs)
        return found

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any, **kwargs: Any) -> NDArray[Any]:
        """Scores (n,) float32 of each query with the document at its place; see `similarity`."""
        found: NDArray[Any] = self._functions[1](embeddings1, embeddings2, **kwargs)
        return found

    @property
    def _functions(self) -> tuple[Any, Any]:
        return self._similarity_functions[self._similarity_function]

    def get_embedding_dimension(self) -> int:
        """The number of dimensions of a token's vector."""
        return self._runner.width

    def get_model_kwargs(self) -> list[str]:
        """The further arguments of ``encode`` that this model uses: "task"."""
        return [TASK]
