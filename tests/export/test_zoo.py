"""Every case of the parity zoo, and the README's table of what is supported."""

from pathlib import Path

import pytest

from edge_st_runtime.errors import UnsupportedModelError
from tests.export import zoo
from tests.export.zoo import CASES, examine, table

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
REFUSED = {name: case for name, case in CASES.items() if case.refused}


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_every_output_is_the_originals(name: str, tmp_path: Path) -> None:
    found = examine(name, tmp_path)
    assert set(found) == set(CASES[name].engines)
    for engine, comparisons in found.items():
        assert [row for row in comparisons if not row.equal] == [], engine
        assert comparisons[-1].output == "one by one"
        assert comparisons[-1].relative_difference <= 1e-6, engine


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=REFUSED[name].refused or ""):
        examine(name, tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_readme_has_the_table() -> None:
    results = {name: zoo.REFUSED if name in REFUSED else "equal" for name in CASES}
    assert table(results) in README
