"""The values of a JSON object, each read with its type and range; an error names the file, the value and what to do."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from ..errors import DamagedFileError
from ..unicode import is_unicode

T = TypeVar("T")
#: the largest number that a file can hold where NumPy's int64 has to hold it afterwards
LARGEST = 2**63 - 1


class Fields:
    """The ``values`` of a JSON object in the file ``where``; error messages end with ``repair``.

    Every method raises DamagedFileError for a value that is missing or not as it says. ``within`` is the place of the
    object in the file, such as "segments[2].".
    """

    def __init__(self, values: Mapping[str, Any], where: object, repair: str, within: str = "") -> None:
        self._values, self._where, self._repair, self._within = values, where, repair, within

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, pattern: re.Pattern[str] | None = None) -> str:
        """A str, which ``pattern`` matches whole where it is given."""
        value = self._values.get(name)
        if not isinstance(value, str) or not is_unicode(value) or (pattern and not pattern.fullmatch(value)):
            raise self.wrong(name, f"a text of the form {pattern.pattern}" if pattern else "a text")
        return value

    def count(self, name: str, least: int = 0, most: int = LARGEST) -> int:
        """A whole number from ``least`` to ``most``."""
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(name, f"a whole number from {least} to {most}")
        return value

    def number(self, name: str, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number from ``least`` to ``most``."""
        value = self._values.get(name)
        right = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        try:
            found = float(value) if right else math.nan  # type: ignore[arg-type]
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            bounds = "" if (least, most) == (-math.inf, math.inf) else f" from {least} to {most}"
            raise self.wrong(name, f"a number{bounds}")
        return found

    def flag(self, name: str) -> bool:
        """A bool."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def choice(self, name: str, choices: Collection[T]) -> T:
        """One of ``choices``."""
        value = self._values.get(name)
        found = [each for each in choices if type(each) is type(value) and each == value]
        if not found:
            raise self.wrong(name, f"one of {', '.join(map(repr, choices))}")
        return found[0]

    def object(self, name: str) -> "Fields":
        """A JSON object."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "a JSON object")
        return Fields(value, self._where, self._repair, f"{self._within}{name}.")

    def optional_object(self, name: str) -> "Fields | None":
        """A JSON object, or None where it is null or missing."""
        return self.optional(name, self.object)

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """What ``read``, a method of this object, gives for ``name``; None where the value is null or missing."""
        return None if self._values.get(name) is None else read(name)

    def objects_by_name(self, name: str) -> "dict[str, Fields]":
        """A JSON object of JSON objects."""
        found = self.object(name)
        return {each: found.object(each) for each in found._values}

    def items(self, name: str) -> list[Any]:
        """A list of anything."""
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return value

    def objects(self, name: str) -> "list[Fields]":
        """A list of JSON objects."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(name, "a list of JSON objects")
        return [
            Fields(each, self._where, self._repair, f"{self._within}{name}[{place}].")
            for place, each in enumerate(value)
        ]

    def wrong(self, name: str, expected: str) -> DamagedFileError:
        """The error for the value called ``name``."""
        found = f"{self._values[name]!r:.60}" if name in self._values else "missing"
        return DamagedFileError(f"{self._where}: {self._within}{name} is {found}; expected {expected}; {self._repair}")
