"""Every command reads .csv and .tsv files by one rule about quotes."""

from pathlib import Path

import pytest

from edge_st.cli import main
from edge_st.evaluation.datasets import read_dataset
from edge_st.evaluation.datasets.kinds import SimilarityData
from tests.support.index_command import texts_of

#: what four cells are, by the ending
TEXTS = {
    "tsv": ['"Second thoughts', "Third", 'Fourth"', "Fifth"],
    "csv": ['"Second thoughts', "Third, of", 'two\nlines"', "Fifth"],
}


def written(path: Path, header: list[str], columns: list[list[str]]) -> Path:
    rows = [header, *map(list, zip(*columns, strict=True))]
    if path.suffix == ".csv":
        rows = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in rows]
    delimiter = {".csv": ",", ".tsv": "\t"}[path.suffix]
    path.write_text("".join(f"{delimiter.join(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize("ending", TEXTS)
def test_index_and_eval_read_the_same_rows(ending: str, tmp_path: Path) -> None:
    texts = TEXTS[ending]
    scores = [str(place) for place in range(len(texts))]
    path = written(tmp_path / f"in.{ending}", ["sentence1", "sentence2", "score"], [texts, texts, scores])
    found = read_dataset(path)
    assert isinstance(found, SimilarityData)
    assert found.sentences1 == texts
    assert main(["index", "build", str(tmp_path / "index"), str(path), "--field", "sentence1"]) == 0
    assert list(texts_of(tmp_path / "index").values()) == texts
