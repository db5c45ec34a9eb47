"""``python -m tests.export.zoo [CASE ...]`` prints every figure, and the tables of what is supported."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge_st_runtime.errors import EdgeSTError
from tests.export.zoo.cases import CASES
from tests.export.zoo.examining import examine, export
from tests.export.zoo.tables import tables


def main(names: Sequence[str]) -> None:
    """Examine the cases called ``names``, else all; print their figures, and of all the tables."""
    results = {}
    for name in names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = _examined(name, Path(folder))
    if not names:
        print("\n\n".join(tables(results)))


def _examined(name: str, folder: Path) -> str:
    """Print a case's figures; "equal", or why it is not."""
    original, out = CASES[name].build(folder), folder / "out"
    try:
        export(name, original, out)
        found = examine(name, original, out)
    except EdgeSTError as error:
        print(f"{name}: {error}", flush=True)
        return f"FAILED: {error}"
    for engine, rows in found.items():
        worst = min(rows, key=lambda row: row.cosine_min)
        difference = max(row.max_abs_difference for row in rows if row.output not in ("int8", "binary"))
        print(
            f"{name:<28}{engine:<10}cosine min {worst.cosine_min:.9f} ({worst.output}), max |d| {difference:.1e}, "
            f"one by one {rows[-1].relative_difference:.1e}",
            flush=True,
        )
    unequal = [row.output for rows in found.values() for row in rows if not row.equal]
    return f"DIFFERENT: {', '.join(unequal)}" if unequal else "equal"


if __name__ == "__main__":
    main(sys.argv[1:])
