"""Texts or pairs of texts → token ids, with ``tokenizers``.

The truncation and padding that are set in ``tokenizer.json`` are switched off when it is read, and the tokenizer does
not change afterwards: the limit is an argument of the call. So many threads can share one tokenizer, and counting
tokens never truncates.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Encoding, Tokenizer, normalizers

from ..arrays import Ids
from ..errors import DamagedFileError, OptionError
from ..files.reading import read_json, read_optional_json, whole_number, wrong
from ..unicode import check_unicode
from .in_parts import ids_in_parts
from .long_texts import Shortener, is_long
from .pairs import PairTemplate, read_template
from .tokenizer_file import named_panics, read_tokenizer
from .tokens import TextOrPair, Tokens, as_ids, with_prompt

_UNSET = 10**18  # transformers writes 1e30 for "no limit"
_BERT_SETTINGS = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "handle_chinese_chars": "tokenize_chinese_chars",
}
_SWITCHED_OFF = ("truncation", "padding")
_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class TextTokenizer:
    """The tokenizer in ``tokenizer.json``, with its special tokens and its sides of padding and truncation."""

    def __init__(self, folder: Path, *, lower_case: bool = False, special_tokens: bool = True) -> None:
        """Read the tokenizer files in ``folder``.

        With ``lower_case`` texts are lower-cased first. With ``special_tokens=False`` no special tokens such as [CLS]
        are added. Raises MissingFileError, DamagedFileError, and UnsupportedModelError for an unknown type.
        """
        self._path = folder / "tokenizer.json"
        self._adds_special_tokens = special_tokens
        self.tokenizer = read_tokenizer(self._path)
        config = read_optional_json(folder / "tokenizer_config.json")
        #: the special tokens by their names in tokenizer_config.json, such as "pad_token"
        self.special_tokens = _named_tokens(config)
        self.added = _add_missing(self.tokenizer, self.special_tokens.values())
        #: the truncation that tokenizer.json has; only static models apply it
        self.own_limit: int | None = (self.tokenizer.truncation or {}).get("max_length")
        self.pad_id = _pad_id(self.tokenizer, self.special_tokens.get("pad_token"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self._normalizer = _set_normalizer(self.tokenizer, config, lower_case)
        self.model_max_length = _limit(config)
        self.pad_left = config.get("padding_side") == "left"
        self.truncate_left = config.get("truncation_side") == "left"
        probe = self._encode(["a"], special_tokens)[0]
        content = [i for i, special in enumerate(probe.special_tokens_mask) if not special]
        self._prefix = content[0] if content else len(probe)
        self._suffix = len(probe) - 1 - content[-1] if content else 0
        self._single_has_types = any(probe.type_ids)
        self._shortener = Shortener(self.tokenizer, self._with_offsets, self.truncate_left)

    def cutting(self, *, left: bool) -> Self:
        """This tokenizer, but ``left`` says on which side a limit cuts."""
        if left == self.truncate_left:
            return self
        found = copy(self)
        found.truncate_left = left
        found._shortener = Shortener(found.tokenizer, found._with_offsets, left)
        return found

    @property
    def size(self) -> int:
        """The number of tokens that it knows, including added ones."""
        return self.tokenizer.get_vocab_size()

    def __call__(self, texts: Sequence[TextOrPair], limit: int | None, prompt: str | None = None) -> Tokens:
        """Tokenize ``texts``, each after ``prompt``, and truncate each to ``limit`` tokens, including special tokens.

        ``limit`` None: no limit. Of a pair, the longer text is truncated first. A text that is in several pairs is
        tokenized once. Of a long text only the part that decides the tokens is tokenized, as `Shortener` says; with no
        limit, one part after the other, as `ids_in_parts` says. Raises InputError for a text that is not valid Unicode.
        """
        texts = with_prompt(texts, prompt)
        if limit is not None:
            texts = self._shortener.shorten(texts, limit)
        single = iter(self._single([text for text in texts if isinstance(text, str)], limit))
        parts = list(dict.fromkeys(part for text in texts if not isinstance(text, str) for part in text))
        own = dict(zip(parts, self._encode(parts, special_tokens=False), strict=True)) if parts else {}
        rows = [
            next(single) if isinstance(text, str) else self._join(own[text[0]], own[text[1]], limit) for text in texts
        ]
        return Tokens(
            [row.ids for row in rows],
            [row.type_ids for row in rows] if parts or self._single_has_types else None,
            np.fromiter((row.tokens for row in rows), dtype=np.int64, count=len(rows)),
            limit,
        )

    def encodings(self, texts: Sequence[str], *, special_tokens: bool = True) -> list[Encoding]:
        """The whole encodings of ``texts``, with the places of tokens, and special ones where the model reads them.

        Raises InputError for a text that is not valid Unicode.
        """
        return [self._encode([text], special_tokens and self._adds_special_tokens)[0] for text in texts]

    def starts(self, text: str) -> Ids:
        """The character (n,) int64 at which each token of ``text`` begins, in order, without special tokens around it.

        Raises InputError for a text that is not valid Unicode.
        """
        offsets = self._encode([text], special_tokens=False)[0].offsets
        return np.maximum.accumulate(np.array([start for start, _ in offsets], dtype=np.int64))

    def prompt_length(self, prompt: str, limit: int | None) -> int:
        """The number of tokens before a text that has this ``prompt``: [CLS] and the prompt's own.

        A special token that closes the prompt does not count.

        Raises OptionError where the prompt leaves no room for a text within ``limit``. Source: sentence-transformers'
        Transformer._get_prompt_length.
        """
        ids = self([prompt], None).ids[0]
        length = len(ids) - (1 if len(ids) and self._is_special(int(ids[-1])) else 0)
        if limit is not None and length >= limit - self._suffix:
            raise OptionError(
                f"the prompt {prompt[:40]!r} has {length} tokens and max_seq_length is {limit}, so no text would be "
                "left; use a shorter prompt or set a higher max_seq_length"
            )
        return length

    def check_limit(self, limit: int | None, *, pairs: bool = False) -> None:
        """Raise OptionError where ``limit`` leaves no room for a text, or for ``pairs`` for a token of each text."""
        special = self._template.size + 1 if pairs else self._prefix + self._suffix
        if limit is not None and limit <= special:
            beside = "a token of each text besides" if pairs else "more than"
            count = special - 1 if pairs else special
            raise OptionError(
                f"max_seq_length is {limit}; expected {beside} the {count} special tokens that this tokenizer adds"
            )

    def identity(self) -> Mapping[str, Any]:
        """tokenizer.json without padding and truncation, which are not applied, and the settings that override it."""
        description = {key: value for key, value in read_json(self._path).items() if key not in _SWITCHED_OFF}
        return {
            "tokenizer": description,
            "added": self.added,
            "normalizer": self._normalizer,
            "truncate_left": self.truncate_left,
        }

    def _encode(self, texts: Sequence[str], special_tokens: bool) -> list[Encoding]:
        try:
            with named_panics():
                if len(texts) == 1:
                    return [self.tokenizer.encode(texts[0], add_special_tokens=special_tokens)]
                return self.tokenizer.encode_batch_fast(texts, add_special_tokens=special_tokens)
        except Exception as error:  # tokenizers raises plain Exception
            for text in texts:
                check_unicode(text, "a text")
            raise DamagedFileError(f"{self._path} cannot tokenize ({error}); download or export it again") from error

    def _with_offsets(self, texts: Sequence[str]) -> list[Encoding]:
        return [self._encode([text], special_tokens=False)[0] for text in texts]

    def _single(self, texts: list[str], limit: int | None) -> "list[_Row]":
        """Each text by itself. All tokens of a long one are found in parts, where nothing is put around them."""
        whole = limit is not None or self._adds_special_tokens or self._single_has_types
        if whole or not any(map(is_long, texts)):
            return [self._cut(encoding, limit) for encoding in self._encode(texts, self._adds_special_tokens)]
        return [
            row for text in texts for row in ([self._in_parts(text)] if is_long(text) else self._single([text], None))
        ]

    def _in_parts(self, text: str) -> "_Row":
        ids = ids_in_parts(text, self._with_offsets)
        return _Row(ids, np.zeros_like(ids), len(ids))

    def _cut(self, encoding: Encoding, limit: int | None) -> "_Row":
        """The special tokens of a text, and as many of its own tokens as there is room for."""
        ids, types, count = as_ids(encoding.ids), as_ids(encoding.type_ids), len(encoding)
        if limit is None or count <= limit:
            return _Row(ids, types, count)
        start = self._prefix if self.truncate_left else limit - self._suffix
        dropped = slice(start, start + count - limit)
        return _Row(np.delete(ids, dropped), np.delete(types, dropped), count)

    def _join(self, first: Encoding, second: Encoding, limit: int | None) -> "_Row":
        template = self._template
        texts = as_ids(first.ids), as_ids(second.ids)
        return _Row(*template.join(*texts, limit, self.truncate_left), len(first) + len(second) + template.size)

    @cached_property
    def _template(self) -> PairTemplate:
        return read_template(self._encode_pair)

    def _encode_pair(self, first: str, second: str) -> Encoding:
        try:
            with named_panics():
                return self.tokenizer.encode(first, second, add_special_tokens=self._adds_special_tokens)
        except Exception as error:  # tokenizers raises plain Exception
            raise DamagedFileError(
                f"{self._path} cannot tokenize a pair ({error}); download or export it again"
            ) from error

    def _is_special(self, token_id: int) -> bool:
        added = self.tokenizer.get_added_tokens_decoder().get(token_id)
        return added is not None and added.special


class _Row(NamedTuple):
    ids: NDArray[np.int32]
    type_ids: NDArray[np.int32]
    tokens: int


def _named_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    named = {name: config[name] for name in _SPECIAL_TOKENS if config.get(name)}
    return {name: _content(name, token) for name, token in named.items()}


def _content(name: str, token: Any) -> str:
    content = token.get("content") if isinstance(token, dict) else token
    if not isinstance(content, str):
        raise wrong(name, token, "a text, or an object with its content")
    return content


def _pad_id(tokenizer: Tokenizer, pad_token: str | None) -> int:
    found = tokenizer.token_to_id(pad_token) if pad_token else None
    return found if found is not None else int((tokenizer.padding or {}).get("pad_id", 0))


def _add_missing(tokenizer: Tokenizer, tokens: Iterable[str]) -> list[str]:
    """Add the special tokens that only tokenizer_config.json names, as transformers does; return those added."""
    missing = [content for content in dict.fromkeys(tokens) if tokenizer.token_to_id(content) is None]
    tokenizer.add_special_tokens([AddedToken(content, special=True) for content in missing])
    return missing


def _set_normalizer(tokenizer: Tokenizer, config: Mapping[str, Any], lower_case: bool) -> dict[str, Any]:
    """Change the normalizer as transformers' BertTokenizerFast and sentence-transformers' Transformer do.

    Returns the settings that were changed.
    """
    normalizer = tokenizer.normalizer
    found: dict[str, Any] = {"lower_case": lower_case}
    if isinstance(normalizer, normalizers.BertNormalizer) and "Bert" in str(config.get("tokenizer_class")):
        for name, key in _BERT_SETTINGS.items():
            found[name] = config.get(key, getattr(normalizer, name))
            setattr(normalizer, name, found[name])
        tokenizer.normalizer = normalizer
    if lower_case:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Lowercase(), *([normalizer] if normalizer is not None else [])]
        )
    return found


def _limit(config: Mapping[str, Any]) -> int | None:
    value = config.get("model_max_length")
    known = isinstance(value, int | float) and value < _UNSET
    return whole_number(config, "model_max_length") if known else None
