"""``python -m tests.export.training [LOSS ...]`` prints how far each trained model's export is from it."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge_st_export.plan import ENGINES
from tests.export.training.cases import CASES
from tests.export.training.training import examine, train


def main(names: Sequence[str]) -> None:
    """Train the cases called ``names``, else all; print each engine's 1 - worst cosine and its largest difference."""
    print("| Loss | ONNX Runtime: 1 - cosine, difference | OpenVINO |\n|---|---|---|")
    for name in names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            found = examine(train(CASES[name], Path(folder)), Path(folder) / "out", ENGINES)
        cells = (f"{1 - found[engine].cosine_min:.0e}, {found[engine].max_abs_difference:.0e}" for engine in ENGINES)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
