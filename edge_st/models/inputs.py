"""The inputs of ``encode`` and ``predict``. All of them are checked before any work starts.

Source: sentence-transformers' is_singular_input.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edge_st_runtime.checks import check_ordered, described
from edge_st_runtime.errors import InputError, InputTypeError
from edge_st_runtime.text.tokens import TextOrPair
from edge_st_runtime.unicode import check_unicode

_EXPECTED = "expected a str, or a pair of str such as ('question', 'answer')"


def as_batch(inputs: Any) -> tuple[list[TextOrPair], bool]:
    """The texts or pairs in ``inputs``, and whether it was a single one.

    A str, an array () of str or {"text": str} is one input. A list, a tuple, an array (n,) of str or another sequence
    is a batch. Each of its items is a str or a pair of str.

    Raises InputTypeError, with the position and the type, for the first item that is something else. Raises InputError
    for a pair that is not two texts, and for a text that is not valid Unicode.
    """
    if isinstance(inputs, str | dict):
        return [_item(inputs, None)], True
    if isinstance(inputs, np.ndarray):
        if inputs.ndim == 0 and inputs.dtype.kind == "U":
            return [_item(inputs.item(), None)], True
        if inputs.ndim == 0 or inputs.dtype.kind not in "UO":
            raise InputTypeError(f"inputs is an array of shape {inputs.shape} and dtype {inputs.dtype}; {_EXPECTED}")
        inputs = inputs.tolist()
    if not _is_sequence(inputs):
        raise InputTypeError(
            f"inputs is {described(inputs)}; expected a str or a list of str. Make generators a list()"
        )
    if all(type(item) is str and item.isascii() for item in inputs):
        return list(inputs), False
    return [_item(item, index) for index, item in enumerate(inputs)], False


def is_singular_input(inputs: Any) -> bool:
    """Whether ``inputs`` is a single input: not a list, a tuple, a column, or an array (n, …) of str or objects.

    A list of a chat's messages is a single one, too. Source: sentence-transformers' BaseModel.is_singular_input.
    """
    if isinstance(inputs, np.ndarray):
        return not (inputs.ndim and inputs.dtype.kind in "UO")
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    is_message = isinstance(first, Mapping) and {"role", "content"} <= set(first)
    return is_message or isinstance(inputs, str) or not _is_sequence(inputs)


def is_singular_pair(inputs: Any) -> bool:
    """Whether ``inputs`` is a single pair: a sequence whose first item is no list or tuple, or an array (n,) of texts.

    Source: sentence-transformers' CrossEncoder.is_singular_input.
    """
    if isinstance(inputs, np.ndarray):
        return inputs.dtype.kind not in "UO" or (inputs.size > 0 and inputs.ndim < 2)
    if isinstance(inputs, str) or not _is_sequence(inputs):
        return True
    return len(inputs) > 0 and not isinstance(next(iter(inputs)), list | tuple)


def split_task(inputs: Any) -> tuple[Any, str | None]:
    """The texts and the task of inputs such as {"query": "a text"}, or a list of these.

    Other inputs come back as they are, without a task. Raises InputError for a list with several tasks.
    Source: sentence-transformers' Router.preprocess.
    """
    singular = isinstance(inputs, dict)
    items = [inputs] if singular else inputs
    if not _is_sequence(items) or not len(items):
        return inputs, None
    first = next(iter(items))
    if not isinstance(first, dict) or set(first) == {"text"}:
        return inputs, None
    tasks = {key for item in items if isinstance(item, dict) for key in item}
    if len(tasks) != 1 or not all(isinstance(item, dict) and item for item in items):
        raise InputError(f"inputs name the tasks {sorted(map(str, tasks))}; expected one for all, or task=… and texts")
    (task,) = tasks
    texts = [item[task] for item in items]
    return (texts[0] if singular else texts), task


def checked(inputs: Iterable[Any]) -> Iterator[TextOrPair]:
    """The texts or pairs of any iterable, one by one. Each is checked when its turn comes; raises as `as_batch`."""
    check_ordered("inputs", inputs, "expected an iterable of texts, such as [text]")
    return (_item(item, index) for index, item in enumerate(inputs))


def as_pairs(inputs: Any) -> tuple[list[TextOrPair], bool]:
    """The inputs of a CrossEncoder: the pairs (or single texts) in ``inputs``, and whether it was a single one.

    ("a", "b"), ["a", "b"] and an array of two texts are one pair. A list, a tuple or an array of pairs is a batch.
    Raises what `as_batch` raises. Source: sentence-transformers' CrossEncoder.is_singular_input.
    """
    if isinstance(inputs, np.ndarray) and inputs.ndim:
        inputs = inputs.tolist()
    if not isinstance(inputs, str | dict) and not _is_sequence(inputs):
        raise InputTypeError(
            f"inputs is {described(inputs)}; expected a pair of str such as ('query', 'document'), or a list of pairs: "
            "list(pairs) of a generator, frame.values.tolist() of a DataFrame"
        )
    if _is_sequence(inputs) and not isinstance(inputs, str) and len(inputs):
        if not isinstance(next(iter(inputs)), list | tuple | dict | np.ndarray):
            return [_item(inputs if isinstance(inputs, tuple) else list(inputs), None)], True
        inputs = [item.tolist() if isinstance(item, np.ndarray) else item for item in inputs]
    return as_batch(inputs)


def check_texts(texts: Any, name: str, expected: str = "a list of str") -> list[str]:
    """``texts`` as a list. Raises InputTypeError unless all are str, InputError for one that is not valid Unicode."""
    if isinstance(texts, str | dict) or not (_is_sequence(texts) or isinstance(texts, np.ndarray)):
        raise InputTypeError(f"{name} is {described(texts)}; expected {expected}")
    return [check_text(text, f"{name}[{index}]") for index, text in enumerate(texts)]


def check_text(text: Any, name: str) -> str:
    """``text`` as a plain str. Raises InputTypeError unless it is a str, InputError unless it is valid Unicode."""
    if not isinstance(text, str):
        raise InputTypeError(f"{name} is {described(text)}; expected a str")
    return _text(text, name)


def _item(item: Any, index: int | None) -> TextOrPair:
    where = "inputs" if index is None else f"inputs[{index}]"
    if isinstance(item, dict) and set(item) == {"text"}:
        item = item["text"]
    if isinstance(item, str):
        return _text(item, where)
    if not isinstance(item, list | tuple):
        raise InputTypeError(f"{where} is {described(item)}; {_EXPECTED}")
    if not all(isinstance(text, str) for text in item):
        found = next(text for text in item if not isinstance(text, str))
        raise InputTypeError(f"{where} holds {described(found)}; {_EXPECTED}")
    if len(item) != 2:
        raise InputError(f"{where} is a {type(item).__name__} of {len(item)} texts; {_EXPECTED}")
    return _text(item[0], where), _text(item[1], where)


def _text(text: str, where: str) -> str:
    """``text`` as a plain str. Raises InputError where it cannot be encoded as UTF-8."""
    check_unicode(text, where)
    return str(text)


def _is_sequence(inputs: Any) -> bool:
    """Whether ``inputs`` is a list, a tuple or a column such as a pandas Series; bytes, sets and tables are not."""
    if isinstance(inputs, bytes | bytearray | memoryview):
        return False
    column = hasattr(inputs, "__len__") and hasattr(inputs, "iloc") and getattr(inputs, "ndim", 1) == 1
    return isinstance(inputs, Sequence) or column
