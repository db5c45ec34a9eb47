"""What commands print: JSON, tables, and the first lines of a text."""

import json
import textwrap
from collections.abc import Sequence

from .streams import one_line

#: what is printed for a query without hits
NOTHING = "         nothing found"
_SNIPPET_WIDTH, _SNIPPET_LINES = 88, 4


def print_json(document: object) -> None:
    """Print one JSON document, in ASCII, so that it does not depend on the terminal's encoding."""
    print(json.dumps(document, indent=2))


def table(rows: Sequence[Sequence[object]], indent: str = "") -> str:
    """Rows of the same length as a text with aligned columns."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def snippet(text: str) -> str:
    """The beginning of ``text`` as up to four indented lines."""
    lines = textwrap.wrap(
        " ".join(text.split()),
        width=_SNIPPET_WIDTH,
        max_lines=_SNIPPET_LINES,
        placeholder=" …",
        initial_indent=" " * 9,
        subsequent_indent=" " * 9,
    )
    return "\n".join(lines)
