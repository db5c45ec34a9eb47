"""The parity zoo: small random models of every kind, exported and compared with sentence-transformers.

``python -m tests.export.zoo [CASE ...]`` prints every figure, and the table of the README.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from edge_st import SentenceTransformer
from edge_st.verification import Comparison, compare, compared
from edge_st_export import export_model
from edge_st_export.alone import comparable
from edge_st_export.export import ENGINES
from edge_st_export.original import find_source, load_original
from edge_st_export.texts import ALL
from edge_st_runtime.errors import EdgeSTError
from tests.export.zoo_architectures import ARCHITECTURES
from tests.export.zoo_building import Case
from tests.export.zoo_modules import ACTIVATIONS, MODULES, NUMPY, POOLINGS, PROMPTED, ROUTERS, WORD_VECTORS
from tests.export.zoo_tokenizers import TOKENIZERS

CASES: dict[str, Case] = {
    **ARCHITECTURES,
    **POOLINGS,
    **ACTIVATIONS,
    **MODULES,
    **WORD_VECTORS,
    **ROUTERS,
    **PROMPTED,
    **TOKENIZERS,
}
_LONG = 1000
#: those whose graph is unlike the others'
CONVERTED = {*ARCHITECTURES, "lstm", "cnn-lstm", "weighted-layers", "router-of-two"}
REFUSED = "refused: its texts go through a chat template"
Results = Mapping[str, Sequence[Comparison]]


def examine(name: str, folder: Path) -> Results:
    """Export the case ``name``, and compare every public output in float32 with the original's: engine → outputs.

    For speed OpenVINO runs the ONNX graph of cases that are no `CONVERTED` ones.
    """
    case = CASES[name]
    original, out = case.build(folder), folder / "out"
    engines = ENGINES if name in CONVERTED else ENGINES[:1]
    export_model(original, out, engines=engines, trust_remote_code=case.trust_remote_code, quiet=True)
    peer = load_original(find_source(original, None, None), trust_remote_code=case.trust_remote_code)
    texts = [text for text in ALL if case.long_text is None or len(text) < _LONG]
    found = {}
    for engine in case.engines:
        model = SentenceTransformer(out, backend="auto" if case.engines == NUMPY else engine, dtype="float32")
        found[engine] = compare(model, *comparable(peer, texts, model.tasks))
        if case.long_text is not None:
            long = [case.long_text]
            found[engine].insert(0, compared("a long text", model.encode(long), peer.encode(long)))
    return found


def table(results: Mapping[str, str]) -> str:
    """The README's table out of a word for each case: a row for each architecture, its modules separated by ";"."""
    rows = sorted((case.architecture, _cells(case, results[name]), case.modules) for name, case in CASES.items())
    lines = ["| Architecture | Modules | ONNX Runtime | OpenVINO |", "|---|---|---|---|"]
    for (architecture, cells), group in groupby(rows, key=lambda row: row[:2]):
        modules = "; ".join(dict.fromkeys(modules for *_, modules in group))
        lines.append(f"| {architecture} | {modules} | {cells} |")
    return "\n".join(lines)


def _cells(case: Case, result: str) -> str:
    """The word for each engine; what neither has to run is NumPy's."""
    return " | ".join([f"{result} (NumPy)" if case.engines == NUMPY else result] * 2)


def main(names: Sequence[str]) -> None:
    """Examine the cases called ``names``, else all; print their figures, and of all the table."""
    results = {}
    for name in names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = _examined(name, Path(folder))
    if not names:
        print(table(results))


def _examined(name: str, folder: Path) -> str:
    """Print a case's figures; "equal", or why it is not."""
    try:
        found = examine(name, folder)
    except EdgeSTError as error:
        print(f"{name}: {error}", flush=True)
        return REFUSED if CASES[name].refused else f"FAILED: {error}"
    for engine, rows in found.items():
        worst = min(rows, key=lambda row: row.cosine_min)
        difference = max(row.max_abs_difference for row in rows if row.output not in ("int8", "binary"))
        print(
            f"{name:<24}{engine:<10}cosine min {worst.cosine_min:.9f} ({worst.output}), max |d| {difference:.1e}, "
            f"one by one {rows[-1].relative_difference:.1e}",
            flush=True,
        )
    unequal = [row.output for rows in found.values() for row in rows if not row.equal]
    return f"DIFFERENT: {', '.join(unequal)}" if unequal else "equal"


if __name__ == "__main__":
    main(sys.argv[1:])
