"""The tokenizer of a folder that Model2Vec reads, by Model2Vec's rules. Source: the StaticModel of model2vec 0.10."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..files.reading import read_json, read_optional_json, wrong
from .tokenizer import TextTokenizer
from .tokens import CutsOnTheRight, TextOrPair, Tokens, with_prompt

_LIMIT = 512


class Model2VecTokenizer(CutsOnTheRight, TextTokenizer):
    """A tokenizer that leaves out unknown tokens.

    With a limit, a text is first cut to as many characters as that many tokens of the vocabulary's median length have.
    """

    def __init__(self, folder: Path) -> None:
        """Read the tokenizer in ``folder``, and ``max_length`` in its config.json; raises what `TextTokenizer` does."""
        super().__init__(folder, special_tokens=False)
        limit = read_optional_json(folder / "config.json").get("max_length", _LIMIT)
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
            raise wrong("max_length", limit, "a whole number or null")
        self.own_limit = limit
        self._median = int(statistics.median(map(len, self.tokenizer.get_vocab() or [""])))
        self._unknown = _unknown_id(self.tokenizer.model, self._path, self.tokenizer.token_to_id)

    def __call__(self, texts: Sequence[TextOrPair], limit: int | None, prompt: str | None = None) -> Tokens:
        """As `TextTokenizer`. The count of a text that lost characters is beyond the limit."""
        texts = with_prompt(texts, prompt)
        most = sys.maxsize if limit is None else limit * self._median
        found = super().__call__([text[:most] if isinstance(text, str) else text for text in texts], limit)
        lost = np.array([isinstance(text, str) and len(text) > most for text in texts], dtype=bool)
        counts = np.where(lost, np.maximum(found.counts, (limit or 0) + 1), found.counts)
        known = [ids != self._unknown for ids in found.ids]
        types = found.type_ids and [row[own] for row, own in zip(found.type_ids, known, strict=True)]
        ids = [row[own] for row, own in zip(found.ids, known, strict=True)]
        return replace(found, ids=ids, type_ids=types, counts=counts)

    def identity(self) -> Mapping[str, Any]:
        """As `TextTokenizer`, and the unknown token that is left out."""
        return {**super().identity(), "unknown": self._unknown}


def _unknown_id(model: Any, path: Path, token_id: Any) -> int:
    """The id of the unknown token, -1 where there is none."""
    if hasattr(model, "unk_token"):
        found = None if model.unk_token is None else token_id(model.unk_token)
    else:
        found = read_json(path)["model"].get("unk_id")
    return -1 if found is None else int(found)
