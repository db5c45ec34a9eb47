"""Arguments by the names that they had in earlier versions of sentence-transformers."""

import sys
import warnings
from collections.abc import Collection, Mapping
from typing import Any


def renamed(
    caller: str, arguments: Mapping[str, Any], names: Mapping[str, str], without_effect: Collection[str] = ()
) -> dict[str, Any]:
    """``arguments`` by today's ``names``, with a DeprecationWarning for each old one; a new name given wins."""
    found = dict(arguments)
    for old in [name for name in arguments if name in names or name in without_effect]:
        value = found.pop(old)
        instead = f"is now {names[old]}=…" if old in names else "has no effect"
        warnings.warn(f"{caller}({old}=…) {instead}", DeprecationWarning, stacklevel=_depth_of_caller())
        if old in names:
            found.setdefault(names[old], value)
    return found


def _depth_of_caller() -> int:
    """How many frames above `renamed` the package was called: there a warning is of use."""
    frame, depth, package = sys._getframe(1), 1, "edge_st."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame, depth = frame.f_back, depth + 1
    return depth
