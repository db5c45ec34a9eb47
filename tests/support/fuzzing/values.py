"""JSON values that a hostile or unlucky writer may leave, and one such change of a document."""

import copy
import random
from collections.abc import Callable
from typing import Any, TypeAlias

Document: TypeAlias = Any
Place: TypeAlias = tuple[Any, Any]  # a list or dictionary, and an index or key in it

NUMBERS = (
    *(0, -1, 1, 7.9, -0.0, 64.0, 2**31 - 1, 2**31, 2**32 + 1, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30),
    *(1e308, float("inf"), float("-inf"), float("nan"), 1e-320, 10**400),
)
TEXTS = (
    *("", "x", "0", "12", "nan", "../../etc/passwd", "/etc/passwd", "a\0b", "\ud800", "é́", "\u202e\x1b[31m", "%s{}"),
    *(
        "C:\\x",
        "torch.nn.modules.activation.ReLU",
        "token_embeddings",
        "model.safetensors",
        "onnx/model.onnx",
        "x" * 9999,
    ),
)


def nested(depth: int) -> Document:
    """A list in a list, ``depth`` times."""
    value: Document = []
    for _ in range(depth):
        value = [value]
    return value


def other_value(chance: random.Random) -> Document:
    """A value of any type and size."""
    kind = chance.randrange(8)
    if kind < 3:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice(TEXTS)
    if kind == 5:
        return chance.choice([None, True, False])
    if kind == 6:
        return chance.choice([[], {}, [[]], [None], ["x"], [1, "a"], {"a": 1}, {"": {}}, {"0": []}, [0] * 3000])
    return nested(chance.choice([1, 30, 400]))


def places(document: Document) -> list[Place]:
    """Every place of ``document`` that holds a value."""
    found: list[Place] = []
    waiting = [document]
    while waiting:
        container = waiting.pop()
        entries = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in list(entries):
            found.append((container, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    return found


def _somewhere(document: Document, chance: random.Random) -> Place:
    """A place, chosen level by level, so that a long vocabulary does not hide the rest."""
    container = document
    while True:
        keys = list(container) if isinstance(container, dict) else range(len(container))
        key = chance.choice(keys)
        inner = container[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.75:
            container = inner
            continue
        return container, key


def _replace(document: Document, place: Place, chance: random.Random) -> None:
    place[0][place[1]] = other_value(chance)


def _remove(document: Document, place: Place, chance: random.Random) -> None:
    del place[0][place[1]]


def _nudge(document: Document, place: Place, chance: random.Random) -> None:
    container, key = place
    value = container[key]
    if isinstance(value, bool):
        container[key] = not value
    elif isinstance(value, int | float):
        container[key] = chance.choice(
            [value + 1, value - 1, -value, value * 2, value * 2**32, _as_float(value), str(value)]
        )
    elif isinstance(value, str):
        container[key] = chance.choice([value + "x", value[:-1], value.upper(), value * 3, [value], {value: value}])
    else:
        container[key] = chance.choice([[value], {"x": value}, 0, []])


def _as_float(value: float) -> float:
    """``value`` as a float, unless it is a whole number beyond all floats."""
    return float(value) if abs(value) < 10**300 else value


def _copy(document: Document, place: Place, chance: random.Random) -> None:
    other, key = _somewhere(document, chance)
    place[0][place[1]] = copy.deepcopy(other[key])


def _rename(document: Document, place: Place, chance: random.Random) -> None:
    container, key = place
    if isinstance(container, dict):
        container[chance.choice([f"{key}x", "", "0", *TEXTS[:8]])] = container.pop(key)
    else:
        container.append(container[key])


CHANGES: tuple[Callable[[Document, Place, random.Random], None], ...] = (
    *(_replace, _replace, _replace, _remove, _nudge, _nudge, _copy, _rename),
)


def change(document: Document, chance: random.Random) -> Document:
    """``document`` with one change; it is replaced whole where it is empty."""
    document = copy.deepcopy(document)
    if not isinstance(document, dict | list) or not document or chance.random() < 0.03:
        return other_value(chance)
    chance.choice(CHANGES)(document, _somewhere(document, chance), chance)
    return document
