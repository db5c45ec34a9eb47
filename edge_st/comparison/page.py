"""A comparison as one self-contained HTML page."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_st_runtime.errors import OptionError, PackageMissingError
from edge_st_runtime.files.writing import replacing

from ..memory import megabytes
from ..version import __version__
from .results import SIGNIFICANCE, Result, speed
from .thresholds import Threshold, best_threshold

if TYPE_CHECKING:
    from .charts import Chart

_TEMPLATE = Path(__file__).with_name("page.html.j2")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_UNKNOWN = "–"
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class _Histogram:
    threshold: Threshold
    chart: "Chart"


@dataclass(frozen=True)
class _Section:
    """One data set on the page; ``histograms`` has None for a variant without scores."""

    data: str
    results: Sequence[Result]
    metrics: Sequence[str]
    scatter: "Chart | None"
    histograms: Sequence[_Histogram | None]


def write_page(results: Sequence[Result], path: Path, title: str) -> None:
    """Write a page with the table, charts and worst items of every data set to ``path``, whole or not at all.

    The first result of a data set is the one that the others were compared with. Raises OptionError where ``path``
    cannot be written, and PackageMissingError without Matplotlib or Jinja2.
    """
    check_page(path)
    page = _render(results, title)
    try:
        with replacing(path) as part:
            part.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OptionError(f"the page cannot be written to {path} ({error.strerror}); choose another place") from error


def check_page(path: Path) -> None:
    """Raise the errors of `write_page` that can be known before there are results."""
    if path.is_dir():
        raise OptionError(f"{path} is a folder; give the name of a file, such as {path / 'page.html'}")
    if path.exists() and not path.is_file():
        raise OptionError(f"{path} is not a regular file; give the name of one, such as page.html")
    if not path.resolve().parent.is_dir():
        raise OptionError(f"the folder of {path} does not exist: {path.resolve().parent}; make it first")
    if not (find_spec("jinja2") and find_spec("matplotlib")):
        raise PackageMissingError('the page needs Matplotlib and Jinja2; pip install "edge-st[report]"')


def _render(results: Sequence[Result], title: str) -> str:
    from jinja2 import Environment, StrictUndefined

    from . import charts

    environment = Environment(
        autoescape=True, finalize=_printable, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= _FILTERS
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        significance=SIGNIFICANCE,
        sections=list(_sections(results)),
        colors=charts.COLORS,
        known_color=charts.KNOWN,
        random_color=charts.RANDOM,
    )


def _sections(results: Sequence[Result]) -> Iterator[_Section]:
    from .charts import quality_against_speed

    names = (f"chart{number}" for number in count(1))
    for data in dict.fromkeys(result.data for result in results):
        own = [result for result in results if result.data == data]
        metrics = list(dict.fromkeys(name for result in own for name in result.metrics))
        scatter = quality_against_speed(own, next(names))
        yield _Section(data, own, metrics, scatter, [_histogram(result, next(names)) for result in own])


def _histogram(result: Result, name: str) -> _Histogram | None:
    from .charts import score_histogram

    known, random = (scores[np.isfinite(scores)] for scores in (result.known, result.random))
    if not known.size or not random.size:
        return None
    threshold = best_threshold(known, random)
    return _Histogram(threshold, score_histogram(known, random, threshold, name))


def _printable(value: Any) -> Any:
    """A text without characters that HTML or UTF-8 do not allow; markup and other values unchanged."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _CONTROLS.sub("", value))


def _format(form: str) -> Callable[[float | None], str]:
    def formatted(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return _UNKNOWN
        return format(value, form).replace("-", _MINUS)

    return formatted


def _percent(share: float) -> str:
    return f"{share * 100:.1f}\N{NO-BREAK SPACE}%"


def _p_value(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {_format('.3g')(value)}"


_FILTERS: Mapping[str, Callable[..., str]] = {
    "number": _format(".4f"),
    "signed": _format("+.4f"),
    "whole": _format(",.0f"),
    "percent": _percent,
    "speed": speed,
    "megabytes": lambda size: megabytes(size) if size else _UNKNOWN,
    "p_value": _p_value,
}
