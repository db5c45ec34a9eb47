"""Read tokenizer.json with ``tokenizers``, and refuse what would crash the process or fill the memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenizers import Tokenizer

from ..errors import EXPORT, DamagedFileError, EdgeSTError, MissingFileError, UnsupportedModelError
from ..files.reading import check_json_size, read_json
from ..files.regular import is_there
from .tokenizer_budget import check_budget

_KINDS = ("BPE", "Unigram", "WordLevel", "WordPiece")


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
            check_budget(path, content)
            tokenizer = Tokenizer.from_buffer(content)
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
