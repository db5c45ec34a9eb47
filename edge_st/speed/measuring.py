"""The speed of settings, each measured in a process of its own."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge_st_runtime.engines.backend import engine_version
from edge_st_runtime.text.tokens import TextOrPair

from ..memory import peak_memory
from ..models.classes import Model, open_model
from ..models.cross_encoder import CrossEncoder
from ..models.processes import in_process
from .sample_texts import sample_texts
from .settings import Setting

#: how often each setting is measured; in turn, so that a passing disturbance does not fall on one setting alone
PASSES = 2
#: a round of each kind of text takes about so long; a slow machine runs fewer texts
_SECONDS = 0.25
_ROUNDS, _SINGLE_RUNS, _FEWEST = 2, 15, 12
#: the most texts of a batch; on a GPU the budget of tokens alone is to decide
_BATCH, _BATCH_OF_DEVICES = 32, 4096


@dataclass(frozen=True)
class Speed:
    """The figures of one setting.

    ``short`` and ``mixed`` are texts per second (of cross-encoders pairs): short ones, and texts of mixed lengths.
    ``single_ms`` is the median time of one short text, ``load_ms`` the time to load the model after the engine was
    imported, both in milliseconds. ``peak_memory`` is the largest resident size of the process in bytes, None where
    the system does not tell.
    """

    short: float
    mixed: float
    single_ms: float
    load_ms: float
    peak_memory: int | None
    num_threads: int
    token_budget: int

    @property
    def score(self) -> float:
        """The geometric mean of three rates: short texts, mixed texts and single texts per second."""
        return (self.short * self.mixed * 1000 / self.single_ms) ** (1 / 3)


@dataclass(frozen=True)
class Row:
    """A setting, its speed, and the worst cosine to the original that the folder's record has for its graph."""

    setting: Setting
    speed: Speed
    cosine_min: float | None

    def as_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        speed = self.speed
        return {
            "engine": self.setting.engine,
            "dtype": self.setting.dtype,
            "graph": self.setting.file,
            "threads": speed.num_threads,
            "token_budget": speed.token_budget,
            "short_per_second": round(speed.short, 1),
            "mixed_per_second": round(speed.mixed, 1),
            "single_ms": round(speed.single_ms, 3),
            "load_ms": round(speed.load_ms, 1),
            "peak_memory": speed.peak_memory,
            "cosine_min": self.cosine_min,
        }


def measure(folder: Path, setting: Setting, texts: Sequence[str] | None) -> Speed:
    """Load ``folder`` with this setting in a new process and run ``texts``, or the built-in ones for None.

    Raises what loading and running raise, and EngineError where the process dies.
    """
    died = f"the process that ran {folder} with {setting} crashed or was ended from outside; see: edge-st doctor"
    return in_process(_measure, folder, setting, texts, died=died)


def best(found: Sequence[Speed]) -> Speed:
    """The best of each figure among several measurements of one setting: disturbances only make figures worse."""
    return Speed(
        short=max(each.short for each in found),
        mixed=max(each.mixed for each in found),
        single_ms=min(each.single_ms for each in found),
        load_ms=min(each.load_ms for each in found),
        peak_memory=max((each.peak_memory for each in found if each.peak_memory is not None), default=None),
        num_threads=found[0].num_threads,
        token_budget=found[0].token_budget,
    )


def measure_in_turn(
    path: Path, settings: Sequence[Setting], texts: Sequence[str] | None, passes: int = PASSES
) -> Iterator[tuple[Setting, Speed]]:
    """Measure the settings in turn (A B C A B C) and yield each one's best figures so far."""
    found: dict[Setting, list[Speed]] = {setting: [] for setting in settings}
    for _ in range(passes):
        for setting in settings:
            found[setting].append(measure(path, setting, texts))
            yield setting, best(found[setting])


def _measure(folder: Path, setting: Setting, texts: Sequence[str] | None) -> Speed:
    if setting.engine != "numpy":
        engine_version(setting.engine)
    start = time.perf_counter()
    model = load(folder, setting)
    load_ms = (time.perf_counter() - start) * 1000
    given = sample_texts(texts, pairs=isinstance(model, CrossEncoder))
    batch = _BATCH if setting.device is None else _BATCH_OF_DEVICES
    return Speed(
        short=_per_second(model, given.short, batch),
        mixed=_per_second(model, given.mixed, batch),
        single_ms=statistics.median(_seconds(model, [given.single]) for _ in range(_SINGLE_RUNS)) * 1000,
        load_ms=load_ms,
        peak_memory=peak_memory(),
        num_threads=model.info()["threads"],
        token_budget=model._runner.main_pipeline.backend.token_budget,
    )


def load(folder: Path, setting: Setting) -> Model:
    """The model of a folder, opened with this setting."""
    if setting.engine == "numpy":
        return open_model(folder)
    kwargs = {"file_name": setting.file, "token_budget": setting.token_budget}
    return open_model(
        folder,
        backend=setting.engine,
        dtype=setting.dtype,
        device=setting.device,
        num_threads=setting.num_threads,
        model_kwargs=kwargs,
    )


def _per_second(model: Model, texts: Sequence[TextOrPair], batch_size: int) -> float:
    """Texts per second in the best of several rounds.

    A few texts are run first: they warm the engine up, and tell how many texts a round can hold.
    """
    few = texts[:_FEWEST]
    rate = len(few) / min(_seconds(model, few, batch_size) for _ in range(2))
    some = texts[: max(_FEWEST, int(rate * _SECONDS))]
    _seconds(model, some, batch_size)
    return len(some) / min(_seconds(model, some, batch_size) for _ in range(_ROUNDS))


def _seconds(model: Model, texts: Sequence[TextOrPair], batch_size: int = _BATCH) -> float:
    options: dict[str, Any] = {"show_progress_bar": False, "batch_size": batch_size}
    if isinstance(model, CrossEncoder):
        run = partial(model.predict, list(texts), **options)
    else:
        run = partial(model.encode, list(texts), task=model.tasks[0], **options)
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
