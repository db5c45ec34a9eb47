"""Read evaluation data of any kind from a path."""

from pathlib import Path

from ...input_files import existing
from .beir import CORPUS, QRELS, read_beir
from .kinds import Dataset
from .rows import READERS
from .tables import read_table


def is_dataset(path: str | Path) -> bool:
    """Whether a path names evaluation data, by its ending or by what the folder holds. A file need not exist."""
    found = Path(path)
    return found.suffix.lower() in READERS or any((found / name).exists() for name in (CORPUS, QRELS))


def read_dataset(path: str | Path) -> Dataset:
    """Read the evaluation data at ``path``.

    A folder in BEIR's layout gives RetrievalData of its only split, or of the split "test"; a file of its folder qrels
    gives that split. Other files are .tsv, .csv with a header, or .jsonl. Their columns are

    - sentence1, sentence2, score from 0 to 5: SimilarityData, or PairData where every score is 0 or 1
    - sentence1, sentence2, label of 0 or 1: PairData
    - anchor, positive, negative: TripletData

    A .tsv file needs no header; without one, a score comes before its sentences.

    Raises OptionError for a path that cannot be such data. Raises InputError for content that is not valid; the message
    names file and line, what was found and what was expected.
    """
    found = existing(path)
    if found.is_dir():
        return read_beir(found)
    if found.parent.name == QRELS and found.suffix == ".tsv":
        return read_beir(found.parent.parent, found.stem)
    return read_table(found)
