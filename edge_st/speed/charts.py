"""Speed against recorded quality as a picture."""

from collections.abc import Sequence
from pathlib import Path

from edge_st_runtime.errors import InputError
from edge_st_runtime.output_files import replacing

from ..comparison.charts import COLORS, plot
from .variants import Row

_SIZE = (560, 400)
_DOTS = 144


def write_chart(rows: Sequence[Row], path: Path) -> None:
    """Each row that has a recorded cosine as a labelled point. Raises InputError where none has."""
    placed = [(row, row.cosine_min) for row in rows if row.cosine_min is not None]
    if not placed:
        raise InputError("no variant has a recorded cosine, so there is no quality to draw; leave --chart out")
    with plot(_SIZE) as (figure, axes), replacing(path) as part:
        for number, (row, cosine) in enumerate(placed):
            color = COLORS[number % len(COLORS)]
            axes.plot(row.speed.mixed, cosine, "o", markersize=7, color=color)
            axes.annotate(
                f"{row.setting.engine} {row.setting.dtype}",
                (row.speed.mixed, cosine),
                (0, 9),
                textcoords="offset points",
                ha="center",
                color=color,
            )
        axes.set(xlabel="texts, or pairs, of mixed lengths a second", ylabel="worst cosine to the original")
        axes.margins(0.18)
        axes.set_xlim(left=0)
        axes.grid(visible=True)
        figure.savefig(part, format=path.suffix.lower().removeprefix("."), dpi=_DOTS, facecolor="white")
