"""CrossEncoder: the inference side of sentence-transformers' class of this name."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.modules.activations import softmax

from .base import BaseModel
from .inputs import as_pairs, check_text, check_texts, is_singular_pair
from .old_names import renamed
from .outputs import Logits
from .prompts import resolve_prompt
from .results import shaped
from .score_activations import ScoreActivation, activation_name, apply_activation, as_activation, saved_activation

if TYPE_CHECKING:
    from .multi_process import Pool


_OLD_ARGUMENTS = {
    "model_name": "model_name_or_path",
    "automodel_args": "model_kwargs",
    "tokenizer_args": "processor_kwargs",
    "cache_dir": "cache_folder",
    "default_activation_function": "activation_fn",
}
_ONCE_POSITIONAL = ("num_labels", "max_length", "activation_fn", "device")
_OLD_INPUTS = {"sentences": "inputs", "activation_fct": "activation_fn"}
_OLD_OF_RANK = {"activation_fct": "activation_fn"}
_WITHOUT_EFFECT = ("num_workers", "convert_to_numpy", "convert_to_tensor", "apply_softmax")


def _renamed(old: str, new: str) -> None:
    message = f"The `{old}` property was renamed and is now deprecated. Please use `{new}` instead."
    warnings.warn(message, DeprecationWarning, stacklevel=3)


class CrossEncoder(BaseModel):
    """A model that reads two texts together and scores them, run by ONNX Runtime or OpenVINO.

    It has these arguments besides those of `SentenceTransformer`:

    - ``num_labels`` is only checked: a model has the labels that it was exported with.
    - ``max_length`` is the number of tokens a pair is cut to, special tokens included.
    - ``activation_fn`` is what `predict` applies to the logits: a name ("sigmoid", "torch.nn.Sigmoid", …), a module of
      torch.nn, or a function of an array (n, labels). The default is the model's own, or the sigmoid for one label and
      nothing for several.

    Raises FolderError for a folder that cannot be used, such as one of another class, EngineError, HubError, and
    OptionError for an argument with a value that it cannot have.
    """

    _model_type = CROSS_ENCODER
    _organization = "cross-encoder"
    _as_batch = staticmethod(as_pairs)
    _saved_settings: ClassVar[tuple[str, ...]] = (*BaseModel._saved_settings, "activation_fn")

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *positional: Any,
        num_labels: int | None = None,
        max_length: int | None = None,
        activation_fn: ScoreActivation | str | None = None,
        **shared: Any,
    ) -> None:
        """``shared`` are the arguments that all model classes have."""
        own = {"num_labels": num_labels, "max_length": max_length, "activation_fn": activation_fn}
        if len(positional) > len(_ONCE_POSITIONAL):
            raise TypeError(f"CrossEncoder() takes {', '.join(_ONCE_POSITIONAL)} by position at most; name the others")
        once = dict(zip(_ONCE_POSITIONAL, positional, strict=False))
        given = {name: value for name, value in own.items() if value is not None}
        shared = renamed("CrossEncoder", {**once, **shared, **given}, _OLD_ARGUMENTS)
        num_labels, max_length, activation_fn = (shared.pop(name, None) for name in own)
        super().__init__(shared.pop("model_name_or_path", model_name_or_path), **shared)
        if num_labels not in (None, self.num_labels):
            raise OptionError(
                f"num_labels is {num_labels}; this model has {self.num_labels}: leave it out, or export another"
            )
        if max_length is not None:
            self.max_seq_length = max_length
        self.activation_fn = self._saved_activation if activation_fn is None else activation_fn

    def is_singular_input(self, inputs: Any) -> bool:
        """Whether ``inputs`` is a single pair and not a batch of them."""
        return is_singular_pair(inputs)

    def predict(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: ScoreActivation | str | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | Sequence[str] | None = None,
        pool: "Pool | None" = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Scores of a pair of texts such as ("query", "document"), or of a list of them.

        Returns float32 (n,), with several labels (n, labels). For a single pair it is a float32 number, or (labels,).
        ``convert_to_numpy=False`` gives a list, ``convert_to_tensor=True`` a torch tensor. ``apply_softmax`` makes the
        scores of several labels sum to 1, after the activation.

        ``batch_size`` is the most pairs in a batch; batches are also bounded by their tokens. A pair beyond
        `max_seq_length` loses tokens of its longer text first; ``processing_kwargs`` such as
        {"text": {"max_length": 256}} set that limit for this call. A prompt goes before the first text.

        Raises InputTypeError or InputError for inputs that are not pairs of texts, before any work; OptionError for an
        argument with a value that it cannot have; TextTooLongError with ``truncation="error"``.
        Source: sentence-transformers' CrossEncoder.predict.
        """
        given = {"inputs": inputs, "activation_fn": activation_fn}
        given = {name: value for name, value in given.items() if value is not None}
        kwargs = renamed("CrossEncoder.predict", {**kwargs, **given}, _OLD_INPUTS, ("num_workers",))
        inputs, activation_fn = kwargs.pop("inputs", None), kwargs.pop("activation_fn", None)
        options = self._call_options("predict", kwargs)
        activation = self.activation_fn if activation_fn is None else as_activation(activation_fn)
        request = self._request(inputs, options, prompt_name, prompt, batch_size, Logits())
        logits = self._runner.run(request, device, pool, chunk_size, show_progress_bar)
        scores = apply_activation(activation, logits)
        if self.num_labels == 1 and scores.ndim > 1:
            scores = scores[:, 0]
        if apply_softmax and scores.size and scores.ndim > 1:
            scores = softmax(scores)
        return shaped(scores, singular=request.singular, as_array=convert_to_numpy, as_tensor=convert_to_tensor)

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: ScoreActivation | str | None = None,
        device: str | Sequence[str] | None = None,
        pool: "Pool | None" = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """The ``documents`` by their relevance to ``query``, best first; equal scores keep their order.

        Each is ``{"corpus_id": int, "score": float}``, with ``return_documents`` also ``"text"``.

        Raises OptionError for a model with several labels and for ``top_k`` below 1. Raises InputError if there are no
        documents, if one is empty, or if the query leaves no room for a document. Else raises what `predict` raises.
        Source: sentence-transformers' CrossEncoder.rank.
        """
        kwargs = renamed("CrossEncoder.rank", kwargs, _OLD_OF_RANK, _WITHOUT_EFFECT)
        if set(kwargs) - {"activation_fn"}:
            raise OptionError(f"CrossEncoder.rank() got {sorted(kwargs)}, which it does not take; see its help()")
        if self.num_labels != 1:
            raise OptionError(
                "CrossEncoder.rank() only works for models with num_labels=1. Consider using CrossEncoder.predict() "
                f"with input pairs instead. This model has {self.num_labels}"
            )
        if top_k is not None:
            check_count("top_k", top_k)
        texts = self._checked_documents(documents)
        self._check_query(query, resolve_prompt(self.prompts, self.default_prompt_name, prompt_name, prompt))
        scores = self.predict(
            [(query, text) for text in texts],
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            activation_fn=kwargs.get("activation_fn") if activation_fn is None else activation_fn,
            device=device,
            pool=pool,
            chunk_size=chunk_size,
        ).tolist()
        order = sorted(range(len(texts)), key=scores.__getitem__, reverse=True)[:top_k]
        return [
            {"corpus_id": place, "score": scores[place], **({"text": texts[place]} if return_documents else {})}
            for place in order
        ]

    def _checked_documents(self, documents: Any) -> list[str]:
        texts = check_texts(documents, "documents")
        if not texts:
            raise InputError("documents is empty; expected at least one text to rank")
        empty = next((place for place, text in enumerate(texts) if not text.strip()), None)
        if empty is not None:
            raise InputError(f"documents[{empty}] is empty; leave it out, or score it with predict([(query, '')])")
        return texts

    def _check_query(self, query: Any, prompt: str | None) -> None:
        """Raise InputTypeError unless ``query`` is a str, InputError if it leaves no room for a document."""
        limit, tokenizer = self._runner.main_limit, self._runner.main_pipeline.tokenizer
        count = int(tokenizer([(check_text(query, "query"), "")], limit, prompt).counts[0])
        if limit is not None and count >= limit:
            raise InputError(
                f"the query has {count} tokens with the special ones of a pair, which may have {limit}: it leaves no "
                "room for a document; shorten the query, or set a higher max_seq_length"
            )

    @property
    def num_labels(self) -> int:
        """The number of scores of a pair."""
        return self._runner.width

    @property
    def max_length(self) -> int | float | None:
        """`max_seq_length` by its older name; settable. Gives a DeprecationWarning."""
        _renamed("max_length", "max_seq_length")
        return self.max_seq_length

    @max_length.setter
    def max_length(self, value: float | None) -> None:
        _renamed("max_length", "max_seq_length")
        self.max_seq_length = value

    @property
    def activation_fn(self) -> ScoreActivation:
        """The function that turns logits (n, labels) into scores; settable, also by its name."""
        return self._activation_fn

    @activation_fn.setter
    def activation_fn(self, value: ScoreActivation | str) -> None:
        self._activation_fn = as_activation(value)

    @property
    def default_activation_function(self) -> ScoreActivation:
        """`activation_fn` by its older name. Gives a DeprecationWarning."""
        _renamed("default_activation_function", "activation_fn")
        return self.activation_fn

    @property
    def _saved_activation(self) -> ScoreActivation:
        folder = self._runner.folder
        return saved_activation(folder, folder.routes[self._runner.main_route].config, self.num_labels)

    def info(self) -> dict[str, Any]:
        """What was loaded and how it runs, as values that JSON can hold."""
        name = activation_name(self.activation_fn)
        return {**super().info(), "num_labels": self.num_labels, "activation_fn": name or repr(self.activation_fn)}

    def _settings_now(self) -> dict[str, Any]:
        name = activation_name(self.activation_fn)
        if name is None:
            raise OptionError(
                f"activation_fn is {self.activation_fn!r}, which no folder can keep; set one by its name before saving"
            )
        return {**super()._settings_now(), "activation_fn": name}

    def _settings_of(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        return {**super()._settings_of(saved), "activation_fn": activation_name(self._saved_activation)}
