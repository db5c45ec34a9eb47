"""One way to run a model folder, measured in a process of its own."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_st_runtime.engines.backend import engine_version
from edge_st_runtime.text.tokens import TextOrPair

from ..memory import peak_memory
from ..models.classes import Model, open_model
from ..models.cross_encoder import CrossEncoder
from ..models.processes import in_process
from .samples import samples

#: a round of each kind of text takes about so long, on slow machines by running fewer texts
_SECONDS = 0.25
_ROUNDS, _SINGLE_RUNS, _FEWEST = 2, 15, 12


@dataclass(frozen=True)
class Setting:
    """One way to run a folder: the graph file, the engine, what it computes in, its threads and its batches.

    None for ``num_threads`` and ``token_budget`` is what the runtime takes by itself.
    """

    engine: str
    file: str
    dtype: str
    num_threads: int | None = None
    token_budget: int | None = None

    def __str__(self) -> str:
        threads = "" if self.num_threads is None else f", {self.num_threads} thread{'s' * (self.num_threads > 1)}"
        budget = "" if self.token_budget is None else f", batches of {self.token_budget} tokens"
        return f"{self.engine} {self.dtype}{threads}{budget}"


@dataclass(frozen=True)
class Speed:
    """What was measured: texts (of cross-encoders pairs) a second, short ones and of mixed lengths; milliseconds.

    ``single_ms`` is the median for one short text, ``load_ms`` what loading took after the engine was imported,
    ``peak_memory`` the largest resident size of the process in bytes, None where the system does not tell.
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
        """The geometric mean of the three speeds."""
        return (self.short * self.mixed * 1000 / self.single_ms) ** (1 / 3)


def measure(folder: Path, setting: Setting, texts: Sequence[str] | None) -> Speed:
    """Load ``folder`` so in a new process and run ``texts``, or the built-in samples.

    Raises what loading and running raises, EngineError where the process dies.
    """
    died = f"the process that ran {folder} with {setting} crashed or was ended from outside; see: edge-st doctor"
    return in_process(_measure, folder, setting, texts, died=died)


def best(found: Sequence[Speed]) -> Speed:
    """Of several measurements of one setting the best of each figure: what disturbs only ever makes them worse."""
    return Speed(
        short=max(each.short for each in found),
        mixed=max(each.mixed for each in found),
        single_ms=min(each.single_ms for each in found),
        load_ms=min(each.load_ms for each in found),
        peak_memory=max((each.peak_memory for each in found if each.peak_memory is not None), default=None),
        num_threads=found[0].num_threads,
        token_budget=found[0].token_budget,
    )


def _measure(folder: Path, setting: Setting, texts: Sequence[str] | None) -> Speed:
    if setting.engine != "numpy":
        engine_version(setting.engine)
    start = time.perf_counter()
    model = _load(folder, setting)
    load_ms = (time.perf_counter() - start) * 1000
    given = samples(texts, pairs=isinstance(model, CrossEncoder))
    return Speed(
        short=_per_second(model, given.short),
        mixed=_per_second(model, given.mixed),
        single_ms=statistics.median(_seconds(model, [given.single]) for _ in range(_SINGLE_RUNS)) * 1000,
        load_ms=load_ms,
        peak_memory=peak_memory(),
        num_threads=model.info()["threads"],
        token_budget=model._runner.main_pipeline.backend.token_budget,
    )


def _load(folder: Path, setting: Setting) -> Model:
    if setting.engine == "numpy":
        return open_model(folder)
    kwargs = {"file_name": setting.file, "token_budget": setting.token_budget}
    return open_model(
        folder, backend=setting.engine, dtype=setting.dtype, num_threads=setting.num_threads, model_kwargs=kwargs
    )


def _per_second(model: Model, texts: Sequence[TextOrPair]) -> float:
    """Of several rounds the best; the first texts tell how many a round can take, and warm the engine up."""
    few = texts[:_FEWEST]
    rate = len(few) / min(_seconds(model, few) for _ in range(2))
    some = texts[: max(_FEWEST, int(rate * _SECONDS))]
    _seconds(model, some)
    return len(some) / min(_seconds(model, some) for _ in range(_ROUNDS))


def _seconds(model: Model, texts: Sequence[TextOrPair]) -> float:
    if isinstance(model, CrossEncoder):
        run = partial(model.predict, list(texts), show_progress_bar=False)
    else:
        run = partial(model.encode, list(texts), show_progress_bar=False, task=model.tasks[0])
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
