"""Search for the groups of matrix multiplications that must stay float32 for the int8 variant to pass the gate."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from ..errors import ExportError
from ..folder.parity import GraphReport
from .gate import Gate

Key: TypeAlias = str


@dataclass(frozen=True)
class Attempt:
    """An int8 variant with ``left`` of ``total`` groups in float32: its parity, and its share of each metric."""

    left: int
    total: int
    report: GraphReport
    shares: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def passes(self, gate: Gate) -> bool:
        """Whether it reaches the gate; NaN does not."""
        similar = self.report.cosine_mean >= gate.cosine and self.report.cosine_min >= gate.worst
        return similar and all(share >= gate.share(name.split()[-1]) for name, share in self.shares.items())

    def entry(self) -> dict[str, Any]:
        """This attempt's row in edge_st.json."""
        return {
            "engine": self.report.engine,
            "float32_products": self.left,
            "products": self.total,
            "cosine_mean": self.report.cosine_mean,
            "cosine_min": self.report.cosine_min,
            **self.shares,
        }


def search(
    groups: Sequence[Key],
    gate: Gate,
    attempt: Callable[[Set[Key]], Attempt],
    sensitivity: Callable[[Key], float],
) -> tuple[Set[Key], list[Attempt]]:
    """The groups to keep in float32 so that the others pass ``gate`` in int8, and the attempts that were made.

    ``attempt`` measures a variant with the given groups in float32. ``sensitivity`` is how much one group loses when
    it alone is int8; the most sensitive groups are kept in float32 first: none, one, two, four … up to half of them.
    The first attempt that passes is taken. Raises ExportError where none passes, with a table of all attempts
    as a note.
    """
    tried = [attempt(frozenset())]
    if tried[0].passes(gate):
        return frozenset(), tried
    most_sensitive = sorted(groups, key=sensitivity, reverse=True)
    for count in _counts(len(groups) // 2):
        left = frozenset(most_sensitive[:count])
        tried.append(attempt(left))
        if tried[-1].passes(gate):
            return left, tried
    error = ExportError(
        f"no int8 variant reaches the gate {gate}, so nothing was written; lower the gate (--gate), or give "
        "calibration texts that are more like those to encode (--calibration)"
    )
    error.add_note(f"tried:\n{table(tried)}")
    raise error


def _counts(most: int) -> Iterator[int]:
    count = 1
    while count <= most:
        yield count
        count *= 2


def table(tried: Sequence[Attempt]) -> str:
    """One line for each attempt."""
    names = list(dict.fromkeys(name for attempt in tried for name in attempt.shares))
    head = f"  {'engine':<8}{'in float32':>12}{'cosine mean':>13}{'worst':>9}"
    rows = [
        f"  {each.report.engine:<8}{f'{each.left} of {each.total}':>12}"
        f"{each.report.cosine_mean:>13.5f}{each.report.cosine_min:>9.4f}"
        + "".join(f"{f'{each.shares[name]:.4f}' if name in each.shares else '-':>{len(name) + 7}}" for name in names)
        for each in tried
    ]
    return "\n".join([head + "".join(f"  {name} kept" for name in names), *rows])
