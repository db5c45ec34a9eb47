"""What `mine_hard_negatives` prints."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .candidates import Chosen
from .data import Pairs
from .formats import Format
from .selection import Selection

_STATISTICS: Mapping[str, Callable[[NDArray[Any]], Any]] = {
    "Mean": np.mean,
    "Median": np.median,
    "Std": lambda scores: np.std(scores, ddof=1) if len(scores) > 1 else np.nan,
    "Min": np.min,
    "25%": lambda scores: np.quantile(scores, 0.25),
    "50%": lambda scores: np.quantile(scores, 0.5),
    "75%": lambda scores: np.quantile(scores, 0.75),
    "Max": np.max,
}


def describe_pairs(pairs: Pairs, resolved: Selection | None) -> None:
    """Print the numbers of queries and positives, and range_max where it was ``resolved`` from other arguments."""
    if resolved is not None:
        print(f"Setting range_max to {resolved.range_max} based on the provided parameters.")
    if len(pairs.queries) != pairs.rows:
        print(f"Found {len(pairs.queries)} unique queries out of {pairs.rows} total queries.")
    if pairs.max_positives > 1:
        print(f"Found an average of {pairs.rows / len(pairs.queries):.3f} positives per query.")


def report(pairs: Pairs, chosen: Chosen, selection: Selection, form: Format, rows: int) -> None:
    """Print the scores of positives and negatives, and how many candidates and table ``rows`` the limits cost."""
    _print_scores(pairs, chosen, form.kept(pairs, chosen))
    _print_skipped(chosen, selection)
    _print_missing(form.max_rows(pairs) - rows, form.max_rows(pairs), selection)


def _print_scores(pairs: Pairs, chosen: Chosen, kept: NDArray[np.bool_]) -> None:
    """Statistics of the scores of positives and of the negatives that are ``kept`` (pairs, negatives)."""
    scores = chosen.scores[pairs.owners]
    differences = (chosen.positive_scores[:, None] - np.where(kept, scores, 0))[kept]
    columns = (chosen.positive_scores, scores[kept], differences)
    _print_row("Metric", "Positive", "Negative", "Difference")
    _print_row("Count", f"{len(columns[0]):,}", f"{len(columns[1]):,}", "")
    for name, function in _STATISTICS.items():
        _print_row(name, *(f"{function(column):.4f}" if len(column) else "-" for column in columns))


def _print_skipped(chosen: Chosen, selection: Selection) -> None:
    left = chosen.count
    for name, skipped in chosen.skipped.items():
        if skipped:
            limit = selection.limits[name]
            print(f"Skipped {skipped:,} potential negatives ({skipped / left:.2%}) due to the {name} of {limit}.")
        left -= skipped


def _print_missing(missing: int, most: int, selection: Selection) -> None:
    """How many of ``most`` rows are ``missing``, and which arguments to adjust."""
    if not missing:
        return
    names = ["range_max", *(["range_min"] if selection.range_min else []), *selection.limits]
    listed = f"{', '.join(names[:-1])} and {names[-1]} parameters" if len(names) > 1 else f"{names[0]} parameter"
    print(
        f"Could not find enough negatives for {missing} samples ({missing / most:.2%}). Consider adjusting the "
        f"{listed} if you'd like to find more valid negatives."
    )


def _print_row(*cells: str) -> None:
    print("{:<6} {:>14} {:>14} {:>14}".format(*cells))
