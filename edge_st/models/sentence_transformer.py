"""SentenceTransformer: the inference side of sentence-transformers' class of this name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError, TextTooLongError
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER
from edge_st_runtime.modules.specs import Features
from edge_st_runtime.text.tokens import TextOrPair
from edge_st_runtime.text.windows import windows
from edge_st_runtime.vectors.dense import check_precision, quantize
from edge_st_runtime.vectors.similarity import FUNCTIONS, SimilarityFunction

from .encoder import Encoder
from .inputs import checked
from .outputs import (
    all_features,
    check_output_value,
    check_truncate_dim,
    gather,
    gather_lists,
    sentence_embedding,
    to_tensor,
    token_embeddings,
)
from .prompts import resolve_prompt

if TYPE_CHECKING:
    from .multi_process import Pool


class SentenceTransformer(Encoder):
    """A dense embedding model, run by ONNX Runtime, OpenVINO or, for static models, NumPy.

    Safe to call from many threads; survives a fork; pickles as its folder and options. The arguments that
    sentence-transformers does not have: ``dtype`` ("auto", "float32", "bfloat16", "float16", "int8") is what the
    engine computes in, where "auto" is the fastest that the exporter proved lossless; ``provider`` names an ONNX
    Runtime execution provider; ``num_threads`` overrides EDGE_ST_NUM_THREADS and the cores this process may use;
    ``low_memory`` takes ONNX Runtime, one thread and batches of 128 tokens where nothing else is asked for;
    ``truncation`` ("silent", "warn", "error") is what happens to texts beyond ``max_seq_length``. What OpenVINO takes
    goes in as with sentence-transformers: ``model_kwargs={"ov_config": {"CACHE_DIR": folder}}`` keeps the compiled
    graph for the next start, ``{"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}`` computes a single text on all
    cores, at the expense of many.

    Without a name the bundled static model is loaded. Raises FolderError for a folder that cannot be used,
    EngineError, HubError, and OptionError for arguments outside their values.
    """

    _model_type = SENTENCE_TRANSFORMER
    _organization = "sentence-transformers"
    _bundled = Path(__file__).parents[1] / "bundled" / "static-all-MiniLM-L6-v2"
    _default_similarity = SimilarityFunction.COSINE
    _similarity_functions = FUNCTIONS
    _saved_settings: ClassVar[tuple[str, ...]] = (*Encoder._saved_settings, "truncate_dim")

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        similarity_fn_name: str | SimilarityFunction | None = None,
        truncate_dim: int | None = None,
        **shared: Any,
    ) -> None:
        """``shared`` are `BaseModel`'s arguments."""
        super().__init__(model_name_or_path, similarity_fn_name=similarity_fn_name, **shared)
        saved = self._settings_of(self._model.folder.settings)
        self.truncate_dim = check_truncate_dim(saved["truncate_dim"] if truncate_dim is None else truncate_dim)

    def encode(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = "sentence_embedding",
        precision: str | None = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | Sequence[str] | None = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pool: "Pool | None" = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Embeddings of a text, a pair of texts, or a list of them.

        Returns float32 (n, dim), for a single input (dim,); with ``precision`` "int8" the same shape in int8, "uint8"
        in uint8, "binary"/"ubinary" (n, ceil(dim / 8)) in int8/uint8. ``output_value="token_embeddings"`` gives a list
        of (tokens, hidden) float32, None a list of dictionaries with every feature of a text. With
        ``convert_to_numpy=False`` a list of vectors, with ``convert_to_tensor=True`` a torch tensor.

        ``batch_size`` is an upper bound: batches are cut by tokens. ``truncate_dim`` cuts before normalizing. ``task``
        chooses the route of a model with a Router; see `tasks`.

        Raises InputTypeError or InputError for inputs that are no texts (before any work), OptionError for arguments
        outside their values, TextTooLongError with ``truncation="error"``.
        Source: sentence-transformers' SentenceTransformer.encode.
        """
        inputs, task = self._accept_old_names(inputs, kwargs)
        texts, singular, route = self._texts(inputs, task)
        _check_options(batch_size, precision, output_value, truncate_dim, pools=self._pipelines[route].pools)
        options: dict[str, Any] = {
            "route": route,
            "prompt": resolve_prompt(self.prompts, self.default_prompt_name, prompt_name, prompt),
            "batch_size": batch_size,
            "output_value": output_value,
            "normalize_embeddings": normalize_embeddings,
            "truncate_dim": self.truncate_dim if truncate_dim is None else truncate_dim,
        }
        found = self._run_here_or_in_processes(texts, options, device, pool, chunk_size, show_progress_bar)
        if output_value != "sentence_embedding":
            return found[0] if singular else found
        if precision not in (None, "float32"):  # which it is; quantize would copy it
            found = quantize(found, precision)
        result = to_tensor(found) if convert_to_tensor else found if convert_to_numpy else list(found)
        return result[0] if singular else result

    def encode_iter(self, inputs: Iterable[Any], **options: Any) -> Iterator[NDArray[Any]]:
        """Embeddings (dim,) of any number of texts, one after the other, in bounded memory.

        Texts are taken in portions, small ones first: 32, 64, 128 … up to 8192.

        ``options`` are those of `encode`. Raises as `encode` does, at the item concerned; OptionError at once for
        ``precision`` "int8" and "uint8", whose ranges need all embeddings.
        """
        if options.get("precision") in ("int8", "uint8"):
            raise OptionError(f"precision {options['precision']!r} needs all embeddings; use encode, or 'binary'")
        return self._encode_windows(checked(inputs), options)

    def _encode_windows(self, texts: Iterator[TextOrPair], options: dict[str, Any]) -> Iterator[NDArray[Any]]:
        start = 0
        for window in windows(texts, growing=True):
            try:
                yield from self.encode(window, **options)
            except TextTooLongError as error:
                raise TextTooLongError(f"counted from text {start}: {error}") from None
            start += len(window)

    def _run_all(
        self,
        texts: list[TextOrPair],
        *,
        show_progress_bar: bool | None,
        output_value: str | None = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        **options: Any,
    ) -> Any:
        options["show_progress_bar"] = show_progress_bar
        if output_value == "sentence_embedding":
            if not texts:
                return np.empty((0, self._width), dtype=np.float32)[:, :truncate_dim]
            return self._gathered(texts, sentence_embedding(truncate_dim, normalize_embeddings), gather, **options)
        take: Callable[[Features], list[Any]] = token_embeddings if output_value else all_features(truncate_dim)
        return self._gathered(texts, take, gather_lists, **options)

    @property
    def has_token_embeddings(self) -> bool:
        """Whether ``output_value="token_embeddings"`` is to be had."""
        return not self._pipelines[self._main_route].pools

    def get_embedding_dimension(self) -> int:
        """Width of the embeddings, after ``truncate_dim``."""
        return self._width if self.truncate_dim is None else min(self.truncate_dim, self._width)

    @contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Within the ``with`` block, embeddings are cut to ``truncate_dim``."""
        before, self.truncate_dim = self.truncate_dim, truncate_dim
        try:
            yield
        finally:
            self.truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    def _settings_of(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        return {**super()._settings_of(saved), "truncate_dim": saved.get("truncate_dim")}


def _check_options(
    batch_size: int, precision: str | None, output_value: str | None, truncate_dim: int | None, *, pools: bool
) -> None:
    check_count("batch_size", batch_size)
    check_precision(precision)
    check_truncate_dim(truncate_dim)
    check_output_value(output_value, pools=pools)
