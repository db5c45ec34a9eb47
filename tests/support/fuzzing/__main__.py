"""Folders and index manifests that are damaged on purpose, as many as are asked for.

``python -m tests.support.fuzzing folders 3000`` opens so many changed model folders, ``indexes 1000`` so many changed
manifests with a right checksum. It prints how often each outcome came; ``--show foreign`` lists those cases too, and
``--first 17`` begins with that case.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.support.fuzzing import folders, indexes
from tests.support.fuzzing.running import OUTCOMES, bound, run, run_here, table


def main() -> None:
    if sys.argv[1] == "make":
        family, root = sys.argv[2:]
        {"folders": folders, "indexes": indexes}[family].make(Path(root))
        return
    if sys.argv[1] == "cases":
        family, root, scratch, *numbers = sys.argv[2:]
        kinds = {"folders": folders.Folders, "indexes": indexes.Indexes}
        bound()
        run_here(family, kinds[family](Path(root), Path(scratch)), map(int, numbers))
        sys.stdout.flush()
        os._exit(0)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=["folders", "indexes"])
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--show", nargs="*", default=[], choices=OUTCOMES)
    given = parser.parse_args()
    row = {"folders": folders.row, "indexes": indexes.row}[given.family]
    results = run(given.family, range(given.first, given.first + given.count))
    for result in results:
        if result.outcome in given.show:
            print(f"{result.number} {row(result.number)}: {result.outcome}\n  {result.changes}\n  {result.detail}")
    print(table(results, row))


main()
