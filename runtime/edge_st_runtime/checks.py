"""Checks of arguments that several modules share."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import OptionError


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
