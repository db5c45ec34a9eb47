"""What a tokenizer is to the rest of the runtime: texts or pairs of texts in, token ids out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

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

    def __call__(self, texts: Sequence[TextOrPair], limit: int | None) -> Tokens:
        """The tokens of ``texts``, each cut to ``limit`` (None: no limit). Raises InputError for what is no text."""
        ...

    def counts(self, texts: Sequence[TextOrPair]) -> NDArray[np.int64]:
        """Number of tokens (texts,) of each text untruncated."""
        ...

    def prompt_length(self, prompt: str, limit: int | None) -> int:
        """Tokens that ``prompt`` puts in front of a text.

        Raises OptionError where ``limit`` leaves no room after it.
        """
        ...

    def check_limit(self, limit: int | None) -> None:
        """Raise OptionError where ``limit`` leaves no room for a text."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """What decides the ids, as values that JSON can hold."""
        ...
