"""The values of a configuration: each key has a kind, and whatever else is there is refused."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edge_st_runtime.checks import described
from edge_st_runtime.errors import OptionError


class Kind(NamedTuple):
    """What a key may hold: ``fits`` says whether a value does, ``expected`` names it for messages."""

    fits: Callable[[Any], bool]
    expected: str


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TEXT = Kind(lambda value: isinstance(value, str) and bool(value.strip()), "a text")
TEXTS = Kind(lambda value: isinstance(value, list | tuple) and all(map(TEXT.fits, value)), "a list of texts")
SWITCH = Kind(lambda value: isinstance(value, bool), "true or false")
COUNT = Kind(lambda value: _is_whole(value) and value >= 1, "a whole number of at least 1")
NOT_NEGATIVE = Kind(lambda value: _is_number(value) and 0 <= value < float("inf"), "a number of at least 0")
POSITIVE = Kind(lambda value: _is_number(value) and 0 < value < float("inf"), "a number above 0")
OPTIONS = Kind(
    lambda value: isinstance(value, Mapping) and all(isinstance(name, str) for name in value),
    "options and their values, such as {dtype: int8}",
)
LIST = Kind(lambda value: isinstance(value, list | tuple), "a list")


def checked(mapping: Any, kinds: Mapping[str, Kind], where: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """``mapping`` without the keys that are None; ``where`` it stands is for messages.

    Raises OptionError for an unknown key, a value that does not fit the kind of its key, and a missing key.
    """
    if not isinstance(mapping, Mapping):
        what = where.removesuffix(": ") or "the configuration"
        raise OptionError(f"{what} is {described(mapping)}; expected keys and values")
    for key, value in mapping.items():
        if key not in kinds:
            raise OptionError(f"{where}there is no key {key!r}; expected one of {', '.join(kinds)}")
        if value is not None and not kinds[key].fits(value):
            raise OptionError(f"{where}{key} is {described(value)}; expected {kinds[key].expected}")
    found = {key: value for key, value in mapping.items() if value is not None}
    for key in required:
        if key not in found:
            raise OptionError(f"{where}{key} is missing; expected {kinds[key].expected}")
    return found
