"""Tokenize texts as chat messages, for causal language models with a chat template. Jinja2 renders the template.

Source: sentence-transformers' Transformer with the modality "message", and transformers' apply_chat_template.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Ids
from ..errors import DamagedFileError, InputError, MissingFileError, OptionError, PackageMissingError
from ..files.reading import read_optional_json, reading
from ..files.regular import check_size, is_there
from .tokenizer import TextTokenizer
from .tokens import CutsOnTheRight, TextOrPair, Tokens

_FILE = "chat_template.jinja"
_MOST_BYTES = 1 << 20
#: texts of different tokens, so that what both renderings end with belongs to the template
_FILLERS = ("0", "1 2 3 4")
_PROBES = (("query", "document"), ("question", "document"), ("query", "passage"))


class ChatTokenizer(CutsOnTheRight):
    """A tokenizer of chat messages.

    A text is a message with the role "user", a pair are messages with the roles "query" and "document", and a prompt is
    a message with the role "system". Where a text is truncated, its last tokens are replaced by those that the template
    ends with.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        """Read the tokenizer and the template in ``folder``.

        ``settings`` are those of the modality "message", ``arguments`` are passed to the template. Raises
        MissingFileError, DamagedFileError, and PackageMissingError where Jinja2 is not installed.
        """
        self._folder = folder
        self._text = TextTokenizer(folder, special_tokens=False)
        self._structured = settings.get("format", "structured") == "structured"
        self._source = _read_template(folder)
        self._arguments = {name: value for name, value in arguments.items() if name != "restore_suffix"}
        self._restores = bool(arguments.get("restore_suffix", True))
        self._tokens = self._text.special_tokens
        self._template, self._rendered = _compile(self._source, folder)
        self._ending = cache(self._find_ending)
        self.tokenizer, self.size, self.added = self._text.tokenizer, self._text.size, self._text.added
        self.pad_id, self.pad_left = self._text.pad_id, self._text.pad_left
        self.model_max_length = self._text.model_max_length

    def __call__(self, texts: Sequence[TextOrPair], limit: int | None, prompt: str | None = None) -> Tokens:
        """The tokens of each text with its template, truncated to ``limit`` (None: no limit).

        Raises InputError for pairs if the template leaves one of the texts out, and for a text that is not valid
        Unicode.
        """
        if not all(isinstance(text, str) for text in texts):
            self._check_pairs()
        found = self._text([self._render(text, prompt) for text in texts], limit)
        rows, counts = found.ids, found.counts
        if limit is not None:
            rows = [self._cut(row, text, prompt, limit) for row, text in zip(rows, texts, strict=True)]
        return Tokens(rows, None, counts, limit)

    def starts(self, text: str) -> Ids:
        """The character (n,) int64 at which each token of ``text`` begins, in order, without the template."""
        return self._text.starts(text)

    def prompt_length(self, prompt: str, limit: int | None) -> int:
        """0, because sentence-transformers never leaves a system message out of pooling.

        Raises OptionError where the prompt leaves no room for a text.
        """
        if limit is not None and len(self._text([self._render("", prompt)], None).ids[0]) >= limit:
            raise OptionError(
                f"the prompt {prompt[:40]!r} fills max_seq_length ({limit}), so no text would be left; use a shorter "
                "prompt or set a higher max_seq_length"
            )
        return 0

    def check_limit(self, limit: int | None, *, pairs: bool = False) -> None:
        """Raise OptionError where ``limit`` leaves no room for more than the tokens that the template ends with.

        Raises DamagedFileError for a template that renders no text.
        """
        if limit is not None and limit <= len(self._ending(pairs, None)):
            raise OptionError(f"max_seq_length is {limit}; expected more than the tokens that the chat template adds")

    def identity(self) -> Mapping[str, Any]:
        """The identity of the tokenizer, the template and its arguments."""
        own = {"template": self._source, "arguments": self._arguments, "structured": self._structured}
        return {**self._text.identity(), **own, "restores": self._restores}

    def _render(self, text: TextOrPair, prompt: str | None) -> str:
        try:
            return self._rendered_text(text, prompt)
        except Exception as error:  # a template may raise anything
            raise InputError(f"the model's chat template does not accept the text: {error}") from error

    def _rendered_text(self, text: TextOrPair, prompt: str | None) -> str:
        roles = [("user", text)] if isinstance(text, str) else [("query", text[0]), ("document", text[1])]
        if prompt:
            roles.insert(0, ("system", prompt))
        messages = [{"role": role, "content": self._as_content(content)} for role, content in roles]
        given = {"tools": None, "documents": None, "add_generation_prompt": False, **self._tokens, **self._arguments}
        characters = sum(len(content) for _, content in roles)
        return self._rendered(self._template, characters, messages=messages, **given)

    def _as_content(self, text: str) -> Any:
        return [{"type": "text", "text": text}] if self._structured else text

    def _cut(self, row: NDArray[np.int32], text: TextOrPair, prompt: str | None, limit: int) -> NDArray[np.int32]:
        if len(row) < limit:
            return row
        row = row[len(row) - limit :] if self._text.truncate_left else row[:limit]
        ending = self._ending(not isinstance(text, str), prompt)[-limit:] if self._restores else ()
        return np.concatenate((row[: limit - len(ending)], np.array(ending, dtype=np.int32)))

    def _find_ending(self, pair: bool, prompt: str | None) -> tuple[int, ...]:
        """The tokens at the end of the messages that do not depend on the texts."""
        texts = [(filler, filler) if pair else filler for filler in _FILLERS]
        try:
            rendered = [self._rendered_text(text, prompt) for text in texts]
        except Exception as error:
            raise DamagedFileError(
                f"the chat template of {self._folder} renders no {'pair' if pair else 'text'}: {error}; correct it, or "
                "export the model again"
            ) from error
        first, second = (ids.tolist() for ids in self._text(rendered, None).ids)
        shorter = min(len(first), len(second))
        count = next((n for n in range(shorter) if first[-1 - n] != second[-1 - n]), shorter)
        return tuple(first[len(first) - count :]) if 0 < count < shorter else ()

    def _check_pairs(self) -> None:
        """Raise InputError where the template shows only one text of a pair."""
        base, other_query, other_document = (self._render(pair, None) for pair in _PROBES)
        if base in (other_query, other_document):
            raise InputError(
                "the model's chat template does not contain both texts of a pair; expected a template with the roles "
                "query and document: check the chat_template of the original model"
            )


def _read_template(folder: Path) -> str:
    if is_there(folder / _FILE):
        with reading(folder / _FILE):
            check_size(folder / _FILE, _MOST_BYTES, "export the model again")
            return (folder / _FILE).read_text(encoding="utf-8")
    found = read_optional_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(found, list):
        found = next((entry["template"] for entry in found if entry["name"] == "default"), None)
    if not isinstance(found, str):
        raise MissingFileError(f"{folder / _FILE} is missing; export the model again")
    return found


def _compile(source: str, folder: Path) -> Any:
    try:
        from jinja2 import TemplateError

        from .templates import compile_template, render
    except ImportError as error:
        raise PackageMissingError("this model's chat template needs Jinja2; pip install 'edge-st[chat]'") from error
    try:
        return compile_template(source), render
    except (TemplateError, SyntaxError, RecursionError, MemoryError) as error:
        raise DamagedFileError(f"the chat template of {folder} cannot be read: {error}; export it again") from error
