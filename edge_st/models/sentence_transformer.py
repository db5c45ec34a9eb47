"""SentenceTransformer: the inference side of sentence-transformers' class of this name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from edge_st_runtime.errors import NotFiniteError, OptionError, TextTooLongError
from edge_st_runtime.files.reading import reading, whole_number
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER
from edge_st_runtime.model.folder import SETTINGS_FILE
from edge_st_runtime.text.tokens import TextOrPair
from edge_st_runtime.text.windows import windows
from edge_st_runtime.vectors.dense import check_precision
from edge_st_runtime.vectors.similarity import FUNCTIONS, SimilarityFunction

from .encoder import Encoder
from .inputs import checked
from .old_names import named_inputs
from .outputs import Embeddings, check_truncate_dim, dense_output
from .results import shaped, stored

if TYPE_CHECKING:
    from .multi_process import Pool


class SentenceTransformer(Encoder):
    """A dense embedding model, run by ONNX Runtime, by OpenVINO or, for static models, by NumPy.

    A model may be called from many threads. It survives a fork, and pickles as its folder and options. Without a name
    the bundled static model is loaded.

    These arguments are not in sentence-transformers:

    - ``dtype`` is what the engine computes in: "float32", "bfloat16", "float16", "int8", or "auto", the fastest that
      the exporter proved lossless.
    - ``provider`` names an execution provider of ONNX Runtime.
    - ``num_threads`` overrides EDGE_ST_NUM_THREADS and the number of cores that this process may use.
    - ``low_memory`` takes ONNX Runtime, batches of 128 tokens and one thread, unless you ask for something else. None
      takes at most four threads instead where this process may use at most 512 MiB of memory.
    - ``profile="background"`` disturbs other programs little: half the cores, the lowest priority, small batches and a
      pause after each. The default is what EDGE_ST_PROFILE says.
    - ``convert`` says what happens to a folder with weights in safetensors and no graph: "auto" writes one to the cache
      where edge-st-export is installed, "never" raises MissingFileError.
    - ``pooling`` is the mode, or the modes to be concatenated, of a model whose folder has no modules.json: "mean",
      "cls", "lasttoken", "max", "mean_sqrt_len_tokens" or "weightedmean". The default is the mean, with a warning; for
      a causal language model it is the last token.
    - ``truncation`` says what happens to texts beyond ``max_seq_length``: "silent", "warn" or "error".

    OpenVINO's settings are given as in sentence-transformers. ``model_kwargs={"ov_config": {"CACHE_DIR": folder}}``
    keeps the compiled graph for the next start. ``{"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}`` computes a
    single text on all cores; many texts then take longer.

    Raises FolderError for a folder that cannot be used, EngineError, HubError, and OptionError for an argument with a
    value that it cannot have.
    """

    _model_type = SENTENCE_TRANSFORMER
    _organization = "sentence-transformers"
    _bundled = Path(__file__).parents[1] / "bundled" / "static-all-MiniLM-L6-v2"
    _default_similarity = SimilarityFunction.COSINE
    _similarity_functions = FUNCTIONS
    _saved_settings: ClassVar[tuple[str, ...]] = (*Encoder._saved_settings, "truncate_dim")
    _after_prompt = (
        "batch_size",
        "show_progress_bar",
        "output_value",
        "precision",
        "convert_to_numpy",
        "convert_to_tensor",
        "device",
        "normalize_embeddings",
        "truncate_dim",
        "pool",
        "chunk_size",
    )

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        similarity_fn_name: str | SimilarityFunction | None = None,
        truncate_dim: int | None = None,
        **shared: Any,
    ) -> None:
        """``shared`` are the arguments that all model classes have."""
        super().__init__(model_name_or_path, similarity_fn_name=similarity_fn_name, **shared)
        saved = self._settings_of(self._runner.folder.settings)
        self.truncate_dim = saved["truncate_dim"] if truncate_dim is None else truncate_dim

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

        Returns float32 (n, dim), for a single input (dim,). ``precision`` "int8" and "uint8" give the same shape in
        these types, "binary" and "ubinary" give (n, ceil(dim / 8)) in int8 and uint8.
        ``output_value="token_embeddings"`` gives a list of (tokens, hidden) float32, None a list of dictionaries with
        every feature of a text. ``convert_to_numpy=False`` gives a list of vectors, ``convert_to_tensor=True`` a torch
        tensor.

        ``batch_size`` is the most texts in a batch; batches are also bounded by their tokens. ``truncate_dim`` cuts
        before normalizing. ``task`` chooses the route of a model with a Router; see `tasks`. ``processing_kwargs`` such
        as {"text": {"max_length": 256}} set the limit in tokens of this call.

        Raises InputTypeError or InputError for inputs that are not texts, before any work; OptionError for an argument
        with a value that it cannot have; TextTooLongError with ``truncation="error"``.
        Source: sentence-transformers' SentenceTransformer.encode.
        """
        inputs, kwargs = named_inputs("encode", inputs, kwargs)
        options = self._call_options("encode", kwargs)
        check_precision(precision)
        cut = self.truncate_dim if truncate_dim is None else truncate_dim
        output = dense_output(output_value, cut, normalize_embeddings)
        request = self._request(inputs, options, prompt_name, prompt, batch_size, output)
        found = self._runner.run(request, device, pool, chunk_size, show_progress_bar)
        if isinstance(output, Embeddings):
            found = stored(found, precision)
            return shaped(found, singular=request.singular, as_array=convert_to_numpy, as_tensor=convert_to_tensor)
        return shaped(found, singular=request.singular)

    def encode_iter(self, inputs: Iterable[Any], **options: Any) -> Iterator[NDArray[Any]]:
        """Embeddings (dim,) of any number of texts, one after the other, in bounded memory.

        Texts are read in portions of 32, 64, 128 … up to 8192, so that the first embeddings come soon. ``options`` are
        those of `encode`.

        Raises what `encode` raises, when it comes to the text concerned. Raises OptionError at once for ``precision``
        "int8" and "uint8", whose ranges need all embeddings.
        """
        if options.get("precision") in ("int8", "uint8"):
            raise OptionError(f"precision {options['precision']!r} needs all embeddings; use encode, or 'binary'")
        return self._encode_windows(checked(inputs), options)

    def _encode_windows(self, texts: Iterator[TextOrPair], options: dict[str, Any]) -> Iterator[NDArray[Any]]:
        start = 0
        for window in windows(texts, growing=True):
            try:
                yield from self.encode(window, **options)
            except (TextTooLongError, NotFiniteError) as error:
                raise type(error)(f"counted from text {start}: {error}") from None
            start += len(window)

    @property
    def has_token_embeddings(self) -> bool:
        """Whether the model can give ``output_value="token_embeddings"``."""
        return not self._runner.main_pipeline.pools

    @property
    def truncate_dim(self) -> int | None:
        """The number of dimensions that embeddings are cut to, None for all; settable; raises OptionError below 1."""
        return self._truncate_dim

    @truncate_dim.setter
    def truncate_dim(self, value: int | None) -> None:
        self._truncate_dim = check_truncate_dim(value)

    def get_embedding_dimension(self) -> int:
        """The number of dimensions of an embedding, after ``truncate_dim``."""
        return self._runner.width if self.truncate_dim is None else min(self.truncate_dim, self._runner.width)

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
        with reading(self._runner.folder.path / SETTINGS_FILE):
            return {**super()._settings_of(saved), "truncate_dim": whole_number(saved, "truncate_dim")}
