"""The tables of what is supported, as the documentation has them."""

from collections.abc import Mapping
from itertools import groupby

from tests.export.zoo.building import NUMPY, Case
from tests.export.zoo.cases import KINDS


def tables(results: Mapping[str, str]) -> list[str]:
    """The tables out of a word for each case, under their headings."""
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
