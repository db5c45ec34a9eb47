"""What every model class shares: loading, prompts, limits, identity, saving."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import reading
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER, TASKS
from edge_st_runtime.model.folder import SETTINGS_FILE
from edge_st_runtime.text.tokens import TextOrPair
from edge_st_runtime.text.windows import windows

from .converting import Convert, with_graph
from .described import Described
from .inputs import as_batch, split_task
from .limits import changed_limits, longest_limit
from .locating import locate
from .old_names import deprecated
from .options import load_options, tokenizer_limit
from .outputs import Output
from .processing import CallOptions, processed
from .prompts import check_prompt, check_prompts, merge_prompts, resolve_prompt
from .request import Request
from .runner import Runner
from .truncation import Truncation, check_truncation

if TYPE_CHECKING:
    from .multi_process import Pool


logger = logging.getLogger(__name__)


class BaseModel(Described):
    """A loaded model folder. Source: the parts of sentence-transformers' BaseModel that inference needs."""

    _model_type = ""
    _organization = ""
    _bundled: Path | None = None
    _as_batch = staticmethod(as_batch)
    _default_prompts: ClassVar[Mapping[str, None]] = {}

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        device: str | None = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        cache_folder: str | None = None,
        trust_remote_code: bool = False,  # noqa: ARG002 - accepted; no code from a model ever runs
        revision: str | None = None,
        local_files_only: bool = False,
        token: bool | str | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        processor_kwargs: Mapping[str, Any] | None = None,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        backend: str = "auto",
        dtype: str = "auto",
        provider: str | None = None,
        num_threads: int | None = None,
        low_memory: bool | None = None,
        profile: str | None = None,
        truncation: Truncation = "silent",
        pooling: str | Sequence[str] | None = None,
        convert: Convert = "auto",
    ) -> None:
        check_truncation(truncation)
        options = load_options(
            backend=backend,
            dtype=dtype,
            device=device,
            provider=provider,
            num_threads=num_threads,
            model_kwargs=model_kwargs,
            low_memory=low_memory,
            profile=profile,
            pooling=pooling,
        )
        limit = tokenizer_limit(processor_kwargs or tokenizer_kwargs)
        path = locate(
            model_name_or_path,
            options,
            class_name=type(self).__name__,
            model_type=self._model_type,
            organization=self._organization,
            bundled=self._bundled,
            cache_folder=cache_folder,
            revision=revision,
            local_files_only=local_files_only,
            token=token,
        )
        logger.info("Loading %s model from %s.", type(self)._model_type, path)
        task = TASKS.get(self._model_type, TASKS[SENTENCE_TRANSFORMER])
        self._runner = with_graph(path, task, convert, lambda path: Runner(path, options, self._model_type, truncation))
        saved = self._runner.folder.settings
        with reading(self._runner.folder.path / SETTINGS_FILE):
            self.prompts = merge_prompts(self._default_prompts, prompts, saved.get("prompts"))
            self.default_prompt_name = default_prompt_name or saved.get("default_prompt_name")
            check_prompts(self.prompts, self.default_prompt_name)
        if limit is not None:
            self.max_seq_length = limit

    def _texts(self, inputs: Any, task: str | None) -> tuple[list[TextOrPair], bool, str]:
        """The texts or pairs in ``inputs``, whether it was a single one, and the route they take."""
        if task is None and self.tasks != [None]:
            inputs, task = split_task(inputs)
        return *self._as_batch(inputs), self._runner.route(task)

    def _request(
        self,
        inputs: Any,
        options: CallOptions,
        prompt_name: str | None,
        prompt: str | None,
        batch_size: int,
        output: Output,
    ) -> Request:
        """A call, checked before any work; raises InputTypeError, InputError and OptionError."""
        texts, singular, route = self._texts(inputs, options.task)
        check_count("batch_size", batch_size)
        resolved = resolve_prompt(self.prompts, self.default_prompt_name, prompt_name, prompt)
        settings, _ = processed(self._runner, options.processing_kwargs)
        return Request(texts, singular, route, options.task, resolved, batch_size, output, settings)

    def _call_options(self, method: str, kwargs: Mapping[str, Any]) -> CallOptions:
        """``kwargs`` of ``method``; raises OptionError for those that it does not have."""
        unknown = [name for name in kwargs if name not in CallOptions._fields]
        if unknown:
            name, known = type(self).__name__, self.get_model_kwargs()
            takes = f"the valid additional keyword arguments are: {known}"
            raise OptionError(
                f"{name}.{method}() has been called with additional keyword arguments that this model does not use: "
                f"{unknown}. As per {name}.get_model_kwargs(), "
                f"{takes if known else 'this model does not accept any additional keyword arguments'}."
            )
        return CallOptions(**kwargs)

    def count_tokens(self, inputs: Any, task: str | None = None) -> int | NDArray[np.int64]:
        """The number of tokens of a text, or of each of several (n,) int64.

        Special tokens count. Nothing is truncated.
        """
        texts, singular, route = self._texts(inputs, task)
        tokenizer = self._runner.pipelines[route].tokenizer
        counts = [tokenizer(window, None).counts for window in windows(texts)]
        return int(counts[0][0]) if singular else np.concatenate(counts or [np.empty(0, dtype=np.int64)])

    def preprocess(
        self,
        inputs: Any,
        prompt: str | None = None,
        task: str | None = None,
        processing_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """``input_ids`` and ``attention_mask`` (n, tokens) int64, truncated and padded as the model will see them.

        So are the ``token_type_ids`` of models with several types. ``prompt_length`` are the tokens before the texts
        that have a prompt, ``modality`` is "text". No texts give an empty dictionary.
        """
        texts, _, route = self._texts(inputs, task)
        check_prompt(prompt)
        settings, cuts = processed(self._runner, processing_kwargs)
        if not texts:
            return {}
        pipeline, limit = self._runner.pipelines[route], self._runner.limit(route, task, settings)
        expansion = self._runner.task(route, task).expansion
        found = pipeline.tokenize(texts, limit if cuts else None, prompt, expansion)
        return {
            **self._runner.with_types(found, route),
            "modality": "text",
            **pipeline.prompt_features(prompt, limit),
        }

    def tokenize(self, texts: Any, **kwargs: Any) -> dict[str, Any]:
        """`preprocess` by its older name."""
        deprecated("The `tokenize` method is deprecated, please use `preprocess` instead.")
        return self.preprocess(texts, **kwargs)

    @property
    def max_seq_length(self) -> int | float | None:
        """The number of tokens a text is cut to, special tokens included; settable.

        It is infinite for models that take texts of any length. Of several routes it is the greatest limit; setting
        it sets that of all routes but those of word vectors. None sets the number of positions that the model has.
        Raises OptionError for a limit beyond that number, or one that leaves no room for a token.
        """
        return longest_limit(self._runner)

    @max_seq_length.setter
    def max_seq_length(self, value: float | None) -> None:
        self._runner.set(limits=changed_limits(self._runner, value))

    def get_max_seq_length(self) -> int | float | None:
        """`max_seq_length`."""
        return self.max_seq_length

    @property
    def truncation(self) -> Truncation:
        """What happens to texts beyond `max_seq_length`: "silent", "warn" or "error"; settable."""
        return self._runner.settings.truncation

    @truncation.setter
    def truncation(self, value: Truncation) -> None:
        self._runner.set(truncation=check_truncation(value))

    def set_pooling_include_prompt(self, include_prompt: bool) -> None:
        """Say whether a prompt's tokens take part in pooling."""
        self._runner.set(include_prompt=include_prompt)

    @property
    def tokenizer(self) -> Any:
        """The ``tokenizers.Tokenizer``, with truncation and padding off; of several routes the first one's."""
        return next(iter(self._runner.pipelines.values())).tokenizer.tokenizer

    def to(self, device: str) -> Self:
        """The model itself, if it is on ``device``; raises OptionError otherwise."""
        self._runner.check_device(device)
        return self

    def start_multi_process_pool(self, target_devices: Sequence[str] | None = None) -> "Pool":
        """Start a process for each of ``target_devices`` (default: four times "cpu"), each with a copy of the model."""
        from .multi_process import start_pool

        return start_pool(self._runner.copies_for(target_devices))

    @staticmethod
    def stop_multi_process_pool(pool: "Pool") -> None:
        """End the processes of ``pool``."""
        from .multi_process import stop_pool

        stop_pool(pool)

    def evaluate(self, evaluator: Any, output_path: str | Path | None = None) -> Any:
        """What ``evaluator`` gives for this model; a CSV file goes to ``output_path``, which is made if it is missing.

        Source: sentence-transformers' method of this name.
        """
        if output_path is not None:
            Path(output_path).mkdir(parents=True, exist_ok=True)
        return evaluator(self, output_path)

    def save_pretrained(
        self,
        path: str | Path | None,
        model_name: str | None = None,  # noqa: ARG002 - for the model card, which is copied as it is
        create_model_card: bool = True,
        train_datasets: list[str] | None = None,  # noqa: ARG002
        safe_serialization: bool = True,  # noqa: ARG002
    ) -> None:
        """Write the model folder to ``path``, with the prompts, the limit and the other settings of this moment.

        None does nothing. The model card, README.md, is copied as it is, or left out without ``create_model_card``. The
        other arguments have no effect. Raises OptionError where ``path`` is inside the model
        folder or is a file, and FolderError where it cannot be written, as on a full disk.
        """
        if path is None:
            return
        from .saving import changed_files, save_folder

        folder = self._runner.folder
        changes = changed_files(self._runner, self._settings_of(folder.settings), self._settings_now())
        if changes and folder.by_head:
            raise OptionError(
                f"the settings in {', '.join(changes)} are those of the SentenceTransformer in {folder.path}, which "
                f"has other heads besides; open it with edge_st.{SENTENCE_TRANSFORMER} to change and save them"
            )
        files = folder.settings_files
        save_folder(folder.path, path, changes, self._identity, settings_files=files, card=create_model_card)

    save = save_pretrained

    def _settings_of(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes in ``_saved_settings`` as the folder has them."""
        prompts = merge_prompts(self._default_prompts, None, saved.get("prompts"))
        return {"prompts": prompts, "default_prompt_name": saved.get("default_prompt_name")}

    def _identity(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "max_seq_length": self._runner.main_limit}

    def eval(self) -> Self:
        """The model itself; it never trains."""
        return self
