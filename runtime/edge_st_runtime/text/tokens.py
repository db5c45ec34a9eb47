"""What a tokenizer is to the rest of the runtime: texts or pairs of texts in, token ids out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Ids

TextOrPair: TypeAlias = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of some texts: ``ids[i]`` (tokens,) int32; ``type_ids`` the same or None where all are 0.

    ``counts`` (texts,) int64 are the numbers of tokens before truncation to ``limit``, special tokens included.
    """

    ids: list[NDArray[np.int32]]
    type_ids: list[NDArray[np.int32]] | None
    counts: NDArray[np.int64]
    limit: int | None


def with_prompt(texts: Sequence[TextOrPair], prompt: str | None) -> Sequence[TextOrPair]:
    """The texts with ``prompt`` in front; of a pair only the first text gets it."""
    if not prompt:
        return texts
    return [prompt + text if isinstance(text, str) else (prompt + text[0], text[1]) for text in texts]


class Tokenizer(Protocol):
    """Safe to call from many threads: what decides the ids is set once."""

    @property
    def tokenizer(self) -> Any:
        """What users see as ``model.tokenizer``."""
        ...

    @property
    def size(self) -> int:
        """Number of tokens that it knows."""
        ...

    @property
    def pad_id(self) -> int:
        """The token that fills a batch up."""
        ...

    @property
    def pad_left(self) -> bool:
        """Whether texts stand at the end of a batch's rows."""
        ...

    def __call__(self, texts: Sequence[TextOrPair], limit: int | None, prompt: str | None = None) -> Tokens:
        """The tokens of ``texts``, each after ``prompt`` and cut to ``limit`` (None: no limit).

        Raises InputError for what is no text.
        """
        ...

    def starts(self, text: str) -> Ids:
        """The character (n,) at which each token of ``text`` begins, in order; those around it do not count."""
        ...

    def prompt_length(self, prompt: str, limit: int | None) -> int:
        """Tokens that ``prompt`` puts in front of a text.

        Raises OptionError where ``limit`` leaves no room after it.
        """
        ...

    def check_limit(self, limit: int | None, *, pairs: bool = False) -> None:
        """Raise OptionError where ``limit`` leaves no room for a text or, for ``pairs``, for two."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """What decides the ids, as values that JSON can hold."""
        ...
