"""Read tokenizer.json with ``tokenizers``, and refuse what would crash the process or fill the memory."""

import binascii
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers

from ..errors import EXPORT, DamagedFileError, EdgeSTError, MissingFileError, UnsupportedModelError
from ..files.reading import check_json_size, read_json
from ..files.regular import is_there

_KINDS = ("BPE", "Unigram", "WordLevel", "WordPiece")
_CHARACTER_MAP = re.compile(rb'"precompiled_charsmap"\s*:\s*"([^"]*)"')
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")
_GROWTH, _PROBED, _REPLACEMENT = 128, 256, 4096


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in ``path``; raises MissingFileError, UnsupportedModelError or DamagedFileError."""
    if not is_there(path):
        raise MissingFileError(
            f"{path} is missing; export the model, which also converts a vocab.txt or a SentencePiece file, {EXPORT}"
        )
    check_json_size(path)
    try:
        with named_panics():
            content = path.read_bytes()
            _check_character_maps(path, content)
            tokenizer = Tokenizer.from_buffer(content)
            _check_growth(path, tokenizer.normalizer)
    except EdgeSTError:
        raise
    except Exception as error:  # tokenizers raises plain Exception
        model = read_json(path).get("model")
        kind = model.get("type") if isinstance(model, dict) else None
        if kind is not None and kind not in _KINDS:
            raise UnsupportedModelError(
                f"{path}: tokenizer type {kind!r}; expected one of {', '.join(_KINDS)}"
            ) from error
        raise DamagedFileError(f"{path} is not a tokenizer ({error}); download or export it again") from error
    return tokenizer


@contextmanager
def named_panics() -> Iterator[None]:
    """Turn a panic of ``tokenizers``, which is no Exception and has no importable class, into a RuntimeError."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(f"the library tokenizers stopped: {error}") from error


def _check_character_maps(path: Path, content: bytes) -> None:
    """Raise DamagedFileError for a map of characters that is shorter than it says: its size would be allocated."""
    if _ESCAPED_LETTER.search(content):  # a key may be spelled in another way
        content = json.dumps(json.loads(content)).encode()
    for found in _CHARACTER_MAP.finditer(content):
        try:
            data = binascii.a2b_base64(found[1], strict_mode=True)
        except binascii.Error:
            data = b""
        size = int.from_bytes(data[:4], "little")
        if len(data) < 4 or size > len(data) - 4:
            raise DamagedFileError(
                f"{path} has a precompiled_charsmap of {len(data)} bytes that says it holds {size}; download or export "
                "it again"
            )


def _check_growth(path: Path, normalizer: Any) -> None:
    """Raise DamagedFileError where replacements make one of their own texts more than 128 times as long."""
    steps = _steps(json.loads(normalizer.__getstate__())) if normalizer is not None else []
    replacing = [step for step in steps if step.get("type") == "Replace"]
    probes = {text for step in replacing for text in (step["content"], *step["pattern"].values())}
    made = [normalizers.Replace(_pattern(step["pattern"]), step["content"]) for step in replacing]
    grown = next(
        (probe for probe in sorted(probes) if len(probe) > _REPLACEMENT or _grows(probe[:_PROBED], made)), None
    )
    if grown is not None:
        raise DamagedFileError(
            f"{path} has a normalizer that makes a text such as {grown[:20]!r} more than {_GROWTH} times as long; "
            "expected replacements that keep a text's size: do not use this model"
        )


def _grows(text: str, steps: list[Any]) -> bool:
    most = max(_GROWTH * len(text), _REPLACEMENT)
    for step in steps:
        text = step.normalize_str(text)
        if len(text) > most:
            return True
    return False


def _steps(description: dict[str, Any]) -> list[dict[str, Any]]:
    if description.get("type") != "Sequence":
        return [description]
    return [step for part in description["normalizers"] for step in _steps(part)]


def _pattern(described: dict[str, str]) -> Any:
    return Regex(described["Regex"]) if "Regex" in described else described["String"]
