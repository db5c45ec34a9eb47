"""Tables, and how they compare peers."""

import statistics
from collections.abc import Callable, Sequence

Best = Callable[[list[float]], float]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A text table; the first column is aligned to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rest = [[cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)] for line in lines]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *cells]) for line, cells in zip(lines, rest, strict=True))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))


def comparison(title: str, found: dict[str, list[float]], best: Best, *against: str) -> list[list[str]]:
    """The header and the rows of a table: each peer's best and median, and their ratios to the peers ``against``."""
    others = [peer for peer in against if peer in found]
    header = [title, "best", "median"]
    for other in others:
        header += [f"best / {other}", "median of rounds' ratios"]
    rows = []
    for peer, values in found.items():
        row = [peer, f"{best(values):.2f}", f"{statistics.median(values):.2f}"]
        for other in others:
            ratios = [value / reference for value, reference in zip(values, found[other], strict=True)]
            row += [f"{best(values) / best(found[other]):.2f}", f"{statistics.median(ratios):.2f}"]
        rows.append(row)
    return [header, *rows]


def reference(peers: Sequence[str], otherwise: str) -> int:
    """The position of the peer whose results are the reference: torch if it runs, else ``otherwise``."""
    exact = "sentence-transformers torch"
    return peers.index(exact if exact in peers else otherwise if otherwise in peers else peers[0])
