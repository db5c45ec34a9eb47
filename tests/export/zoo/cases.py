"""The parity zoo: small random models of every kind, exported and compared with sentence-transformers.

``python -m tests.export.zoo.cases [CASE ...]`` prints every figure, and the tables of the README.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from edge_st import SentenceTransformer
from edge_st.models.classes import open_model
from edge_st.verification.checks import compare
from edge_st.verification.comparison import Comparison, compared
from edge_st_export import export_model
from edge_st_export.original.alone import comparable
from edge_st_export.original.loading import find_source, load_original
from edge_st_export.original.texts import ALL, PAIRS
from edge_st_export.plan import ENGINES
from edge_st_runtime.errors import EdgeSTError
from edge_st_runtime.model.classes import CROSS_ENCODER
from tests.export.zoo.answers import answers
from tests.export.zoo.architectures import ARCHITECTURES
from tests.export.zoo.building import Case
from tests.export.zoo.cross_encoders import CLASSIFIERS, CROSS_ENCODERS
from tests.export.zoo.modules import ACTIVATIONS, MODULES, NUMPY, POOLINGS, PROMPTED, ROUTERS, WORD_VECTORS
from tests.export.zoo.sparse import MASKED_MODELS, SPARSE_ENCODERS
from tests.export.zoo.tokenizers import TOKENIZERS

EMBEDDING_MODELS: Mapping[str, Case] = {
    **ARCHITECTURES,
    **POOLINGS,
    **ACTIVATIONS,
    **MODULES,
    **WORD_VECTORS,
    **ROUTERS,
    **PROMPTED,
    **TOKENIZERS,
}
#: what the README's tables are headed by
KINDS: Mapping[str, Mapping[str, Case]] = {
    "": EMBEDDING_MODELS,
    "### Cross-encoders": CROSS_ENCODERS,
    "### Sparse encoders": SPARSE_ENCODERS,
}
CASES: dict[str, Case] = {name: case for cases in KINDS.values() for name, case in cases.items()}
_LONG = 1000
#: those whose graph is unlike the others'
CONVERTED = {
    *ARCHITECTURES,
    *CLASSIFIERS,
    *MASKED_MODELS,
    *("lstm", "cnn-lstm", "weighted-layers", "router-of-two", "dense-scores", "logit-score"),
}
Results = Mapping[str, Sequence[Comparison]]


def examine(name: str, folder: Path) -> Results:
    """Export the case ``name``, and compare every public output in float32 with the original's: engine → outputs.

    For speed OpenVINO runs the ONNX graph of cases that are no `CONVERTED` ones.
    """
    case = CASES[name]
    original, out = case.build(folder), folder / "out"
    engines = ENGINES if name in CONVERTED else ENGINES[:1]
    trust = case.trust_remote_code
    export_model(original, out, engines=engines, task=case.task, trust_remote_code=trust, quiet=True)
    source = find_source(original, None, None, case.task)
    peer = load_original(source, trust_remote_code=trust)
    short = [text for text in ALL if case.long_text is None or len(text) < _LONG]
    texts = PAIRS if source.model_type == CROSS_ENCODER else short
    found = {}
    for engine in case.engines:
        model = open_model(out, backend="auto" if case.engines == NUMPY else engine, dtype="float32")
        found[engine] = [*answers(model, peer), *compare(model, *comparable(peer, texts, model.tasks))]
        if case.long_text is not None and isinstance(model, SentenceTransformer):
            long = [case.long_text]
            found[engine].insert(0, compared("a long text", model.encode(long), peer.encode(long)))
    return found


def tables(results: Mapping[str, str]) -> list[str]:
    """The README's tables out of a word for each case, under their headings."""
    return ["\n\n".join(filter(None, (heading, _table(cases, results)))) for heading, cases in KINDS.items()]


def _table(cases: Mapping[str, Case], results: Mapping[str, str]) -> str:
    """A row for each architecture, its modules separated by ";"."""
    rows = sorted((case.architecture, _cells(case, results[name]), case.modules) for name, case in cases.items())
    lines = ["| Architecture | Modules | ONNX Runtime | OpenVINO |", "|---|---|---|---|"]
    for (architecture, cells), group in groupby(rows, key=lambda row: row[:2]):
        modules = "; ".join(dict.fromkeys(modules for *_, modules in group))
        lines.append(f"| {architecture} | {modules} | {cells} |")
    return "\n".join(lines)


def _cells(case: Case, result: str) -> str:
    """The word for each engine; what neither has to run is NumPy's."""
    return " | ".join([f"{result} (NumPy)" if case.engines == NUMPY else result] * 2)


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
    try:
        found = examine(name, folder)
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
