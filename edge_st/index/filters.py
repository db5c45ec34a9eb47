"""Filters on metadata: the rows that a search may find."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from edge_st_runtime.checks import described
from edge_st_runtime.errors import OptionError

from .rows import Metadata

Filter: TypeAlias = Mapping[str, Any] | Callable[[Metadata], bool]
Predicate: TypeAlias = Callable[[Metadata], bool]
_JSON = (str, int, float, bool, type(None), list, dict)


def predicate(filter: Filter | None) -> Predicate | None:  # noqa: A002 - the field's name
    """A function that says whether a row's metadata pass ``filter``; None where every row passes.

    Raises OptionError for a filter that is neither a dictionary nor a function, and for values that JSON cannot hold.
    """
    if filter is None or callable(filter):
        return filter
    if not isinstance(filter, Mapping):
        raise OptionError(
            f"filter is {described(filter)}; expected a dictionary such as {{'lang': 'en'}}, or a function"
        )
    allowed = {
        key: list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
        for key, value in filter.items()
    }
    for key, values in allowed.items():
        if not isinstance(key, str) or not all(isinstance(value, _JSON) for value in values):
            raise OptionError(
                f"filter has {key!r}: {filter[key]!r:.40}; expected keys that are str and values that JSON can hold"
            )
    return lambda metadata: all(key in metadata and metadata[key] in values for key, values in allowed.items())
