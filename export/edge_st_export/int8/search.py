"""Search for the groups of matrix multiplications that must stay float32 for the int8 variant to pass the gate."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from ..folder.parity import GraphReport
from .gate import Gate
from .quality import Quality

Key: TypeAlias = str


@dataclass(frozen=True)
class Attempt:
    """An int8 variant with ``left`` of ``total`` groups in float32: what it keeps on ordinary texts and of each metric.

    ``report`` is its parity with the original on odd texts, too. The gate does not count those.
    """

    left: int
    total: int
    report: GraphReport
    quality: Quality
    shares: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def shortfall(self, gate: Gate) -> float:
        """How far it is below the gate."""
        return gate.shortfall(self.quality, self.shares)

    def entry(self) -> dict[str, Any]:
        """This attempt's row in edge_st.json."""
        return {
            "engine": self.report.engine,
            "float32_products": self.left,
            "products": self.total,
            **self.quality.entry(),
            "odd_cosine_min": self.report.cosine_min,
            **self.shares,
        }

    def __str__(self) -> str:
        return f"{self.report.engine}, {self.left} of {self.total} products in float32: {self.quality}"


class Allowance:
    """The CPU time that a search may still take, of all threads of this process together."""

    def __init__(self, minutes: float) -> None:
        self._end = time.process_time() + 60 * minutes

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return time.process_time() >= self._end


def search(
    groups: Sequence[Key],
    gate: Gate,
    attempt: Callable[[Set[Key]], Attempt],
    sensitivity: Callable[[Key], float],
    allowance: Allowance,
) -> list[Attempt]:
    """The attempts that were made; the last one passes ``gate``, or none does.

    ``attempt`` measures a variant with the given groups in float32. ``sensitivity`` is how much one group loses when
    it alone is int8; the most sensitive groups are kept in float32 first: none, one, two, four … up to half of them.
    The first attempt is always made, the others while the ``allowance`` lasts.
    """
    tried = [attempt(frozenset())]
    if not tried[0].shortfall(gate):
        return tried
    damage = {key: 0.0 if allowance.spent else sensitivity(key) for key in groups}
    most_sensitive = sorted(groups, key=damage.__getitem__, reverse=True)
    for count in _counts(len(groups) // 2):
        if allowance.spent:
            break
        tried.append(attempt(frozenset(most_sensitive[:count])))
        if not tried[-1].shortfall(gate):
            break
    return tried


def best(tried: Sequence[Attempt], gate: Gate) -> Attempt:
    """The attempt that is nearest to the gate; of equal ones the first, which has the most in int8."""
    return min(tried, key=lambda each: each.shortfall(gate))


def _counts(most: int) -> Iterator[int]:
    count = 1
    while count <= most:
        yield count
        count *= 2


def table(tried: Sequence[Attempt]) -> str:
    """One line for each attempt."""
    names = list(dict.fromkeys(name for attempt in tried for name in attempt.shares))
    head = f"  {'engine':<8}{'in float32':>12}{'cosine mean':>13}{'p1':>9}{'agreement':>11}{'odd texts':>11}"
    rows = [
        f"  {each.report.engine:<8}{f'{each.left} of {each.total}':>12}{each.quality.cosine_mean:>13.5f}"
        f"{each.quality.cosine_p1:>9.4f}{each.quality.agreement:>11.4f}{each.report.cosine_min:>11.4f}"
        + "".join(f"{f'{each.shares[name]:.4f}' if name in each.shares else '-':>{len(name) + 7}}" for name in names)
        for each in tried
    ]
    return "\n".join([head + "".join(f"  {name} kept" for name in names), *rows])
