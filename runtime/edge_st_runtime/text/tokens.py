"""The interface of a tokenizer: texts or pairs of texts in, token ids out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Ids
from ..errors import DamagedFileError, OptionError
from .expansion import QueryExpansion

TextOrPair: TypeAlias = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of several texts: ``ids[i]`` is (tokens,) int32.

    ``type_ids`` have the same shapes, or are None where all are 0. ``counts`` (texts,) int64 are the numbers of tokens
    before truncation to ``limit``, including special tokens; of a long text with more than ``limit`` tokens, not all
    are counted. ``expansion`` says how the texts are to be filled up, None where they are not.
    """

    ids: list[NDArray[np.int32]]
    type_ids: list[NDArray[np.int32]] | None
    counts: NDArray[np.int64]
    limit: int | None
    expansion: QueryExpansion | None = None

    @property
    def least(self) -> int:
        """The fewest tokens that a text has once it is filled up."""
        return 0 if self.expansion is None else self.expansion.length


def joined(parts: Sequence[Tokens]) -> Tokens:
    """The tokens of all texts in ``parts``, of which there is at least one; all have the same limit."""
    typed = any(part.type_ids is not None for part in parts)
    return Tokens(
        [ids for part in parts for ids in part.ids],
        [types for part in parts for types in part.type_ids or map(np.zeros_like, part.ids)] if typed else None,
        np.concatenate([part.counts for part in parts]),
        parts[0].limit,
        parts[0].expansion,
    )


def with_prompt(texts: Sequence[TextOrPair], prompt: str | None) -> Sequence[TextOrPair]:
    """The texts with ``prompt`` in front; in a pair, only the first text gets it."""
    if not prompt:
        return texts
    return [prompt + text if isinstance(text, str) else (prompt + text[0], text[1]) for text in texts]


def as_ids(numbers: Sequence[int]) -> NDArray[np.int32]:
    """``numbers``, which a tokenizer gave, as an array (n,); raises DamagedFileError for one beyond int32."""
    try:
        return np.array(numbers, np.int32)
    except OverflowError as error:
        raise DamagedFileError(
            f"tokenizer.json has the token id {max(numbers)}; expected ids below {2**31}: download or export the model "
            "again"
        ) from error


class CutsOnTheRight:
    """The base of tokenizers that leave only the beginning of a long text."""

    def cutting(self, *, left: bool) -> Self:
        """The tokenizer itself; raises OptionError for the left side."""
        if left:
            raise OptionError("this model's tokenizer cannot cut texts on the left; leave out the side, or say 'right'")
        return self


class Tokenizer(Protocol):
    """A tokenizer, which does not change after it was made, so that many threads may call it."""

    @property
    def tokenizer(self) -> Any:
        """The object that users get as ``model.tokenizer``."""
        ...

    @property
    def size(self) -> int:
        """The number of tokens that it knows."""
        ...

    @property
    def pad_id(self) -> int:
        """The id of the token that pads a batch."""
        ...

    @property
    def pad_left(self) -> bool:
        """Whether padding comes before the text."""
        ...

    def __call__(self, texts: Sequence[TextOrPair], limit: int | None, prompt: str | None = None) -> Tokens:
        """The tokens of ``texts``, each after ``prompt`` and truncated to ``limit`` (None: no limit).

        Raises InputError for texts that it cannot tokenize.
        """
        ...

    def cutting(self, *, left: bool) -> "Tokenizer":
        """This tokenizer, but ``left`` says on which side a limit cuts; raises OptionError for one that cannot."""
        ...

    def starts(self, text: str) -> Ids:
        """The character (n,) int64 at which each token of ``text`` begins, in order, without special tokens."""
        ...

    def prompt_length(self, prompt: str, limit: int | None) -> int:
        """The number of tokens before a text that has this ``prompt``.

        Raises OptionError where the prompt leaves no room for a text within ``limit``.
        """
        ...

    def check_limit(self, limit: int | None, *, pairs: bool = False) -> None:
        """Raise OptionError where ``limit`` leaves no room for a text, or for ``pairs`` for two texts."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """All that decides the ids, as values that JSON can hold; it is part of the model's fingerprint."""
        ...
