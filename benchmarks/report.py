"""The results of benchmarks/precision.py as rows, ratios and a chart."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from limits import Limits
from quality import Quality
from variants import Variant

from edge_st.comparison.charts import COLORS, plot
from edge_st_runtime.files.writing import replacing

_SIZE = (760, 460)
#: the marker of each library; colours are those of the other charts, and a filled marker means int8
_MARKERS = {"edge-st": "o", "sentence-transformers": "s", "fastembed": "^", "ctranslate2": "D", "llama.cpp": "v"}
#: the smallest distance that is drawn: float32's rounding
_NEAREST = 1e-8


@dataclass(frozen=True)
class Row:
    """A variant with its quality, and for every round short and mixed texts per second and p50 milliseconds of one."""

    variant: Variant
    short: list[float]
    mixed: list[float]
    single: list[float]
    quality: Quality

    def cells(self, limits: Limits, tokens: dict[str, float]) -> list[str]:
        """The cells below ``header``: the best round, the median in brackets, and the best's share of the limit."""
        cells = [self.variant.label]
        for name, rates in (("short", self.short), ("mixed", self.mixed)):
            share = max(rates) / limits.texts(self.variant.precision, tokens[name])
            cells += [f"{max(rates):.0f} ({statistics.median(rates):.0f})", f"{share:.0%}"]
        quality = self.quality
        cells.append(f"{min(self.single):.2f} ({statistics.median(self.single):.2f})")
        cells += [f"{quality.cosine_mean:.5f}", f"{quality.cosine_min:.5f}", f"{quality.spearman:.4f}"]
        return [*cells, *([] if quality.ndcg is None else [f"{quality.ndcg:.4f}"])]


def header(rows: Sequence[Row]) -> list[str]:
    """The header of the table that `Row.cells` fills."""
    names = ["variant: best (median)"]
    for name in ("short", "mixed"):
        names += [f"{name} texts/s", "of limit"]
    names += ["one text, p50 ms", "mean cosine", "worst cosine", "STS-B Spearman"]
    return [*names, *([] if rows[0].quality.ndcg is None else ["SciFact nDCG@10"])]


def ratios(rows: Sequence[Row]) -> list[str]:
    """The ratio of edge-st's fastest variant to the fastest of sentence-transformers and to that of all peers.

    Ratios are those of the best rounds, with the median of the ratios of every round.
    """
    lossless = [row for row in rows if row.variant.is_lossless]
    int8 = [row for row in rows if not row.variant.is_lossless]
    lines = []
    for kind, some in (("int8", int8), ("float32 or bfloat16", lossless)):
        for name, rates in (("short", _short), ("mixed", _mixed)):
            lines += _against(f"{kind}, {name} texts/s", some, rates)
        lines += _against(f"{kind}, one text, p50", some, _singles_a_second)
    return [*lines, *_against("any precision, one text, p50", rows, _singles_a_second)]


def write_chart(rows: Sequence[Row], path: Path) -> None:
    """Draw mixed texts per second against 1 − mean cosine, with the best quality at the top."""
    with plot(_SIZE) as (figure, axes), replacing(path) as part:
        for number, row in enumerate(rows):
            color = COLORS[number % len(COLORS)]
            axes.plot(
                max(row.mixed),
                max(1 - row.quality.cosine_mean, _NEAREST),
                _MARKERS[row.variant.peer.split()[0]],
                markersize=9,
                color=color,
                markerfacecolor="white" if row.variant.is_lossless else color,
                label=row.variant.label,
            )
        axes.set(xlabel="texts of mixed lengths per second", ylabel="1 − mean cosine to PyTorch in float32")
        axes.set_yscale("log")
        axes.set_xlim(left=0)
        axes.invert_yaxis()
        axes.margins(0.1)
        axes.grid(visible=True)
        figure.legend(loc="outside right upper", frameon=False)
        axes.set_title("filled: int8; the higher and the farther right, the better", fontsize="medium", loc="left")
        figure.savefig(part, format=path.suffix.lower().removeprefix("."), dpi=144, facecolor="white")


def _short(row: Row) -> list[float]:
    return row.short


def _mixed(row: Row) -> list[float]:
    return row.mixed


def _singles_a_second(row: Row) -> list[float]:
    return [1000 / each for each in row.single]


def _against(title: str, rows: Sequence[Row], rates: Callable[[Row], list[float]]) -> list[str]:
    own = [row for row in rows if row.variant.is_edge]
    lines = []
    for whose, others in (
        ("sentence-transformers'", [row for row in rows if row.variant.is_sentence_transformers]),
        ("all peers'", [row for row in rows if not row.variant.is_edge]),
    ):
        if not own or not others:
            continue
        first, second = (max(some, key=lambda row: max(rates(row))) for some in (own, others))
        each = [one / other for one, other in zip(rates(first), rates(second), strict=True)]
        lines.append(
            f"{title}: {first.variant.label} is {max(rates(first)) / max(rates(second)):.2f} times as fast as "
            f"{whose} fastest, {second.variant.label} (median of rounds {statistics.median(each):.2f})"
        )
    return lines
