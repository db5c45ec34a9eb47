"""Model folders and index manifests that are damaged on purpose: no outcome but the same results, or an error of ours.

``python -m tests.support.fuzzing folders 3000`` prints the table.
"""

import sys

import pytest

from tests.support.fuzzing import folders, indexes
from tests.support.fuzzing.running import Result, run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory of a child is bounded")
_MANY = pytest.mark.slow


def these(results: list[Result], *outcomes: str) -> list[Result]:
    return [result for result in results if result.outcome in outcomes]


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=_MANY)])
def test_folders(count: int) -> None:
    results = run("folders", range(count))
    assert {result.number for result in results} == set(range(count))
    assert these(results, "foreign", "hang", "crash", "nan") == []
    assert [result for result in these(results, "different") if folders.has_record(result.number)] == []
    assert len(these(results, "refused")) > count / 2  # the changes reach what is read
    assert len({folders.row(result.number) for result in these(results, "same")}) >= min(
        count // 10, len(folders.KINDS)
    )


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=_MANY)])
def test_manifests(count: int) -> None:
    results = run("indexes", range(count))
    assert {result.number for result in results} == set(range(count))
    assert these(results, "foreign", "hang", "crash") == []
    assert len(these(results, "refused")) > count / 2
    assert {indexes.row(result.number) for result in results} == set(indexes.KINDS)
