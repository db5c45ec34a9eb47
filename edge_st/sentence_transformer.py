"""SentenceTransformer: the inference side of sentence-transformers' class of this name."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError, TextTooLongError
from edge_st_runtime.modules import Features
from edge_st_runtime.pipeline import windows
from edge_st_runtime.similarity import SimilarityFunction, parse_similarity
from edge_st_runtime.tokens import TextOrPair
from edge_st_runtime.vectors import check_precision, quantize

from .base import BaseModel
from .inputs import checked, with_prompt
from .limits import truncation_guard
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
from .progress import progress_bar
from .prompts import DOCUMENT_NAMES, QUERY_NAMES, resolve_prompt, task_prompt_name

if TYPE_CHECKING:
    from .multi_process import Pool


class SentenceTransformer(BaseModel):
    """A dense embedding model, run by ONNX Runtime, OpenVINO or, for static models, NumPy.

    Safe to call from many threads; survives a fork; pickles as its folder and options. The arguments that
    sentence-transformers does not have: ``dtype`` ("auto", "float32", "bfloat16", "float16", "int8") is what the
    engine computes in, where "auto" is the fastest that the exporter proved lossless; ``provider`` names an ONNX
    Runtime execution provider; ``num_threads`` overrides EDGE_ST_NUM_THREADS and the cores this process may use;
    ``truncation`` ("silent", "warn", "error") is what happens to texts beyond ``max_seq_length``.

    Without a name the bundled static model is loaded. Raises FolderError for a folder that cannot be used,
    EngineError, HubError, and OptionError for arguments outside their values.
    """

    _organization = "sentence-transformers"
    _bundled = Path(__file__).parent / "bundled" / "static-all-MiniLM-L6-v2"
    _default_prompts: ClassVar[Mapping[str, None]] = {"query": None, "document": None}
    _saved_settings: ClassVar[tuple[str, ...]] = (*BaseModel._saved_settings, "similarity_fn_name", "truncate_dim")

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        similarity_fn_name: str | SimilarityFunction | None = None,
        truncate_dim: int | None = None,
        **shared: Any,
    ) -> None:
        """``shared`` are `BaseModel`'s arguments."""
        super().__init__(model_name_or_path, **shared)
        saved = self._settings_of(self._model.folder.settings)
        self.similarity_fn_name = similarity_fn_name or saved["similarity_fn_name"]
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
        chooses the road of a model with a Router; see `tasks`.

        Raises InputTypeError or InputError for inputs that are no texts (before any work), OptionError for arguments
        outside their values, TextTooLongError with ``truncation="error"``.
        Source: sentence-transformers' SentenceTransformer.encode.
        """
        inputs = _accept_old_names(inputs, kwargs)
        texts, singular, road = self._texts(inputs, kwargs.get("task"))
        _check_options(batch_size, precision, output_value, truncate_dim, pools=self._pipelines[road].pools)
        self._check_device(device)
        options: dict[str, Any] = {
            "road": road,
            "prompt": resolve_prompt(self.prompts, self.default_prompt_name, prompt_name, prompt),
            "batch_size": batch_size,
            "output_value": output_value,
            "normalize_embeddings": normalize_embeddings,
            "truncate_dim": self.truncate_dim if truncate_dim is None else truncate_dim,
        }
        devices = device if isinstance(device, list | tuple) else None
        if pool is None and devices is None:
            found = self._encode_all(texts, show_progress_bar=show_progress_bar, **options)
        else:
            found = self._encode_in_processes(texts, options, pool, devices, chunk_size, show_progress_bar)
        if output_value != "sentence_embedding":
            return found[0] if singular else found
        if precision is not None:
            found = quantize(found, precision)
        result = to_tensor(found) if convert_to_tensor else found if convert_to_numpy else list(found)
        return result[0] if singular else result

    def encode_query(
        self, inputs: Any = None, prompt_name: str | None = None, prompt: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """`encode`, with the prompt called "query" unless ``prompt_name`` or ``prompt`` is given."""
        prompt_name = task_prompt_name(self.prompts, QUERY_NAMES, prompt_name, prompt)
        return self.encode(inputs, prompt_name, prompt, *args, task="query", **kwargs)

    def encode_document(
        self, inputs: Any = None, prompt_name: str | None = None, prompt: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """`encode`, with the first prompt called "document", "passage" or "corpus" unless one is given."""
        prompt_name = task_prompt_name(self.prompts, DOCUMENT_NAMES, prompt_name, prompt)
        return self.encode(inputs, prompt_name, prompt, *args, task="document", **kwargs)

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

    def _encode_all(
        self,
        texts: list[TextOrPair],
        *,
        road: str,
        prompt: str | None,
        batch_size: int,
        output_value: str | None,
        normalize_embeddings: bool,
        truncate_dim: int | None,
        show_progress_bar: bool | None,
    ) -> Any:
        texts = with_prompt(texts, prompt)
        pipeline, limit = self._pipelines[road], self._limits[road]
        run = partial(
            pipeline.run,
            texts,
            limit=limit,
            batch_size=batch_size,
            prompt_length=self._prompt_length(prompt, road),
            inspect=truncation_guard(self.truncation, limit, texts, pipeline.tokenizer),
        )
        with progress_bar(len(texts), show_progress_bar) as advance:
            if output_value == "sentence_embedding":
                if not texts:
                    return np.empty((0, self._dimension), dtype=np.float32)[:, :truncate_dim]
                return gather(run(sentence_embedding(truncate_dim, normalize_embeddings)), len(texts), advance)
            select: Callable[[Features], list[Any]] = token_embeddings if output_value else all_features(truncate_dim)
            return gather_lists(run(select), len(texts), advance)

    def _encode_in_processes(
        self,
        texts: list[TextOrPair],
        options: Mapping[str, Any],
        pool: "Pool | None",
        devices: Sequence[str] | None,
        chunk_size: int | None,
        show_progress_bar: bool | None,
    ) -> Any:
        from .multi_process import borrowed_pool, encode_chunks

        settings = self.call_settings()
        if self.truncation == "error":  # counted here, where a text's place among all is known, and not there again
            road = options["road"]
            tokenizer = self._pipelines[road].tokenizer
            truncation_guard("error", self._limits[road], with_prompt(texts, options["prompt"]), tokenizer)
            settings["truncation"] = "silent"
        with borrowed_pool(self, pool, devices) as workers:
            return encode_chunks(workers, settings, texts, options, chunk_size, show_progress_bar)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n, m) of every pair from (n, dim) and (m, dim), by `similarity_fn_name`."""
        return SimilarityFunction.to_similarity_fn(self._similarity_function)(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n,) of ``embeddings1[i]`` with ``embeddings2[i]``, by `similarity_fn_name`."""
        return SimilarityFunction.to_similarity_pairwise_fn(self._similarity_function)(embeddings1, embeddings2)

    @property
    def similarity_fn_name(self) -> str:
        """ "cosine", "dot", "euclidean" or "manhattan"; settable; raises OptionError for others."""
        return self._similarity_function.value

    @similarity_fn_name.setter
    def similarity_fn_name(self, value: str | SimilarityFunction) -> None:
        self._similarity_function = parse_similarity(value)

    @property
    def has_token_embeddings(self) -> bool:
        """Whether ``output_value="token_embeddings"`` is to be had."""
        return not self._pipelines[self._main_road].pools

    def get_embedding_dimension(self) -> int:
        """Width of the embeddings, after ``truncate_dim``."""
        return self._dimension if self.truncate_dim is None else min(self.truncate_dim, self._dimension)

    def get_sentence_embedding_dimension(self) -> int:
        """`get_embedding_dimension` by its older name."""
        return self.get_embedding_dimension()

    @cached_property
    def _dimension(self) -> int:
        select = sentence_embedding(None, normalized=False)
        road = self._main_road
        ((_, vectors),) = self._pipelines[road].run(["a"], select, limit=self._limits[road], batch_size=1)
        return int(vectors.shape[1])

    @contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Within the ``with`` block, embeddings are cut to ``truncate_dim``."""
        before, self.truncate_dim = self.truncate_dim, truncate_dim
        try:
            yield
        finally:
            self.truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    def info(self) -> dict[str, Any]:
        """What was loaded and how it runs, as values that JSON can hold."""
        return {**super().info(), "dimension": self.get_embedding_dimension(), "similarity": self.similarity_fn_name}

    def _settings_of(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        own = {
            "similarity_fn_name": saved.get("similarity_fn_name") or SimilarityFunction.COSINE.value,
            "truncate_dim": saved.get("truncate_dim"),
        }
        return {**super()._settings_of(saved), **own}

    def start_multi_process_pool(self, target_devices: Sequence[str] | None = None) -> "Pool":
        """Start a worker process for each of ``target_devices`` (default four times "cpu"), each with its own model."""
        from .multi_process import start_pool

        return start_pool(self, target_devices)

    @staticmethod
    def stop_multi_process_pool(pool: "Pool") -> None:
        """End the workers of ``pool``."""
        from .multi_process import stop_pool

        stop_pool(pool)


def _accept_old_names(inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``inputs``, or what came as ``sentences``; leaves nothing unknown in ``kwargs`` unreported."""
    if "sentences" in kwargs:
        warnings.warn("encode(sentences=…) is now encode(inputs=…)", DeprecationWarning, stacklevel=3)
        inputs = kwargs.pop("sentences")
    unknown = sorted(set(kwargs) - {"task"})
    if unknown:
        raise OptionError(
            f"encode() got {unknown}, which this model does not use; see help(SentenceTransformer.encode)"
        )
    return inputs


def _check_options(
    batch_size: int, precision: str | None, output_value: str | None, truncate_dim: int | None, *, pools: bool
) -> None:
    if not isinstance(batch_size, int | np.integer) or batch_size <= 0:
        raise OptionError(f"batch_size must be a positive integer, got {batch_size!r}.")
    check_precision(precision)
    check_truncate_dim(truncate_dim)
    check_output_value(output_value, pools=pools)
