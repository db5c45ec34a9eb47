"""A chart of speed against recorded quality."""

from collections.abc import Sequence
from pathlib import Path

from edge_st_runtime.errors import InputError
from edge_st_runtime.files.writing import replacing

from ..comparison.charts import COLORS, plot
from .measuring import Row

_SIZE = (560, 400)
_DOTS = 144
_MARKERS = "os^Dv*"


def write_chart(rows: Sequence[Row], path: Path) -> None:
    """Draw each row that has a recorded cosine as a point. Raises InputError where none has."""
    placed = [(row, row.cosine_min) for row in rows if row.cosine_min is not None]
    if not placed:
        raise InputError("no variant has a recorded cosine, so there is no quality to draw; leave out --chart")
    with plot(_SIZE) as (figure, axes), replacing(path) as part:
        for number, (row, cosine) in enumerate(placed):
            name = f"{row.setting.engine} {row.setting.dtype}"
            color, marker = COLORS[number % len(COLORS)], _MARKERS[number % len(_MARKERS)]
            axes.plot(row.speed.mixed, cosine, marker, markersize=8, color=color, label=name)
        axes.set(xlabel="texts, or pairs, of mixed lengths per second", ylabel="worst cosine to the original")
        axes.margins(0.18)
        axes.set_xlim(left=0)
        axes.grid(visible=True)
        figure.legend(loc="outside upper left", ncols=3, frameon=False)
        figure.savefig(part, format=path.suffix.lower().removeprefix("."), dpi=_DOTS, facecolor="white")
