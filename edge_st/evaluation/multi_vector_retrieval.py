"""Retrieval with token vectors, alone and on the datasets of NanoBEIR."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import OptionError
from edge_st_runtime.vectors.similarity import TOKEN_FUNCTIONS, SimilarityFunction

from .evaluator import Metrics
from .information_retrieval import InformationRetrievalEvaluator, ScoreFunctions
from .multi_vector import MultiVectorEvaluator, check_not_truncated
from .nano_beir import NanoBEIREvaluator

logger = logging.getLogger(__name__)


class MultiVectorInformationRetrievalEvaluator(MultiVectorEvaluator, InformationRetrievalEvaluator):
    """`InformationRetrievalEvaluator` for token vectors.

    The token vectors of ``corpus_chunk_size`` documents are in memory at once. ``chunk_elements`` bounds what their
    scores take, as in `edge_st.util.maxsim`. ``score_functions`` map the queries, a padded array (n, tokens, dim), and
    a list of documents to scores (n, m). ``kwargs`` are the other arguments of `InformationRetrievalEvaluator`.

    Raises OptionError for ``chunk_elements`` beside ``score_functions`` and for a ``truncate_dim``. Source:
    sentence-transformers' class of this name.
    """

    def __init__(
        self,
        queries: Mapping[str, str],
        corpus: Mapping[str, str],
        relevant_docs: Mapping[str, set[str]],
        *,
        corpus_chunk_size: int = 5000,
        chunk_elements: int | None = None,
        score_functions: ScoreFunctions | None = None,
        **kwargs: Any,
    ) -> None:
        if chunk_elements is not None:
            check_count("chunk_elements", chunk_elements)
            if score_functions is not None:
                raise OptionError(
                    "chunk_elements is for the model's own score function, but there are score_functions; give it to "
                    "yours instead: functools.partial(edge_st.util.maxsim, chunk_elements=...)"
                )
        self.chunk_elements = chunk_elements
        super().__init__(queries, corpus, relevant_docs, corpus_chunk_size, score_functions=score_functions, **kwargs)

    def __call__(
        self,
        model: Any,
        output_path: str | Path | None = None,
        epoch: int = -1,
        steps: int = -1,
        *args: Any,
        **kwargs: Any,
    ) -> Metrics:
        """As in `InformationRetrievalEvaluator`; a warning tells of prompts that take the place of the model's own."""
        _warn_of_replaced("query_prompt", self.query_prompt, model, ("query",))
        _warn_of_replaced("corpus_prompt", self.corpus_prompt, model, ("document", "passage", "corpus"))
        return super().__call__(model, output_path, epoch, steps, *args, **kwargs)

    def embed_inputs(
        self, model: Any, sentences: Sequence[str], encode_fn_name: str | None = None, **kwargs: Any
    ) -> Any:
        """A list of token vectors (tokens, dim); those of queries are a padded array (n, tokens, dim)."""
        found = super().embed_inputs(model, sentences, encode_fn_name, **kwargs)
        return _padded(found) if encode_fn_name == "query" else found

    def _functions_of(self, model: Any) -> ScoreFunctions:
        name = model.similarity_fn_name
        score: Any = TOKEN_FUNCTIONS[SimilarityFunction(name)][0]
        return {name: partial(score, chunk_elements=self.chunk_elements)}


class MultiVectorNanoBEIREvaluator(NanoBEIREvaluator):
    """`NanoBEIREvaluator` for token vectors; see `MultiVectorInformationRetrievalEvaluator`.

    Source: sentence-transformers' class of this name.
    """

    information_retrieval_class = MultiVectorInformationRetrievalEvaluator

    def __init__(
        self, *args: Any, corpus_chunk_size: int = 5000, chunk_elements: int | None = None, **kwargs: Any
    ) -> None:
        check_not_truncated(kwargs.get("truncate_dim"))
        self._chunks = {"corpus_chunk_size": corpus_chunk_size, "chunk_elements": chunk_elements}
        super().__init__(*args, **kwargs)

    @property
    def _more_options(self) -> dict[str, Any]:
        return self._chunks


def _padded(embeddings: Sequence[Floats]) -> Floats:
    """Token vectors of several texts as one array (n, longest, dim), filled up with zeros."""
    found = np.zeros((len(embeddings), max(map(len, embeddings)), embeddings[0].shape[1]), dtype=np.float32)
    for row, each in zip(found, embeddings, strict=True):
        row[: len(each)] = each
    return found


def _warn_of_replaced(option: str, prompt: str | None, model: Any, sides: Sequence[str]) -> None:
    """Say that ``prompt`` takes the place of the model's own prompt of the first of ``sides`` that it has."""
    if prompt is None:
        return
    side = next((side for side in sides if side in model.prompts), None)
    own = "" if side is None else model.prompts[side]
    if own and not prompt.startswith(own):
        logger.warning(
            "%s takes the place of the model's own prompt %r for %r; begin it with that prompt to keep the model's.",
            option,
            own,
            side,
        )
