"""Which products to leave in float32, so that the others can be int8 within the gate."""

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
    """Int8 but for ``left`` of ``total`` groups: how near it came, and what it kept of each data set's metric."""

    left: int
    total: int
    report: GraphReport
    shares: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def passes(self, gate: Gate) -> bool:
        """Whether it reaches the gate; what is no number does not."""
        near = self.report.cosine_mean >= gate.cosine and self.report.cosine_min >= gate.worst
        return near and all(share >= gate.share(name.split()[-1]) for name, share in self.shares.items())

    def entry(self) -> dict[str, Any]:
        """The row of the record."""
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
    damage: Callable[[Key], float],
) -> tuple[Set[Key], list[Attempt]]:
    """The fewest tried groups that must stay float32 for the rest to pass ``gate``, and what was tried.

    ``attempt`` measures all but some groups in int8, ``damage`` one alone. The groups that do most damage are left
    out first: none, one, two, four … up to half of them. Raises ExportError with the table of what was tried where
    nothing passes.
    """
    tried = [attempt(frozenset())]
    if tried[0].passes(gate):
        return frozenset(), tried
    worst_first = sorted(groups, key=damage, reverse=True)
    for count in _counts(len(groups) // 2):
        left = frozenset(worst_first[:count])
        tried.append(attempt(left))
        if tried[-1].passes(gate):
            return left, tried
    raise ExportError(
        f"no int8 variant reaches the gate {gate}, so nothing was written; tried:\n{table(tried)}\n"
        "Lower the gate (--gate), or give calibration texts that are more like those to come (--calibration)"
    )


def _counts(most: int) -> Iterator[int]:
    count = 1
    while count <= most:
        yield count
        count *= 2


def table(tried: Sequence[Attempt]) -> str:
    """One line an attempt."""
    names = list(dict.fromkeys(name for attempt in tried for name in attempt.shares))
    head = f"  {'engine':<8}{'in float32':>12}{'cosine mean':>13}{'worst':>9}"
    rows = [
        f"  {each.report.engine:<8}{f'{each.left} of {each.total}':>12}"
        f"{each.report.cosine_mean:>13.5f}{each.report.cosine_min:>9.4f}"
        + "".join(f"{f'{each.shares[name]:.4f}' if name in each.shares else '-':>{len(name) + 7}}" for name in names)
        for each in tried
    ]
    return "\n".join([head + "".join(f"  {name} kept" for name in names), *rows])
