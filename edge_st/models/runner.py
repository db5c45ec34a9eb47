"""A loaded model that runs requests: in batches, from many threads, in worker processes, and after a pickle."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_st_runtime.engines.devices import engine_of
from edge_st_runtime.errors import NotFiniteError, OptionError
from edge_st_runtime.machine.threads import thread_count
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.classes import result_of
from edge_st_runtime.model.folder import ModelFolder
from edge_st_runtime.model.loading import load_model
from edge_st_runtime.model.pipeline import Pipeline
from edge_st_runtime.model.repeats import find_distinct
from edge_st_runtime.model.tasks import Task
from edge_st_runtime.model.variants import Choice
from edge_st_runtime.modules.specs import Features

from ..progress import progress_bar
from .outputs import check_tokens, spread
from .request import Request
from .settings import Settings
from .truncation import Truncation, truncation_guard

if TYPE_CHECKING:
    from .multi_process import Answer, Pool

_DEFAULT_WORKERS = 4
_TASKS, _PLAIN = (None, "query", "document"), Task()
logger = logging.getLogger(__name__)


class Runner:
    """A model folder, loaded with ``options``; safe to call from many threads.

    It pickles as its path, options and settings: the copy loads the folder again.
    """

    def __init__(self, path: Path, options: LoadOptions, model_type: str, truncation: Truncation = "silent") -> None:
        self.options = options
        self.model = load_model(path.absolute(), options, model_type)
        self.settings = Settings({name: route.limit for name, route in self.model.routes.items()}, truncation)

    @property
    def settings(self) -> Settings:
        """What may change; settable."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        self.pipelines: dict[str, Pipeline] = {
            name: replace(route.pipeline, modules=settings.applied_to(route.pipeline.modules))
            for name, route in self.model.routes.items()
        }

    def set(self, **changes: Any) -> None:
        """Change `Settings` by name."""
        self.settings = replace(self.settings, **changes)

    @property
    def folder(self) -> ModelFolder:
        """The folder as it was read."""
        return self.model.folder

    def route(self, task: str | None) -> str:
        """The name of the route that ``task`` takes; raises OptionError for a task that this model does not have.

        Where there is one route for all, a task other than "query" and "document" is logged.
        """
        if not isinstance(task, str | None):
            raise OptionError(f"task is {task!r}; expected a str such as 'query', or None")
        if task not in _TASKS and self.folder.router is None:
            logger.warning("task %r has no effect: this model has no routes", task)
        return self.folder.route(task)

    @property
    def main_route(self) -> str:
        """The route of texts without a task; in models where texts need one, that of the first task."""
        return self.route(self.folder.tasks[0])

    @property
    def main_pipeline(self) -> Pipeline:
        """The pipeline of the main route."""
        return self.pipelines[self.main_route]

    @property
    def main_limit(self) -> int | None:
        """The limit in tokens of the main route."""
        return self.settings.limits[self.main_route]

    @property
    def main_choice(self) -> Choice:
        """The graph that the main route runs, and why."""
        return self.model.routes[self.main_route].choice

    def task(self, route: str, name: str | None) -> Task:
        """What the task called ``name`` changes on ``route``."""
        return self.model.routes[route].tasks.get(name or "", _PLAIN)

    def limit(self, route: str, task: str | None, settings: Settings | None = None) -> int | None:
        """The number of tokens that texts for ``task`` are cut to by ``settings`` (None: those of now)."""
        settings = self.settings if settings is None else settings
        return self.task(route, task).limit(settings.limits[route], of_call=settings.of_call)

    def run(
        self,
        request: Request,
        device: str | Sequence[str] | None = None,
        pool: "Pool | None" = None,
        chunk_size: int | None = None,
        show_progress_bar: bool | None = None,
    ) -> Any:
        """The result for all texts: from this process, from those of ``pool``, or from one for each of ``device``."""
        self.check_device(device)
        check_tokens(request.output, pools=self.pipelines[request.route].pools)
        devices = device if isinstance(device, list | tuple) else None
        if pool is None and devices is None:
            return self.run_here(request, show_progress_bar)
        return self._run_in_processes(request, devices, pool, chunk_size, show_progress_bar)

    def run_here(self, request: Request, show_progress_bar: bool | None) -> Any:
        """The result for all texts, in their order. A text that occurs several times is computed once."""
        if not request.texts:
            return request.output.empty(self.width)
        pipeline, limit = self.pipelines[request.route], self.limit(request.route, request.task, request.settings)
        distinct = find_distinct(request.texts)
        batches = pipeline.run(
            distinct.texts,
            self._select_for(request),
            limit=limit,
            prompt=request.prompt,
            batch_size=request.batch_size,
            extra={**request.output.extra, **pipeline.prompt_features(request.prompt, limit)},
            checked=request.output.checked,
            places=distinct.first,
            tokens=request.output.keeps_tokens,
            outputs=request.output.outputs,
            expansion=self.task(request.route, request.task).expansion,
            inspect=truncation_guard(request.settings.truncation, limit, distinct, request.prompt, pipeline.tokenizer),
        )
        with progress_bar(len(request.texts), show_progress_bar) as advance:
            return request.output.gather(batches, distinct, advance)

    def _select_for(self, request: Request) -> Callable[[Features], Any]:
        select = request.output.select
        if not request.output.keeps_types:
            return select
        return lambda features: select(self.with_types(features, request.route))

    def _run_in_processes(
        self,
        request: Request,
        devices: Sequence[str] | None,
        pool: "Pool | None",
        chunk_size: int | None,
        show_progress_bar: bool | None,
    ) -> Any:
        from .multi_process import borrowed_pool, run_chunks

        distinct, settings = find_distinct(request.texts), request.settings
        if settings.truncation == "error":  # counted here, where the place of a text among all is known
            limit = self.limit(request.route, request.task, settings)
            tokenizer = self.pipelines[request.route].tokenizer
            truncation_guard("error", limit, distinct, request.prompt, tokenizer)
            settings = replace(settings, truncation="silent")

        def question(texts: Sequence[Any]) -> tuple[Request]:
            return (replace(request, texts=texts, settings=settings),)

        with borrowed_pool(pool, partial(self.copies_for, devices)) as workers:
            found = run_chunks(workers, list(distinct.texts), question, chunk_size, show_progress_bar)
        return spread(found, distinct)

    def copies_for(self, devices: Sequence[str] | None) -> list[Callable[[], "Answer"]]:
        """For each device a function that makes a copy of this runner, in the process where it is called.

        It returns the copy's `answer`. The cores are shared out among the copies. None means four times "cpu", or once
        the model's own device where that is another. Raises OptionError for anything but a list of str, at least one.
        """
        if devices is None:
            devices = ["cpu"] * _DEFAULT_WORKERS if self.options.on_cpu else [self.device]
        if not devices or not isinstance(devices, list | tuple) or not all(isinstance(each, str) for each in devices):
            raise OptionError(
                f"target_devices is {devices!r}; expected a list with one device a process, such as ['cpu', 'cpu']"
            )
        threads = max(1, thread_count(background=self.options.background) // len(devices))
        options = [
            replace(
                self.options,
                device=None if device == "cpu" else device,
                backend=engine_of(device) or "auto" if self.options.backend == "auto" else self.options.backend,
                num_threads=threads,
            )
            for device in devices
        ]
        path, model_type, settings = self.folder.path, self.folder.model_type, self.settings
        return [partial(_answer_of_a_copy, path, each, model_type, settings) for each in options]

    def answer(self, request: Request) -> Any:
        """What `run_here` gives, in a copy that takes over the settings of ``request``."""
        self.settings = request.settings
        try:
            return self.run_here(request, show_progress_bar=False)
        except NotFiniteError as error:
            raise NotFiniteError(f"counted from the first text of a chunk: {error}") from None

    def with_types(self, features: Features, route: str) -> Features:
        """``features`` with ``token_type_ids``, where the transformer of ``route`` has several types."""
        types = self.folder.routes[route].config.get("type_vocab_size")
        if "token_type_ids" in features or not isinstance(types, int) or types < 2:
            return features
        return {**features, "token_type_ids": np.zeros_like(features["input_ids"])}

    @cached_property
    def width(self) -> int:
        """The last axis of the embeddings or scores on the main route; where the graph does not tell, a text is run."""
        pipeline = self.main_pipeline
        if pipeline.width is not None:
            return pipeline.width
        name = result_of(self.folder.model_type)
        ((_, rows),) = pipeline.run(["a"], lambda features: features[name], limit=self.main_limit, batch_size=1)
        return int(rows.shape[-1])

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self.options.device or "cpu"

    def check_device(self, device: str | Sequence[str] | None) -> None:
        """Raise OptionError for another device than the model's own; a list asks for several processes."""
        if not isinstance(device, str | list | tuple | None):
            raise OptionError(f"device is {device!r}; expected a str, or a list of them to encode in several processes")
        if isinstance(device, str) and device != self.device:
            raise OptionError(
                f"device={device!r}, but the model is on {self.device!r}; pass device= to the constructor"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded, (self.folder.path, self.options, self.folder.model_type, self.settings)


def _loaded(path: Path, options: LoadOptions, model_type: str, settings: Settings) -> Runner:
    runner = Runner(path, options, model_type)
    runner.settings = settings
    return runner


def _answer_of_a_copy(path: Path, options: LoadOptions, model_type: str, settings: Settings) -> "Answer":
    return _loaded(path, options, model_type, settings).answer
