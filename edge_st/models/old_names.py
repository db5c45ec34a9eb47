"""Names that arguments and methods had in earlier versions of sentence-transformers. It logs them, and so does this."""

import logging
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

logger = logging.getLogger(__name__)


@cache
def deprecated(message: str) -> None:
    """Log ``message`` as a warning, once in a process."""
    logger.warning(message)


def renamed(
    caller: str, arguments: Mapping[str, Any], names: Mapping[str, str], without_effect: Collection[str] = ()
) -> dict[str, Any]:
    """``arguments`` under their names of today. Each old name is logged once.

    ``names`` maps old names to new ones. Where both are given, the new one counts.
    """
    found = dict(arguments)
    for old in [name for name in arguments if name in names or name in without_effect]:
        value = found.pop(old)
        if old in names:
            deprecated(f"The `{old}` argument was renamed and is now deprecated. Please use `{names[old]}` instead.")
            found.setdefault(names[old], value)
        else:
            deprecated(f"The {caller} `{old}` argument is deprecated and has no effect.")
    return found


def named_inputs(caller: str, inputs: Any, kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The inputs of ``caller``, also where they are called ``sentences``, and the other ``kwargs``."""
    given = {} if inputs is None else {"inputs": inputs}
    found = renamed(caller, {**kwargs, **given}, {"sentences": "inputs"})
    return found.pop("inputs", None), found
