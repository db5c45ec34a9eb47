"""The gate of int8: how much of the float32 model's quality an int8 variant must keep to be written."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edge_st_runtime.errors import OptionError

from .quality import Quality

_QUALITY = ("cosine", "p1", "agreement")
#: of the heads of a graph that has several
TOKEN_VECTORS, LEXICAL = "token_vectors", "lexical"
_METRICS = ("ndcg", "spearman", "ap", "accuracy", TOKEN_VECTORS, LEXICAL)
_EXAMPLE = "cosine=0.995,p1=0.99,ndcg=0.995"
_SHARE = 0.995  # of a metric that is not named
_DIGITS = 10_000  # a lowered gate has four digits


@dataclass(frozen=True)
class Gate:
    """What ordinary texts must keep, and the ``shares`` of metrics to keep.

    ``cosine`` is the least mean cosine with float32, ``p1`` the least 1st percentile of the cosines, ``agreement`` the
    least share of queries with the same passage in the first place: see `Quality`. A share is the int8 variant's metric
    divided by the float32 variant's: of "ndcg" for retrieval sets, "spearman" for scored pairs, "ap" for labelled pairs
    and "accuracy" for triplets. "token_vectors" and "lexical" are mean cosines of what BGE-M3's other heads give. A
    share that is not named is 0.995.
    """

    cosine: float = 0.995
    p1: float = 0.99
    agreement: float = 0.98
    shares: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, value in self._named().items():
            if name not in _QUALITY + _METRICS:
                raise OptionError(f"the gate has no {name!r}; expected {', '.join(_QUALITY + _METRICS)}: {_EXAMPLE}")
            if not 0 < value <= 1:
                raise OptionError(f"the gate's {name} is {value}; expected a share above 0 and up to 1: {_EXAMPLE}")

    def share(self, measure: str) -> float:
        """The share of ``measure``, such as "ndcg@10" or "scifact ndcg@10", that must be kept."""
        return self.shares.get(_metric(measure), _SHARE)

    def shortfall(self, quality: Quality, shares: Mapping[str, float]) -> float:
        """How far the measurements are below the gate, all together; 0 where they pass, infinity for NaN."""
        pairs = [
            (self.cosine, quality.cosine_mean),
            (self.p1, quality.cosine_p1),
            (self.agreement, quality.agreement),
            *((self.share(name), value) for name, value in shares.items()),
        ]
        if any(math.isnan(value) for _, value in pairs):
            return math.inf
        return sum(max(0.0, least - value) for least, value in pairs)

    def lowered(self, quality: Quality, shares: Mapping[str, float]) -> "Gate":
        """The gate that is just low enough for these measurements, which are above 0."""
        kept = dict(self.shares)
        for name, value in shares.items():
            kept[_metric(name)] = _lower(kept.get(_metric(name), _SHARE), value)
        return Gate(
            _lower(self.cosine, quality.cosine_mean),
            _lower(self.p1, quality.cosine_p1),
            _lower(self.agreement, quality.agreement),
            MappingProxyType(kept),
        )

    def _named(self) -> dict[str, float]:
        return {"cosine": self.cosine, "p1": self.p1, "agreement": self.agreement, **self.shares}

    def __str__(self) -> str:
        """The form that `parse_gate` reads."""
        return ",".join(f"{name}={value:g}" for name, value in self._named().items())


def _metric(measure: str) -> str:
    """ "ndcg" for a measure such as "ndcg@10", or that of a data set: "scifact ndcg@10"."""
    return measure.split()[-1].partition("@")[0]


def _lower(least: float, value: float) -> float:
    return min(least, math.floor(value * _DIGITS) / _DIGITS)


def parse_gate(text: str) -> Gate:
    """Parse a gate such as ``cosine=0.995,ndcg=0.995``; raises OptionError for anything else."""
    named: dict[str, float] = {}
    for part in text.split(","):
        name, number = (word.strip() for word in part.partition("=")[::2])
        if name in named:
            raise OptionError(f"the gate has {name!r} twice; expected each once, such as {_EXAMPLE}")
        try:
            named[name] = float(number)
        except ValueError as error:
            raise OptionError(f"the gate has {part!r}; expected NAME=NUMBER, such as {_EXAMPLE}") from error
    quality = {name: named.pop(name) for name in _QUALITY if name in named}
    return Gate(**quality, shares=MappingProxyType(named))
