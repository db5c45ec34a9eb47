"""How a loaded model runs: in batches, from many threads, in worker processes, and as a pickle."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from edge_st_runtime.engines.signature import SENTENCE_EMBEDDING
from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.loading import LoadedModel
from edge_st_runtime.model.pipeline import Pipeline, Rows
from edge_st_runtime.model.repeats import Distinct, find_distinct
from edge_st_runtime.modules.specs import Features
from edge_st_runtime.text.tokens import TextOrPair

from ..progress import progress_bar
from .limits import Truncation, truncation_guard
from .outputs import spread

if TYPE_CHECKING:
    from .multi_process import Pool

R = TypeVar("R")
G = TypeVar("G")


class Running:
    """What a call needs of a loaded model; `BaseModel` loads it."""

    truncation: Truncation
    _options: LoadOptions
    _model: LoadedModel
    _pipelines: dict[str, Pipeline]
    _limits: dict[str, int | None]
    _include_prompt: bool | None = None
    _gives: ClassVar[str] = SENTENCE_EMBEDDING

    @property
    def _main_route(self) -> str:
        raise NotImplementedError

    def _load(self, path: Path, options: LoadOptions) -> None:
        raise NotImplementedError

    def _set_pipelines(self) -> None:
        raise NotImplementedError

    def _gathered(
        self,
        texts: list[TextOrPair],
        select: Callable[[Features], R],
        gather: Callable[[Iterator[tuple[Rows, R]], Distinct, Callable[[int], Any]], G],
        *,
        show_progress_bar: bool | None,
        route: str,
        prompt: str | None,
        batch_size: int,
        extra: Mapping[str, Any] | None = None,
    ) -> G:
        """What ``gather`` makes of what ``select`` takes from the features of each batch as it finishes.

        Of texts that are the same only the first runs.
        """
        pipeline, limit, length = self._pipelines[route], self._limits[route], self._prompt_length(prompt, route)
        distinct = find_distinct(texts)
        batches = pipeline.run(
            distinct.texts,
            select,
            limit=limit,
            prompt=prompt,
            batch_size=batch_size,
            extra={**(extra or {}), **({} if length is None else {"prompt_length": length})},
            inspect=truncation_guard(self.truncation, limit, distinct, prompt, pipeline.tokenizer),
        )
        with progress_bar(len(texts), show_progress_bar) as advance:
            return gather(batches, distinct, advance)

    def _run_all(self, texts: list[TextOrPair], *, show_progress_bar: bool | None, **options: Any) -> Any:
        """What the model gives for all ``texts``, in their order; ``options`` can be pickled."""
        raise NotImplementedError

    def _run_here_or_in_processes(
        self,
        texts: list[TextOrPair],
        options: Mapping[str, Any],
        device: str | Sequence[str] | None,
        pool: "Pool | None",
        chunk_size: int | None,
        show_progress_bar: bool | None,
    ) -> Any:
        """`_run_all`, by worker processes if there is a ``pool`` or ``device`` is a list."""
        self._check_device(device)
        devices = device if isinstance(device, list | tuple) else None
        if pool is None and devices is None:
            return self._run_all(texts, show_progress_bar=show_progress_bar, **options)
        from .multi_process import borrowed_pool, run_chunks

        distinct = find_distinct(texts)
        settings = self.call_settings()
        if self.truncation == "error":  # counted here, where a text's place among all is known, and not there again
            route, prompt = options["route"], options["prompt"]
            truncation_guard("error", self._limits[route], distinct, prompt, self._pipelines[route].tokenizer)
            settings["truncation"] = "silent"
        with borrowed_pool(self, pool, devices) as workers:
            found = run_chunks(workers, settings, list(distinct.texts), options, chunk_size, show_progress_bar)
        return spread(found, distinct)

    def start_multi_process_pool(self, target_devices: Sequence[str] | None = None) -> "Pool":
        """Start a worker process for each of ``target_devices`` (default four times "cpu"), each with its own model."""
        from .multi_process import start_pool

        return start_pool(self, target_devices)

    @staticmethod
    def stop_multi_process_pool(pool: "Pool") -> None:
        """End the workers of ``pool``."""
        from .multi_process import stop_pool

        stop_pool(pool)

    def _prompt_length(self, prompt: str | None, route: str) -> int | None:
        """Tokens of ``prompt`` that pooling leaves out; raises OptionError where they leave no room for a text."""
        return self._pipelines[route].prompt_length(prompt, self._limits[route])

    @cached_property
    def _width(self) -> int:
        """The last axis of what `_run_all` gives on the main route; a text is run where its graph does not tell."""
        pipeline, limit = self._pipelines[self._main_route], self._limits[self._main_route]
        if pipeline.width is not None:
            return pipeline.width
        ((_, rows),) = pipeline.run(["a"], lambda features: features[self._gives], limit=limit, batch_size=1)
        return int(rows.shape[1])

    def _check_device(self, device: str | Sequence[str] | None) -> None:
        own = self._options.device or "cpu"
        if not isinstance(device, str | list | tuple | None):
            raise OptionError(f"device is {device!r}; expected a str, or a list of them to encode in several processes")
        if isinstance(device, str) and device != own:
            raise OptionError(f"device={device!r}, but the model is on {own!r}; pass device= to the constructor")

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self._options.device or "cpu"

    def to(self, device: str) -> Self:
        """The model itself, if it is on ``device``; raises OptionError otherwise."""
        self._check_device(device)
        return self

    def __getstate__(self) -> dict[str, Any]:
        left_out = ("_model", "_pipelines", "model_card_data")
        kept = {name: value for name, value in self.__dict__.items() if name not in left_out}
        return {**kept, "_path": self._model.folder.path}

    def state_for(self, **options: Any) -> dict[str, Any]:
        """What `__setstate__` takes to make this model again with other load options."""
        return {**self.__getstate__(), "_options": replace(self._options, **options)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = dict(state)
        self._load(kept.pop("_path"), kept["_options"])
        self.adopt(kept)

    def call_settings(self) -> dict[str, Any]:
        """What `adopt` takes to make a copy of this model encode as this one does now."""
        return {name: getattr(self, name) for name in ("_limits", "_include_prompt", "truncation")}

    def adopt(self, settings: Mapping[str, Any]) -> None:
        """Take over attributes of another instance of the same model."""
        self.__dict__.update(settings)
        self._set_pipelines()
