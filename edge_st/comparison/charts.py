"""Charts as SVG within an HTML page. They take the font and the text colour of the page."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import product
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats

from .results import Result
from .thresholds import Threshold

#: legible on white and on near black; further variants repeat them, and are told apart by their numbers
COLORS = ("#3b7dd8", "#d9652b", "#2f9e6e", "#b44fc4", "#a88400", "#d1405f", "#1f9aa8", "#7d6ad6")
KNOWN, RANDOM = COLORS[0], COLORS[1]
#: sizes in pixels, as are the distances below
_SCATTER_SIZE, _HISTOGRAM_SIZE = (390, 285), (340, 210)
#: a placeholder for the colour of the page's text
_INK = "#010203"
_STYLE: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edge-st",
    "font.family": "sans-serif",
    "font.size": 11,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    **dict.fromkeys(("axes.linewidth", "grid.linewidth"), 0.6),
    "axes.axisbelow": True,
    "grid.color": _INK,
    "grid.alpha": 0.14,
}
#: the axis of speeds is logarithmic where the ratio of the fastest to the slowest is at least this
_WIDE = 5.0
_BINS = 32
#: where the number of a point may be, the best places first, and its least distance to numbers and intervals
_RADII, _ANGLES = (13, 20, 28, 38, 50, 64), np.radians((45, 135, 315, 225, 0, 180, 90, 270))
_STEPS = [radius * np.array((np.cos(angle), np.sin(angle))) for radius, angle in product(_RADII, _ANGLES)]
_NUMBER_ROOM, _BAR_ROOM = 14.0, 9.0


@dataclass(frozen=True)
class Chart:
    """A drawing: its size in pixels, and the content of an ``<svg>`` with a view box of that size."""

    width: int
    height: int
    body: str


def quality_against_speed(results: Sequence[Result], name: str) -> Chart | None:
    """A chart of quality against speed with a point and an interval for each result, numbered from 1.

    None where no result has both a quality and a speed.
    """
    placed = [(number, r) for number, r in enumerate(results, 1) if np.isfinite([_speed(r), r.quality.value]).all()]
    if not placed:
        return None
    with plot(_SCATTER_SIZE) as (figure, axes):
        _set_scale(axes, [_speed(result) for _, result in placed])
        axes.set(xlabel="texts, or pairs, per second", ylabel="quality")
        axes.margins(0.12)
        axes.grid(visible=True)
        for number, result in placed:
            interval, color = result.quality, COLORS[(number - 1) % len(COLORS)]
            ends = [interval.low, interval.high]
            axes.plot([_speed(result)] * 2, ends, color=color, marker="_", gid=f"interval-{number}")
            axes.plot(_speed(result), interval.value, "o", markersize=7, color=color, gid=f"point-{number}")
        _number(figure, axes, placed)
        return _chart(figure, name, _SCATTER_SIZE)


def score_histogram(known: Floats, random: Floats, threshold: Threshold, name: str) -> Chart:
    """A histogram of the scores (n,) of known and of random pairs, in percent of each, with the threshold marked."""
    with plot(_HISTOGRAM_SIZE) as (figure, axes):
        edges = _edges(np.concatenate((known, random)).astype(np.float64))
        for scores, color, gid in ((random, RANDOM, "random"), (known, KNOWN, "known")):
            shares = np.histogram(scores, edges)[0] / scores.size * 100
            axes.stairs(shares, edges, fill=True, color=color, alpha=0.45, linewidth=0, gid=gid)
            axes.stairs(shares, edges, color=color, linewidth=1.2)
        axes.axvline(threshold.score, color=_INK, linestyle=(0, (4, 3)), linewidth=1.2, gid="threshold")
        top = axes.get_xaxis_transform()
        axes.text(threshold.score, 1.02, str(threshold), ha="center", va="bottom", transform=top)
        axes.set(xlabel="score", ylabel="pairs, %")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(visible=True, axis="y")
        return _chart(figure, name, _HISTOGRAM_SIZE)


def _edges(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The edges of equal bins, with room around scores that are all the same."""
    low, high = scores.min(), scores.max()
    room = 0.0 if high - low > 1e-6 * abs(high) else max(0.5, abs(high) / 10)
    return np.linspace(low - room, high + room, _BINS + 1)


def _speed(result: Result) -> float:
    return result.variant.texts_per_second


def _set_scale(axes: Axes, speeds: Sequence[float]) -> None:
    spread = max(speeds) / min(speeds) if min(speeds) > 0 else 1.0
    if spread >= _WIDE:
        axes.set_xscale("log")
        marked = (1, 2, 5) if spread < 30 else (1, 3) if spread < 3000 else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=marked))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9g}"))


def _number(figure: Figure, axes: Axes, placed: Sequence[tuple[int, Result]]) -> None:
    """Write the number of each point beside it, away from the intervals and the other numbers."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    bars = [_bar(axes, result) for _, result in placed]
    taken: list[NDArray[np.float64]] = []
    for number, result in placed:
        point = axes.transData.transform((_speed(result), result.quality.value))
        step = next((step for step in _STEPS if _is_free(point + step, bars, taken, axes)), _STEPS[0])
        taken.append(point + step)
        color = COLORS[(number - 1) % len(COLORS)]
        line = {"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 5}
        axes.annotate(
            str(number),
            (_speed(result), result.quality.value),
            (step[0], step[1]),
            textcoords="offset points",
            arrowprops=line if np.hypot(step[0], step[1]) > _RADII[0] + 1 else None,
            color=color,
            ha="center",
            va="center",
            fontweight="bold",
            gid=f"number-{number}",
        )


def _bar(axes: Axes, result: Result) -> NDArray[np.float64]:
    """The position of an interval in the figure: (x, low, high)."""
    quality = result.quality
    ends = [end for end in (quality.value, quality.low, quality.high) if np.isfinite(end)]
    places = axes.transData.transform([(_speed(result), end) for end in (min(ends), max(ends))])
    return np.array((places[0, 0], places[0, 1], places[1, 1]))


def _is_free(
    place: NDArray[np.float64], bars: Sequence[NDArray[np.float64]], taken: Sequence[NDArray[np.float64]], axes: Axes
) -> bool:
    x, y = place
    return (
        all(np.hypot(x - at, max(low - y, y - high, 0)) >= _BAR_ROOM for at, low, high in bars)
        and all(np.hypot(*(place - other)) >= _NUMBER_ROOM for other in taken)
        and bool(axes.bbox.contains(x, y))
    )


@contextmanager
def plot(size: tuple[int, int]) -> Iterator[tuple[Figure, Axes]]:
    """A plot of ``size`` in pixels, in the style of all charts instead of the user's own."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
        yield figure, figure.subplots()


_ID = re.compile(r'(\sid="|href="#|url\(#)')
_OWN_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>|font-family: [^;\"]*;?", re.DOTALL)


def _chart(figure: Figure, name: str, size: tuple[int, int]) -> Chart:
    """The drawing without the document around it; its ids begin with ``name``, so that charts do not share ids."""
    file = StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    body = file.getvalue().partition("<svg")[2].partition(">")[2].rpartition("</svg>")[0]
    body = _OWN_STYLE.sub("", body).replace(_INK, "currentColor")
    return Chart(*size, _ID.sub(rf"\g<1>{name}-", body))
