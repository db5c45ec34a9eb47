"""What a tokenizer.json would do to texts, found before ``tokenizers`` reads it, which runs its normalizer already."""

import binascii
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tokenizers import Tokenizer

from ..errors import DamagedFileError

_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")
_CHARACTER_MAP = "precompiled_charsmap"
_PARTS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}
_GROWTH, _PROBED, _LONGEST, _STEPS = 128, 256, 4096, 1024
_ANY_TEXT = "a é"
_NO_MODEL = {"type": "WordLevel", "vocab": {}, "unk_token": ""}


def check_budget(path: Path, content: bytes) -> None:
    """Raise DamagedFileError where the tokenizer in ``content`` makes texts much longer, or names gigabytes."""
    described = _described(content)
    normalizers, pre_tokenizers, processors = (_steps(path, described, part) for part in _PARTS)
    _check_character_maps(path, normalizers)
    made = [_normalizer(step) for step in normalizers]
    for text in sorted({_ANY_TEXT, *(text for step in normalizers for text in _texts(step))}):
        if len(text) > _LONGEST or _grows(text[:_PROBED], made):
            _refuse_growth(path, "normalizer", text)
    if _grows(_ANY_TEXT, [_pre_tokenizer(step) for step in pre_tokenizers]):
        _refuse_growth(path, "pre_tokenizer", _ANY_TEXT)
    _check_templates(path, processors)


def _described(content: bytes) -> dict[str, Any]:
    """The description, without the model where that comes last: reading its vocabulary takes long."""
    end = content.find(b'"model"')
    parts_first = all(content.find(b'"%s"' % part.encode(), end) < 0 for part in _PARTS)
    if parts_first and not _ESCAPED_LETTER.search(content):  # a key may be spelled in another way
        try:
            return dict(json.loads(content[:end].rstrip().removesuffix(b",") + b"}"))
        except ValueError:
            pass
    return dict(json.loads(content))


def _steps(path: Path, described: dict[str, Any], part: str) -> list[dict[str, Any]]:
    steps = list(_flat(described.get(part), _PARTS[part]))
    if len(steps) > _STEPS:
        _refuse(path, f"a {part} of {len(steps)} steps", f"at most {_STEPS}")
    return steps


def _flat(described: Any, parts: str) -> Iterator[dict[str, Any]]:
    if not described:
        return
    kind = described.get("type")  # files of old have none
    for part in described.get(parts, ()) if kind in (None, "Sequence") else ():
        yield from _flat(part, parts)
    if kind != "Sequence":
        yield described


def _texts(step: dict[str, Any]) -> Iterator[str]:
    for key, value in step.items():
        if isinstance(value, dict):
            yield from _texts(value)
        elif isinstance(value, str) and key not in ("type", _CHARACTER_MAP):
            yield value


def _check_character_maps(path: Path, steps: list[dict[str, Any]]) -> None:
    """Refuse a map of characters that is shorter than it says, as its size would be allocated, or makes long texts."""
    longest = 1
    for found in (step[_CHARACTER_MAP] for step in steps if _CHARACTER_MAP in step):
        try:
            data = binascii.a2b_base64(found, strict_mode=True)
        except binascii.Error:
            data = b""
        size = int.from_bytes(data[:4], "little")
        if len(data) < 4 or size > len(data) - 4:
            raise DamagedFileError(
                f"{path} has a {_CHARACTER_MAP} of {len(data)} bytes that says it holds {size}; download or export "
                "it again"
            )
        longest *= max(1, *map(len, data[4 + size :].split(b"\0")))
        if longest > _LONGEST:
            _refuse(path, f"a {_CHARACTER_MAP} that makes a character {longest} bytes long", f"at most {_LONGEST}")


def _normalizer(step: dict[str, Any]) -> Callable[[str], list[str]]:
    normalizer = _alone("normalizer", step).normalizer
    return lambda text: [normalizer.normalize_str(text)]


def _pre_tokenizer(step: dict[str, Any]) -> Callable[[str], list[str]]:
    pre_tokenizer = _alone("pre_tokenizer", step).pre_tokenizer
    return lambda text: [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]


def _alone(part: str, step: dict[str, Any]) -> Any:
    return Tokenizer.from_str(json.dumps({"model": _NO_MODEL, part: step}))


def _grows(text: str, steps: list[Callable[[str], list[str]]]) -> bool:
    most, pieces = max(_GROWTH * len(text), _LONGEST), [text]
    for step in steps:
        pieces = [made for piece in pieces for made in step(piece)]
        if sum(map(len, pieces)) > most:
            return True
    return False


def _check_templates(path: Path, processors: list[dict[str, Any]]) -> None:
    """Refuse what repeats a text, or puts long lists of tokens around it: each piece may name the longest list."""
    pieces = tokens = 0
    for step in processors:
        count = max(len(step.get("single", ())), len(step.get("pair", ())))
        lists = step.get("special_tokens", {}).values()
        pieces, tokens = pieces + count, tokens + count * max((len(each["ids"]) for each in lists), default=1)
    if pieces > _GROWTH or tokens > _LONGEST:
        found = f"a post_processor of {pieces} pieces, with up to {tokens} tokens"
        _refuse(path, found, f"at most {_GROWTH} and {_LONGEST}")


def _refuse_growth(path: Path, part: str, text: str) -> NoReturn:
    found = f"a {part} that makes a text such as {text[:20]!r} more than {_GROWTH} times as long"
    _refuse(path, found, "one that keeps a text's size")


def _refuse(path: Path, found: str, expected: str) -> NoReturn:
    raise DamagedFileError(f"{path} has {found}; expected {expected}: do not use this model")
