"""Arguments by the names that they had in earlier versions of sentence-transformers."""

import sys
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from edge_st_runtime.errors import OptionError


def renamed(
    caller: str, arguments: Mapping[str, Any], names: Mapping[str, str], without_effect: Collection[str] = ()
) -> dict[str, Any]:
    """``arguments`` under their names of today. Each old name gives a DeprecationWarning.

    ``names`` maps old names to new ones. Where both are given, the new one counts.
    """
    found = dict(arguments)
    for old in [name for name in arguments if name in names or name in without_effect]:
        value = found.pop(old)
        instead = f"is now {names[old]}=…" if old in names else "has no effect"
        warnings.warn(f"{caller}({old}=…) {instead}", DeprecationWarning, stacklevel=_depth_of_caller())
        if old in names:
            found.setdefault(names[old], value)
    return found


def encode_arguments(inputs: Any, kwargs: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The inputs of ``encode``, also where they are called ``sentences``, and the ``task``.

    Raises OptionError for anything else in ``kwargs``.
    """
    given = {} if inputs is None else {"inputs": inputs}
    found = renamed("encode", {**kwargs, **given}, {"sentences": "inputs"})
    inputs, task = found.pop("inputs", None), found.pop("task", None)
    refuse_unknown("encode", found)
    return inputs, task


def refuse_unknown(caller: str, kwargs: Mapping[str, Any]) -> None:
    """Raise OptionError where ``kwargs`` holds anything."""
    if kwargs:
        raise OptionError(f"{caller}() got {sorted(kwargs)}, which this model does not use; see its help()")


def _depth_of_caller() -> int:
    """How many frames above `renamed` the user's own code is, which a warning should point to."""
    frame, depth, package = sys._getframe(1), 1, "edge_st."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame, depth = frame.f_back, depth + 1
    return depth
