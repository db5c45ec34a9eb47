"""Models and indexes that an earlier version wrote open, verify and give what they gave."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_st import BM25, Index, SentenceTransformer
from edge_st.cli import main

WRITTEN = Path(__file__).parents[1] / "data" / "written_by_0_1_0"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WRITTEN, tmp_path / "written"))


@pytest.fixture
def found() -> Any:
    return json.loads((WRITTEN / "found.json").read_text(encoding="utf-8"))


def test_the_model(written: Path, found: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert SentenceTransformer(written / "model").fingerprint == found["fingerprint"]
    assert main(["verify", str(written / "model")]) == 0, capsys.readouterr().out


def test_the_index(written: Path, found: Any) -> None:
    with Index.open(written / "index", mode="a", model=written / "model") as index:
        index.verify()
        hits = index.search("dog", top_k=3)
        assert [{**hit, "score": pytest.approx(hit["score"], abs=1e-4)} for hit in hits] == found["hits"]
        assert index.ids() == ["fox", "both", "light", "dog"]
        index.add(["a new text"], ids=["new"])
        index.compact()
        assert len(index) == 5


def test_the_postings(written: Path, found: Any) -> None:
    scores, rows = BM25.open(written / "bm25").search("fox sea", 3)
    assert [rows.tolist(), scores.tolist()] == found["bm25"]
