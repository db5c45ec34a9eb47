"""What every model class shares: loading, prompts, limits, identity, saving, pickling."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import reading
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.model.folder import SETTINGS_FILE
from edge_st_runtime.model.loading import load_model
from edge_st_runtime.model.route import BAG, TABLES, WORDS
from edge_st_runtime.modules.specs import Module, Pooling
from edge_st_runtime.text.tokens import TextOrPair
from edge_st_runtime.text.windows import windows

from ..hub.names import existing_folder
from .inputs import as_batch, split_task
from .limits import Truncation, as_limit, check_truncation
from .model_card import Evaluated
from .options import load_options, tokenizer_limit
from .prompts import check_prompt, check_prompts, merge_prompts
from .running import Running


class BaseModel(Evaluated, Running):
    """A loaded model folder. Source: the parts of sentence-transformers' BaseModel that inference needs."""

    _model_type = ""
    _organization = ""
    _bundled: Path | None = None
    _as_batch = staticmethod(as_batch)
    _default_prompts: ClassVar[Mapping[str, None]] = {}
    _saved_settings: ClassVar[tuple[str, ...]] = ("prompts", "default_prompt_name")

    prompts: dict[str, str]
    default_prompt_name: str | None

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
        low_memory: bool = False,
        truncation: Truncation = "silent",
    ) -> None:
        self.truncation = check_truncation(truncation)
        options = load_options(
            backend=backend,
            dtype=dtype,
            device=device,
            provider=provider,
            num_threads=num_threads,
            model_kwargs=model_kwargs,
            low_memory=low_memory,
        )
        limit = tokenizer_limit(processor_kwargs or tokenizer_kwargs)
        path = self._locate(model_name_or_path, cache_folder, revision, local_files_only, token, options)
        self._load(path, options)
        saved = self._model.folder.settings
        with reading(path / SETTINGS_FILE):
            self.prompts = merge_prompts(self._default_prompts, prompts, saved.get("prompts"))
            self.default_prompt_name = default_prompt_name or saved.get("default_prompt_name")
            check_prompts(self.prompts, self.default_prompt_name)
        self._limits = {name: route.limit for name, route in self._model.routes.items()}
        if limit is not None:
            self.max_seq_length = limit

    def _load(self, path: Path, options: LoadOptions) -> None:
        self._options = options
        self._model = load_model(path.absolute(), options, self._model_type)
        self._set_pipelines()

    def _set_pipelines(self) -> None:
        """The routes' pipelines, with the pooling as `set_pooling_include_prompt` left it."""
        self._pipelines = {
            name: replace(route.pipeline, modules=self._with_prompt_setting(route.pipeline.modules))
            for name, route in self._model.routes.items()
        }

    def _route(self, task: str | None) -> str:
        """The name of the route that ``task`` takes; raises OptionError for one that this model does not have."""
        if not isinstance(task, str | None):
            raise OptionError(f"task is {task!r}; expected a str such as 'query', or None")
        return self._model.folder.route(task)

    @property
    def tasks(self) -> list[str | None]:
        """What ``task`` may be: None where texts need none, and every task that a Router has a route for."""
        return self._model.folder.tasks

    @property
    def _main_route(self) -> str:
        """The route of texts without a task; where they need one, that of the first."""
        return self._route(self.tasks[0])

    def _locate(
        self,
        name: str | Path | None,
        cache_folder: str | None,
        revision: str | None,
        local_files_only: bool,
        token: bool | str | None,
        options: LoadOptions,
    ) -> Path:
        if name is None:
            if self._bundled is None:
                raise OptionError(f"{type(self).__name__} has no bundled model; give a folder or a Hub name")
            return self._bundled
        folder = existing_folder(name)
        if folder is not None:
            return folder
        from ..hub.resolve import resolve

        return resolve(
            name,
            organization=self._organization,
            cache_folder=cache_folder,
            revision=revision,
            local_files_only=local_files_only,
            token=token,
            backend=options.backend,
            dtype=options.dtype,
            file_name=options.file_name,
            on_cpu=options.on_cpu,
            model_type=self._model_type,
        )

    def _texts(self, inputs: Any, task: str | None) -> tuple[list[TextOrPair], bool, str]:
        """The texts or pairs in ``inputs``, whether it was a single one, and the route they take."""
        if task is None and self.tasks != [None]:
            inputs, task = split_task(inputs)
        return *self._as_batch(inputs), self._route(task)

    def count_tokens(self, inputs: Any, task: str | None = None) -> int | NDArray[np.int64]:
        """Tokens of a text, or of each of several (n,) int64; special tokens count, nothing is truncated."""
        texts, singular, route = self._texts(inputs, task)
        tokenizer = self._pipelines[route].tokenizer
        counts = [tokenizer(window, None).counts for window in windows(texts)]
        return int(counts[0][0]) if singular else np.concatenate(counts or [np.empty(0, dtype=np.int64)])

    def preprocess(self, inputs: Any, prompt: str | None = None, task: str | None = None) -> dict[str, Any]:
        """``input_ids`` and ``attention_mask`` (n, tokens) int64, padded, as the model will see them."""
        texts, _, route = self._texts(inputs, task)
        check_prompt(prompt)
        features = self._pipelines[route].tokenize(texts, self._limits[route], prompt) if texts else {}
        length = self._prompt_length(prompt, route)
        return features if length is None else {**features, "prompt_length": length}

    tokenize = preprocess

    @property
    def max_seq_length(self) -> int | float | None:
        """Tokens a text is cut to, special tokens included; infinite for models that take any; settable.

        Of several routes the greatest; set, it is that of all but those of word vectors. None is as many as the model
        has positions. Raises OptionError for a limit beyond them or without room for a token.
        """
        routes = self._model.folder.routes
        unlimited = {name: math.inf if routes[name].kind in TABLES else None for name in routes}
        limits = [unlimited[name] if limit is None else limit for name, limit in self._limits.items()]
        return max((limit for limit in limits if limit is not None), default=None)

    @max_seq_length.setter
    def max_seq_length(self, value: float | None) -> None:
        limit = None if value is None or value == math.inf else as_limit(value)
        routes = self._model.folder.routes
        cut = {name: route for name, route in routes.items() if route.kind not in (WORDS, BAG)} or routes
        for name, route in cut.items():
            if limit is not None and route.positions is not None and limit > route.positions:
                raise OptionError(f"max_seq_length is {limit}; this model has {route.positions} positions")
            self._pipelines[name].tokenizer.check_limit(limit, pairs=self._model_type == CROSS_ENCODER)
        self._limits = {
            **self._limits,
            **{name: route.positions if limit is None else limit for name, route in cut.items()},
        }

    def get_max_seq_length(self) -> int | float | None:
        """`max_seq_length`."""
        return self.max_seq_length

    def set_pooling_include_prompt(self, include_prompt: bool) -> None:
        """Whether a prompt's tokens take part in pooling."""
        self._include_prompt = include_prompt
        self._set_pipelines()

    @property
    def tokenizer(self) -> Any:
        """The ``tokenizers.Tokenizer``, with truncation and padding switched off; of several routes the first one's."""
        return next(iter(self._pipelines.values())).tokenizer.tokenizer

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over what decides a vector: see `edge_st_runtime.model.fingerprint`."""
        from .identity import fingerprint_of

        prompts, default = self.prompts, self.default_prompt_name
        return fingerprint_of(
            self._model, self._weights_digest, self._limits, prompts, default, self._with_prompt_setting
        )

    def _with_prompt_setting(self, modules: tuple[Module, ...]) -> tuple[Module, ...]:
        setting = self._include_prompt
        if setting is None:
            return modules
        return tuple(
            replace(module, include_prompt=setting) if isinstance(module, Pooling) else module for module in modules
        )

    @cached_property
    def _weights_digest(self) -> str:
        from .identity import digest_of

        return digest_of(self._model)

    def info(self) -> dict[str, Any]:
        """What was loaded and how it runs, as values that JSON can hold."""
        route = self._model.routes[self._main_route]
        return {
            "path": str(self._model.folder.path),
            **route.pipeline.backend.info(),
            "graph": route.choice.file,
            "dtype": route.choice.dtype,
            "reason": route.choice.reason,
            "max_seq_length": self._limits[self._main_route],
            "prompts": self.prompts,
            "fingerprint": self.fingerprint,
            **({"tasks": self.tasks} if len(self.tasks) > 1 else {}),
        }

    def save_pretrained(
        self,
        path: str | Path | None,
        model_name: str | None = None,  # noqa: ARG002 - for the model card, which is copied as it is
        create_model_card: bool = True,  # noqa: ARG002
        train_datasets: list[str] | None = None,  # noqa: ARG002
        safe_serialization: bool = True,  # noqa: ARG002
    ) -> None:
        """Write the model folder, with the prompts, limit and other settings that the model has now, to ``path``.

        None does nothing. The other arguments change nothing. Raises OptionError where ``path`` is inside the model
        folder.
        """
        if path is not None:
            from .saving import save_folder

            save_folder(self._model.folder.path, Path(path), self._changes(), self._identity)

    save = save_pretrained

    def _changes(self) -> dict[str, dict[str, Any]]:
        """Settings that are no longer those of the folder: file → keys with their values."""
        folder = self._model.folder
        saved = self._settings_of(folder.settings)
        now = self._settings_now()
        settings = {name: value for name, value in now.items() if value != saved[name]}
        limits: dict[str, dict[str, Any]] = {}
        for name, route in folder.routes.items():
            if self._limits[name] != self._model.routes[name].limit:
                limits |= route.with_limit(self._limits[name])
        pooling = {} if self._include_prompt is None else {"include_prompt": self._include_prompt}
        found = {SETTINGS_FILE: settings, **limits, **dict.fromkeys(folder.pooling_files, pooling)}
        return {name: values for name, values in found.items() if values}

    def _settings_now(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._saved_settings}

    def _identity(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "max_seq_length": self._limits[self._main_route]}

    def _settings_of(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes in ``_saved_settings`` as the folder has them."""
        prompts = merge_prompts(self._default_prompts, None, saved.get("prompts"))
        return {"prompts": prompts, "default_prompt_name": saved.get("default_prompt_name")}

    def eval(self) -> Self:
        """The model itself; it never trains."""
        return self

    def __repr__(self) -> str:
        choice = self._model.routes[self._main_route].choice
        return f"{type(self).__name__}({str(self._model.folder.path)!r}, {choice.engine}, {choice.dtype})"
