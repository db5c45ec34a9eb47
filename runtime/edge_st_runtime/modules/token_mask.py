"""Which token vectors of a text count. Source: sentence-transformers' MultiVectorMask."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..engines.signature import TOKEN_EMBEDDINGS
from .specs import Features, Widths, checked_width

EXPANSION, TASK = "query_expansion_positions", "task"
QUERY, DOCUMENT = "query", "document"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MultiVectorMask:
    """The ``attention_mask`` becomes the mask (batch, tokens) bool of the token vectors that are scored.

    Of queries the tokens of an expansion count, too. In texts for one of the ``skiplist_tasks``, the tokens
    ``skiplist_words`` do not count; a text without a task is a document. ``keep_only_token_ids`` are the only tokens
    that count in texts that are no queries; None: all. ``skipped_ids`` are the ids of the words, found by `resolved`.
    """

    skiplist_words: tuple[str, ...] = ()
    skiplist_tasks: tuple[str, ...] = (DOCUMENT,)
    keep_only_token_ids: tuple[int, ...] | None = None
    skipped_ids: tuple[int, ...] = ()

    def resolved(self, token_id: Callable[[str], int | None]) -> "MultiVectorMask":
        """The mask for the tokenizer whose ``token_id`` gives the id of a token, None for one that it does not know.

        Words that it does not know are left out, and a warning names them.
        """
        ids = {word: token_id(word) for word in self.skiplist_words}
        unknown = [word for word, found in ids.items() if found is None]
        if unknown:
            _logger.warning(
                "Skiplist words %s are not single vocab tokens for this tokenizer. Dropping them from the skiplist.",
                unknown,
            )
        return replace(self, skipped_ids=tuple(found for found in ids.values() if found is not None))

    def __call__(self, features: Features) -> Features:
        """Replace ``attention_mask``; ``task`` and ``query_expansion_positions`` are read where they are there."""
        ids, mask, task = features["input_ids"], features["attention_mask"].astype(bool), features.get(TASK)
        if task == QUERY and EXPANSION in features:
            mask = mask | features[EXPANSION]
        if self.skipped_ids and (task or DOCUMENT) in self.skiplist_tasks:
            mask = mask & ~np.isin(ids, self.skipped_ids)
        if self.keep_only_token_ids and task != QUERY:
            mask = mask & np.isin(ids, self.keep_only_token_ids)
        return {**features, "attention_mask": mask}

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        checked_width(self, widths, TOKEN_EMBEDDINGS)
        return widths
