"""Find the fastest setting for a model folder on this machine: first the variant, then threads, then batch size."""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_st_runtime.errors import OptionError
from edge_st_runtime.machine.threads import available_cores
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.tuning import Tuning, check_keepable, keep_tuning

from .measuring import PASSES, Row, Speed, measure_in_turn
from .settings import Setting, tunable_settings

_BUDGETS = (128, 256, 512, 768, 1024)
_BUDGETS_OF_DEVICES = (1024, 2048, 4096, 8192, 16384, 32768, 65536)
#: after so many seconds no further setting is tried
_TIME_LIMIT = 45.0
#: a setting replaces the runtime's own choice only if it is faster by this factor; a smaller gain may be noise
_MARGIN = 1.03


@dataclass(frozen=True)
class Tuned:
    """Every setting that was measured, the chosen one, and the file that keeps it."""

    rows: list[Row]
    tuning: Tuning
    kept: Path


def tune(
    path: Path,
    dtype: str,
    texts: Sequence[str] | None,
    progress: Callable[[Setting, Speed], None],
    time_limit: float = _TIME_LIMIT,
    device: str | None = None,
) -> Tuned:
    """Measure the settings of a folder, choose the fastest and keep it for later loads.

    The variants are measured first, then threads for the fastest one, then its batch sizes. The fastest setting is that
    of the highest `Speed.score`. After ``time_limit`` seconds the fastest so far is kept. On a ``device`` (None: the
    CPU) threads are left as they are, and batches are larger.

    Raises OptionError, before anything is measured, where a tuning cannot be kept; also what `tunable_settings`
    raises, and what loading and running a variant raise.
    """
    check_keepable()
    variants, record = tunable_settings(path, dtype, device), read_folder(path).record
    assert record is not None
    if not variants:
        raise OptionError(f"{path} has no recorded variant for dtype={dtype!r} that runs here; export it again")
    search = _Search(path, texts, progress, time.monotonic() + time_limit, {})
    chosen = search.fastest(list(variants), PASSES)
    for others in (_threads, _budgets) if device is None else (_budgets,):
        speed = search.found[chosen]
        settled = replace(chosen, num_threads=speed.num_threads, token_budget=speed.token_budget)
        chosen = search.fastest([chosen, *others(settled)], 1)
    best, today = search.found[chosen], dt.datetime.now(dt.UTC).date().isoformat()
    tuning = Tuning(chosen.engine, chosen.file, chosen.dtype, best.num_threads, best.token_budget, today)
    rows = [Row(each, speed, variants[_variant(each)]) for each, speed in search.found.items()]
    return Tuned(rows, tuning, keep_tuning(record, dtype, tuning, device))


def _variant(setting: Setting) -> Setting:
    return replace(setting, num_threads=None, token_budget=None)


def _threads(settled: Setting) -> list[Setting]:
    cores = available_cores()
    return [replace(settled, num_threads=n) for n in sorted({max(1, cores // 2), cores}) if n != settled.num_threads]


def _budgets(settled: Setting) -> list[Setting]:
    budgets = _BUDGETS if settled.device is None else _BUDGETS_OF_DEVICES
    return [replace(settled, token_budget=budget) for budget in budgets if budget != settled.token_budget]


@dataclass(frozen=True)
class _Search:
    """The speeds found so far; ``end`` is the time to stop at."""

    path: Path
    texts: Sequence[str] | None
    progress: Callable[[Setting, Speed], None]
    end: float
    found: dict[Setting, Speed]

    def fastest(self, settings: Sequence[Setting], passes: int) -> Setting:
        """The fastest of ``settings``; all but the first must be faster by the margin."""
        for setting, speed in measure_in_turn(self.path, settings, self.texts, passes):
            self.progress(setting, speed)
            self.found[setting] = speed
            if time.monotonic() > self.end:
                break
        tried = [each for each in settings if each in self.found]
        return max(tried, key=lambda each: self.found[each].score * (_MARGIN if each == settings[0] else 1))
