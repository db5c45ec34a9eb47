"""What the models that turn texts into vectors share: queries, documents, splitting and similarity."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError
from edge_st_runtime.vectors.similarity import FUNCTIONS, SimilarityFunction, SimilarityFunctions

from .base import BaseModel
from .inputs import check_text, check_texts
from .old_names import named_inputs
from .prompts import DOCUMENT_NAMES, QUERY_NAMES, resolve_prompt, task_prompt_name

if TYPE_CHECKING:
    from edge_st_runtime.text.splitting import Splitter

_UNLIMITED = 256


class Encoder(BaseModel, ABC):
    """A model with ``encode``. Source: what sentence-transformers' SentenceTransformer and SparseEncoder share."""

    _default_prompts: ClassVar[Mapping[str, None]] = {"query": None, "document": None}
    _saved_settings: ClassVar[tuple[str, ...]] = (*BaseModel._saved_settings, "similarity_fn_name")
    _default_similarity: ClassVar[SimilarityFunction]
    _similarity_functions: ClassVar[SimilarityFunctions]
    #: what a folder may name that a class of another kind wrote; the default is taken, as in sentence-transformers
    _of_another_kind: ClassVar[tuple[str, ...]] = ("maxsim", "meanmaxsim", "mean_maxsim")
    #: the arguments of `encode` after ``prompt``, in order
    _after_prompt: ClassVar[tuple[str, ...]]
    SUPPORTED_SIMILARITY_FN_NAMES: ClassVar[tuple[str, ...]] = tuple(function.value for function in FUNCTIONS)

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        similarity_fn_name: str | SimilarityFunction | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(model_name_or_path, **shared)
        saved = self._settings_of(self._runner.folder.settings)
        self.similarity_fn_name = similarity_fn_name or saved["similarity_fn_name"]

    @abstractmethod
    def encode(self, inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Embeddings of a text, a pair of texts, or a list of them."""

    def encode_query(
        self, inputs: Any = None, prompt_name: str | None = None, prompt: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """`encode` as a query, with the prompt called "query" unless ``prompt_name`` or ``prompt`` is given."""
        prompt_name = task_prompt_name(self.prompts, QUERY_NAMES, prompt_name, prompt)
        return self._encode_as("query", inputs, args, {"prompt_name": prompt_name, "prompt": prompt, **kwargs})

    def encode_document(
        self, inputs: Any = None, prompt_name: str | None = None, prompt: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """`encode` as a document, with the prompt "document", "passage" or "corpus" unless one is given."""
        prompt_name = task_prompt_name(self.prompts, DOCUMENT_NAMES, prompt_name, prompt)
        return self._encode_as("document", inputs, args, {"prompt_name": prompt_name, "prompt": prompt, **kwargs})

    def _encode_as(self, task: str, inputs: Any, positional: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """`encode` with every argument by its name, as classes and functions that wrap it expect."""
        inputs, named = named_inputs(f"encode_{task}", inputs, named)
        if len(positional) > len(self._after_prompt):
            raise TypeError(f"encode_{task}() takes {', '.join(self._after_prompt)} by position at most")
        options = dict(zip(self._after_prompt, positional, strict=False))
        return self.encode(inputs=inputs, task=task, **options, **named)

    def split(self, text: Any, max_tokens: int | None = None, overlap: int = 0) -> list[Any]:
        """Cut ``text`` into pieces that `encode_document` need not truncate; of several texts, a list for each.

        A piece is a frozen object: its ``text``, and ``start`` and ``end``, its place in the original in characters.
        It has ``max_tokens`` tokens at most, with the prompt and the special tokens. None means `max_seq_length`, or
        256 for models that take texts of any length. A piece begins about ``overlap`` tokens before the end of the one
        before it.

        Cuts are between words; where the last third of a piece has the end of a paragraph or of a sentence, the cut is
        there. Only a word that is longer than a piece is cut itself. Together the pieces hold everything but the white
        space around them. A blank text has none. The time is proportional to the length of the text.

        Raises InputTypeError or InputError unless ``text`` is a str or a list of str. Raises OptionError for
        ``max_tokens`` beyond the model's limit or without room for a text, and for an ``overlap`` that leaves no room
        for new text.
        """
        is_single = isinstance(text, str)
        texts = [check_text(text, "text")] if is_single else check_texts(text, "text", "a str or a list of str")
        splitter = self._splitter(max_tokens, overlap)
        found = splitter.split(texts)
        return found[0] if is_single else found

    def _splitter(self, max_tokens: int | None, overlap: int) -> "Splitter":
        from edge_st_runtime.text.splitting import Splitter

        route = self._runner.route("document")
        limit = self._runner.limit(route, "document")
        most = max_tokens if max_tokens is not None else _UNLIMITED if limit is None else limit
        check_count("max_tokens", most)
        if limit is not None and most > limit:
            raise OptionError(f"max_tokens is {most}, the model cuts texts to {limit}; expected no more than that")
        if not isinstance(overlap, int) or isinstance(overlap, bool) or overlap < 0:
            raise OptionError(f"overlap is {overlap!r}; expected a whole number of tokens, 0 for none")
        name = task_prompt_name(self.prompts, DOCUMENT_NAMES, None, None)
        prompt = resolve_prompt(self.prompts, self.default_prompt_name, name, None)
        return Splitter(self._runner.pipelines[route].tokenizer, prompt, most, overlap)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n, m) of every pair from (n, dim) and (m, dim), by `similarity_fn_name`."""
        return self._similarity_functions[self._similarity_function][0](embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> NDArray[Any]:
        """Scores (n,) of ``embeddings1[i]`` with ``embeddings2[i]``, by `similarity_fn_name`."""
        return self._similarity_functions[self._similarity_function][1](embeddings1, embeddings2)

    @property
    def similarity_fn_name(self) -> str:
        """ "cosine", "dot", "euclidean" or "manhattan"; settable; None is the class's default.

        Raises OptionError for others.
        """
        return self._similarity_function.value

    @similarity_fn_name.setter
    def similarity_fn_name(self, value: str | SimilarityFunction | None) -> None:
        name = value.value if isinstance(value, SimilarityFunction) else value
        if name is not None and name not in self.SUPPORTED_SIMILARITY_FN_NAMES:
            hint = " Use edge_st.MultiVectorEncoder for MaxSim late-interaction scoring."
            raise OptionError(
                f"{type(self).__name__} only supports similarity_fn_name in {self.SUPPORTED_SIMILARITY_FN_NAMES}, "
                f"got {value!r}.{hint if name == 'maxsim' else ''}"
            )
        self._similarity_function = self._default_similarity if name is None else SimilarityFunction(name)

    @abstractmethod
    def get_embedding_dimension(self) -> int:
        """The number of dimensions of an embedding."""

    def get_sentence_embedding_dimension(self) -> int:
        """`get_embedding_dimension` by its older name."""
        return self.get_embedding_dimension()

    def info(self) -> dict[str, Any]:
        """What was loaded and how it runs, as values that JSON can hold."""
        return {**super().info(), "dimension": self.get_embedding_dimension(), "similarity": self.similarity_fn_name}

    def _settings_of(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        name = saved.get("similarity_fn_name")
        if not name or name in self._of_another_kind:
            name = self._default_similarity.value
        return {**super()._settings_of(saved), "similarity_fn_name": name}
