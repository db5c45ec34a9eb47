"""Checks of arguments that several modules share."""

from typing import Any

import numpy as np

from .errors import OptionError


def check_count(name: str, value: Any) -> None:
    """Raise OptionError unless ``value`` is a whole number of at least 1."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise OptionError(f"{name} must be a positive integer, got {value!r}.")
