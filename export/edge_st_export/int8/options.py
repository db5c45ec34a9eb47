"""The options of int8."""

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
from .gate import LEXICAL, TOKEN_VECTORS, Gate
from .search import Attempt

LEAST_TEXTS = 32
_BUNDLED_PAIRS = 300
_PAIR = 2
#: the metric of each kind of data
_MEASURES = {RetrievalData: "ndcg", SimilarityData: "spearman", PairData: "ap", TripletData: "accuracy"}
_KINDS = {
    "ndcg": "a folder in BEIR's layout",
    "spearman": "pairs with scores",
    "ap": "pairs with labels",
    "accuracy": "triplets",
}


@dataclass(frozen=True)
class Int8:
    """Options for int8 graphs, which are written beside the float32 graphs if they pass ``gate``.

    ``calibration`` are texts like those that will be encoded, or pairs for a model that scores pairs. At least 32 are
    needed, and a few hundred are best; None takes a bundled set. ``evaluation`` are the data sets on which the gate's
    metrics are measured. ``default`` makes the folder open in int8 unless another dtype is asked for. Raises InputError
    for too few calibration texts, OptionError for a metric in the gate without a data set to measure it on.
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
            if name not in {*measured, TOKEN_VECTORS, LEXICAL}:
                raise OptionError(
                    f"the gate asks for {name}, which is measured on {_KINDS[name]}; add such data (--eval)"
                )
        names = [data.name for data in self.evaluation]
        if len(set(names)) < len(names):
            raise OptionError(f"several data sets have the same name ({', '.join(names)}); rename one of the files")

    def check(self, model_type: str) -> None:
        """Raise InputError or OptionError where a model of this class does not take these texts or data sets."""
        self.texts(model_type)
        for data in self.evaluation:
            check_fits(data, model_type)

    def texts(self, model_type: str) -> list[TextOrPair]:
        """The calibration texts or pairs; raises InputError where the model does not take them."""
        if self.calibration is None:
            return _bundled(model_type)
        pairs = model_type == CROSS_ENCODER
        for number, text in enumerate(self.calibration, 1):
            if isinstance(text, str) == pairs:
                wanted = "two texts with a tab between them" if pairs else "one text"
                raise InputError(f"calibration text {number} is {text!r:.80}; this model takes {wanted} a line")
        return list(self.calibration)

    def entry(self, tried: Sequence[Attempt], *, default: bool) -> dict[str, Any]:
        """The record's entries about int8; ``default`` says whether the folder opens in it."""
        made = {
            "calibration": "bundled" if self.calibration is None else f"{len(self.calibration)} texts",
            "gate": str(self.gate),
            "evaluation": [data.name for data in self.evaluation],
            "tried": [attempt.entry() for attempt in tried],
        }
        return {"int8": made, **({"default_dtype": "int8"} if default else {})}


def _check_calibration(texts: Sequence[TextOrPair]) -> None:
    """Raise InputError for anything but texts or pairs, and for too few of them."""
    for number, text in enumerate(texts, 1):
        if isinstance(texts, str) or not (isinstance(text, str) or _is_pair(text)):
            raise InputError(f"calibration text {number} is {text!r:.80}; expected a list of texts, or of pairs")
    if len(set(texts)) < LEAST_TEXTS:
        raise InputError(
            f"calibration has {len(set(texts))} distinct texts; expected at least {LEAST_TEXTS}, best a few hundred "
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
    """The lines of a UTF-8 file; a line with exactly one tab is a pair. Raises OptionError and InputError."""
    lines = (line for _, line in read_lines(existing(path)))
    return [tuple(line.split("\t")) if line.count("\t") == 1 else line for line in lines]  # type: ignore[misc]
