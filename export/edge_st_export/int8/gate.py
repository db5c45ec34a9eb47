"""The gate of int8: how much of the float32 model's quality an int8 variant must keep to be written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edge_st_runtime.errors import OptionError

_COSINES = ("cosine", "worst")
_METRICS = ("ndcg", "spearman", "ap", "accuracy")
_EXAMPLE = "cosine=0.995,worst=0.95,ndcg=0.995"


@dataclass(frozen=True)
class Gate:
    """The lowest mean ``cosine`` with the original, the lowest ``worst`` cosine, and the ``shares`` of metrics to keep.

    A share is the int8 variant's metric divided by the float32 variant's: of "ndcg" for retrieval sets, "spearman" for
    scored pairs, "ap" for labelled pairs and "accuracy" for triplets. A share that is not named is 0.995.
    """

    cosine: float = 0.995
    worst: float = 0.95
    shares: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, value in {"cosine": self.cosine, "worst": self.worst, **self.shares}.items():
            if name not in _COSINES + _METRICS:
                raise OptionError(f"the gate has no {name!r}; expected {', '.join(_COSINES + _METRICS)}: {_EXAMPLE}")
            if not 0 < value <= 1:
                raise OptionError(f"the gate's {name} is {value}; expected a share above 0 and up to 1: {_EXAMPLE}")

    def share(self, measure: str) -> float:
        """The share of ``measure``, such as "ndcg@10", that must be kept."""
        return self.shares.get(measure.partition("@")[0], 0.995)

    def __str__(self) -> str:
        """The form that `parse_gate` reads."""
        named = {"cosine": self.cosine, "worst": self.worst, **self.shares}
        return ",".join(f"{name}={value:g}" for name, value in named.items())


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
    cosines = {name: named.pop(name) for name in _COSINES if name in named}
    return Gate(**cosines, shares=MappingProxyType(named))
