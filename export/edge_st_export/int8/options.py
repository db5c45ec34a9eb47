"""How an int8 variant is to be made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_st.comparison.inputs import check_fits
from edge_st.evaluation.datasets import Dataset, PairData, RetrievalData, SimilarityData, TripletData
from edge_st.input_files import existing, read_lines
from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.text.tokens import TextOrPair

from ..original.texts import ORDINARY, questions, ranked_pairs
from .gate import Gate
from .search import Attempt

LEAST_TEXTS = 32
_BUNDLED_PAIRS = 300
_PAIR = 2
#: what is measured on each kind of data
_MEASURES = {RetrievalData: "ndcg", SimilarityData: "spearman", PairData: "ap", TripletData: "accuracy"}
_KINDS = {
    "ndcg": "a folder in BEIR's layout",
    "spearman": "pairs with scores",
    "ap": "pairs with labels",
    "accuracy": "triplets",
}


@dataclass(frozen=True)
class Int8:
    """Int8 graphs beside those in float32, each within ``gate``.

    ``calibration`` are texts, or pairs of texts for a model that scores them, like those to come: some hundred are
    best, 32 the least; None takes a bundled set. ``evaluation`` are data sets on which the gate's metrics are
    measured. ``default`` makes the folder open in int8 where nothing else is asked for. Raises InputError for
    calibration texts that are too few, OptionError for a metric in the gate without a data set to measure it on.
    """

    gate: Gate = field(default_factory=Gate)
    calibration: Sequence[TextOrPair] | None = None
    evaluation: Sequence[Dataset] = ()
    default: bool = False

    def __post_init__(self) -> None:
        if self.calibration is not None:
            _check_calibration(self.calibration)
        measured = {_MEASURES[type(data)] for data in self.evaluation}
        for name in self.gate.shares:
            if name not in measured:
                raise OptionError(f"the gate asks for {name}, which is measured on {_KINDS[name]}: give some (--eval)")
        names = [data.name for data in self.evaluation]
        if len(set(names)) < len(names):
            raise OptionError(f"several data sets have one name ({', '.join(names)}); rename one of the files")

    def check(self, model_type: str) -> None:
        """Raise InputError or OptionError where a model of this class takes not such texts or data sets."""
        self.texts(model_type)
        for data in self.evaluation:
            check_fits(data, model_type)

    def texts(self, model_type: str) -> list[TextOrPair]:
        """What the scales are fitted to; raises InputError where the calibration is not what the model takes."""
        if self.calibration is None:
            return _bundled(model_type)
        pairs = model_type == CROSS_ENCODER
        for number, text in enumerate(self.calibration, 1):
            if isinstance(text, str) == pairs:
                wanted = "two texts with a tab between them" if pairs else "one text"
                raise InputError(f"calibration text {number} is {text!r:.80}; this model takes {wanted} a line")
        return list(self.calibration)

    def entry(self, tried: Sequence[Attempt]) -> dict[str, Any]:
        """What the record says about it."""
        made = {
            "calibration": "bundled" if self.calibration is None else f"{len(self.calibration)} texts",
            "gate": str(self.gate),
            "evaluation": [data.name for data in self.evaluation],
            "tried": [attempt.entry() for attempt in tried],
        }
        return {"int8": made, **({"default_dtype": "int8"} if self.default else {})}


def _check_calibration(texts: Sequence[TextOrPair]) -> None:
    """Raise InputError for what are no texts or pairs, or too few."""
    for number, text in enumerate(texts, 1):
        if isinstance(texts, str) or not (isinstance(text, str) or _is_pair(text)):
            raise InputError(f"calibration text {number} is {text!r:.80}; expected a list of texts, or of pairs")
    if len(set(texts)) < LEAST_TEXTS:
        raise InputError(
            f"calibration has {len(set(texts))} distinct texts; expected at least {LEAST_TEXTS}, best some hundred "
            "like those that will be encoded"
        )


def _is_pair(text: Any) -> bool:
    return isinstance(text, tuple) and len(text) == _PAIR and all(isinstance(each, str) for each in text)


def _bundled(model_type: str) -> list[TextOrPair]:
    pairs = ranked_pairs()
    if model_type == CROSS_ENCODER:
        return list(pairs[:: max(1, len(pairs) // _BUNDLED_PAIRS)])
    return [*ORDINARY, *(text for passage, queries in questions() for text in (passage, *queries))]


def read_texts(path: str) -> list[TextOrPair]:
    """The lines of a UTF-8 file; one with a single tab is a pair of texts. Raises OptionError and InputError."""
    lines = (line for _, line in read_lines(existing(path)))
    return [tuple(line.split("\t")) if line.count("\t") == 1 else line for line in lines]  # type: ignore[misc]
