"""Checks of arguments that several modules share."""

from collections.abc import ItemsView, Iterable, KeysView, Mapping, Set
from typing import Any

import numpy as np

from .errors import InputTypeError, OptionError


def check_count(name: str, value: Any) -> None:
    """Raise OptionError unless ``value`` is a whole number of at least 1."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise OptionError(f"{name} must be a positive integer, got {value!r}.")


def check_number(name: str, value: Any) -> None:
    """Raise OptionError unless ``value`` is a real number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating) or value != value:
        raise OptionError(f"{name} is {value!r}; expected a number, such as 0.5")


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise OptionError unless ``value`` is one of ``choices``."""
    known = list(choices)
    if value not in known:
        raise OptionError(f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}")


def check_ordered(name: str, items: Any, expected: str) -> None:
    """Raise InputTypeError, which ends with ``expected``, unless ``items`` is an iterable of items in an order.

    A str and bytes are single values; sets have no order by which their items could belong to others.
    """
    if isinstance(items, Set) and not isinstance(items, KeysView | ItemsView):
        raise InputTypeError(f"{name} is {described(items)}, which has no order; {expected}")
    if isinstance(items, str | bytes | bytearray | Mapping) or not isinstance(items, Iterable):
        raise InputTypeError(f"{name} is {described(items)}; {expected}")


def described(value: Any) -> str:
    """The type and the beginning of ``value``, for messages."""
    return "None" if value is None else f"{type(value).__name__} ({value!r:.40})"
