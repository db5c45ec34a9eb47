"""Every case of the parity zoo, and the documentation's tables of what is supported."""

from pathlib import Path

import pytest

from tests.export.zoo.cases import CASES, OLDER, SLOW
from tests.export.zoo.examining import Zoo, examine
from tests.export.zoo.tables import tables

PAGE = (Path(__file__).parents[3] / "docs" / "supported-models.md").read_text(encoding="utf-8")

#: Of a batch's largest value, what float32's rounding may make of a text alone: each processor's kernels round in an
#: order of their own (up to 1.2e-6 seen), and a neighbour that leaks in is beyond 1e-4.
ROUNDING = 4e-6


def marks(name: str) -> list[pytest.MarkDecorator]:
    chosen = ((pytest.mark.older_versions, OLDER), (pytest.mark.slow, SLOW))
    return [mark for mark, names in chosen if name in names]


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in CASES])
def test_every_output_is_the_originals(name: str, zoo: Zoo) -> None:
    found = examine(name, zoo.original(name), zoo.exported(name).path)
    assert set(found) == set(CASES[name].engines)
    for engine, comparisons in found.items():
        assert [row for row in comparisons if not row.equal] == [], engine
        assert comparisons[-1].output == "one by one"
        assert comparisons[-1].relative_difference <= ROUNDING, engine


def test_the_documentation_has_the_tables() -> None:
    assert [table for table in tables(dict.fromkeys(CASES, "equal")) if table not in PAGE] == []
