"""The text that Prometheus reads, as numbers. Names stay as they are written, unlike in Prometheus' own parser."""

import re

Labels = frozenset[tuple[str, str]]
_LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Numbers(dict[tuple[str, Labels], float]):
    """The value of each series."""

    def of(self, name: str, **labels: str) -> float:
        """The value of the series ``name`` with these ``labels``; 0 where nothing was counted yet."""
        return self.get((name, frozenset(labels.items())), 0)


def numbers(text: str) -> Numbers:
    """The series in ``text``."""
    found = Numbers()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = _LINE.fullmatch(line)
            assert match is not None, line
            found[match[1], frozenset(_LABEL.findall(match[2] or ""))] = float(match[3])
    return found
