"""What a chat template may spend: seconds, and characters of every value that it makes.

Every loop, call, filter, operator and literal of a template goes through here. Values are measured with all that they
hold, as often as they hold it, so that none can be written out to more than the budget.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from time import monotonic
from typing import Any

from jinja2 import TemplateError

_SECONDS, _CHARACTERS, _TIMES, _ITEM = 5.0, 2**20, 8, 8
_WIDTH = re.compile(r"\d{5}|\*|:[^}]*\{")
_WIDE = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "indent", "wordwrap", "truncate", "tojson"})
_REFUSED = frozenset({"encode", "format_map", "maketrans", "translate"})
_left: ContextVar[tuple[float, int]] = ContextVar("left", default=(float("inf"), _CHARACTERS))


def begin(characters: int) -> None:
    """Start the budget of one rendering, of texts that have so many characters in all."""
    _left.set((monotonic() + _SECONDS, _CHARACTERS + _TIMES * characters))


def tick() -> None:
    """Raise TemplateError after too many seconds."""
    if monotonic() > _left.get()[0]:
        raise TemplateError(f"it takes more than {_SECONDS:g} seconds")


def measured(value: Any) -> Any:
    """``value`` itself; raises TemplateError where all that it holds is too much."""
    check(_size(value, _left.get()[1]))
    return value


def check(size: int) -> None:
    """Raise TemplateError for a value of so many characters."""
    most = _left.get()[1]
    if size > most:
        raise TemplateError(f"it makes more than {most} characters")


def counted(items: Iterable[Any]) -> Iterator[Any]:
    """The items of a loop."""
    for item in items:
        tick()
        yield item


def concat(parts: Iterable[str]) -> str:
    """The parts in one string."""
    found, size = [], 0
    for part in parts:
        tick()
        size += len(part)
        check(size)
        found.append(part)
    return "".join(found)


def joined(parts: Iterable[Any]) -> str:
    """What ``~`` gives."""
    return concat(str(part) for part in parts)


def operate(operator: str, left: Any, right: Any, function: Callable[[Any, Any], Any]) -> Any:
    """``left operator right``, unless the result is too large."""
    tick()
    if operator == "*":
        check(_size_of_product(left, right))
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        check(left.bit_length() * abs(right))
    elif operator == "%" and isinstance(left, str):
        check_format(left, "%", right)
    return measured(function(left, right))


def check_format(form: str, mark: str, given: Any) -> None:
    """Raise TemplateError where ``form`` pads to a great width, or repeats what is ``given`` too often."""
    if _WIDTH.search(form):
        raise TemplateError("it formats with a great width")
    check(len(form) + form.count(mark) * _size(given, _left.get()[1]))


def _size_of_product(left: Any, right: Any) -> int:
    for value, times in ((left, right), (right, left)):
        if isinstance(times, int) and isinstance(value, str | list | tuple):
            return max(0, times) * (len(value) if isinstance(value, str) else _size(value, _left.get()[1]))
    return left.bit_length() + right.bit_length() if isinstance(left, int) and isinstance(right, int) else 0


def called(name: str, subject: Any, arguments: tuple[Any, ...], function: Callable[[], Any]) -> Any:
    """The result of a filter or a method ``name`` of ``subject``, unless it would be too large."""
    tick()
    if name == "replace" and isinstance(subject, str) and len(arguments) > 1:
        old, new = str(arguments[0]), str(arguments[1])
        check(len(subject) + subject.count(old) * len(new))
    elif name == "join" and isinstance(subject, str) and arguments:
        found = list(arguments[0])
        check(_size(found, _left.get()[1]) + len(subject) * len(found))
        function = lambda: subject.join(found)  # noqa: E731
    elif name in _WIDE and any(isinstance(value, int) and value > 1000 for value in arguments):
        raise TemplateError(f"it calls {name} with a great width")
    elif name in _REFUSED:
        raise TemplateError(f"it calls {name}")
    return measured(function())


def _size(value: Any, most: int) -> int:
    """The characters of ``value`` when it is written out, roughly; counted up to ``most``."""
    size, waiting = 0, [value]
    while waiting and size <= most:
        item = waiting.pop()
        size += _ITEM
        if isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, int) and not isinstance(item, bool):
            size += item.bit_length()
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
    return size
