"""Any evaluation data that a path names."""

from pathlib import Path

from ...input_files import existing
from .beir import CORPUS, QRELS, read_beir
from .kinds import Dataset
from .rows import READERS
from .tables import read_table


def is_dataset(path: str | Path) -> bool:
    """Whether a path looks like data, there or not: by its ending, or by what a folder holds."""
    found = Path(path)
    return found.suffix.lower() in READERS or any((found / name).exists() for name in (CORPUS, QRELS))


def read_dataset(path: str | Path) -> Dataset:
    """The evaluation data at ``path``.

    A folder in BEIR's layout gives RetrievalData of its only split or of "test", a file of its folder qrels that split.
    Other files are .tsv, .csv (with a header) or .jsonl with the columns sentence1, sentence2, score (0 to 5; PairData
    where all are 0 or 1, else SimilarityData), sentence1, sentence2, label (0 or 1: PairData) or anchor, positive,
    negative (TripletData). A .tsv file needs no header: then the score comes first.

    Raises OptionError for a path that cannot be such data, InputError naming file, line, what was found and what was
    expected for content that is not as it should be.
    """
    found = existing(path)
    if found.is_dir():
        return read_beir(found)
    if found.parent.name == QRELS and found.suffix == ".tsv":
        return read_beir(found.parent.parent, found.stem)
    return read_table(found)
