"""What a model gives for the texts of a request, and how many tokens of them it has read."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.text.tokens import TextOrPair, with_prompt
from edge_st_runtime.vectors.sparse import SparseMatrix

from ..models.classes import Model
from ..models.cross_encoder import CrossEncoder
from ..models.prompts import resolve_prompt
from ..models.sentence_transformer import SentenceTransformer
from ..models.sparse_encoder import SparseEncoder
from .fields import NoSuchTaskError, RequestError

_Class = TypeVar("_Class", SentenceTransformer, CrossEncoder, SparseEncoder)
_TASKS = {SentenceTransformer: "gives embeddings", CrossEncoder: "reranks", SparseEncoder: "gives sparse embeddings"}


class Counts(NamedTuple):
    """The tokens (n,) int64 of each text with its prompt, and the ``limit`` to which the model cuts them."""

    tokens: NDArray[np.int64]
    limit: float

    @property
    def read(self) -> int:
        """The tokens of all texts that the model has read."""
        return int(np.minimum(self.tokens, self.limit).sum())

    @property
    def truncated(self) -> list[int]:
        """The places of the texts that are cut."""
        return np.flatnonzero(self.tokens > self.limit).tolist()


def count(model: Model, texts: Sequence[TextOrPair], prompt_name: str | None = None) -> Counts:
    """Count the tokens of ``texts``; raises OptionError for an unknown prompt."""
    prompt = resolve_prompt(model.prompts, model.default_prompt_name, prompt_name, None)
    limit = model.max_seq_length
    tokens = np.asarray(model.count_tokens(list(with_prompt(texts, prompt))), dtype=np.int64)
    return Counts(tokens, float("inf") if limit is None else limit)


def refuse_long(model: Model, texts: Sequence[TextOrPair], name: str, prompt_name: str | None = None) -> None:
    """Raise RequestError for the first of ``texts`` that the model would cut; ``name`` is their field."""
    counts = count(model, texts, prompt_name)
    for place in counts.truncated:
        raise RequestError(
            f"`{name}` must have at most {counts.limit} tokens; text {place} has {counts.tokens[place]}: shorten it, "
            "or leave out `truncate`",
            name,
        )


def embed(
    model: Model, texts: list[str], *, normalize: bool, dimensions: int | None, prompt_name: str | None = None
) -> Floats:
    """Embeddings (n, dim) float32, cut to ``dimensions`` before they are normalized.

    Raises NoSuchTaskError for a model of another class, RequestError for more dimensions than it has, and what
    `SentenceTransformer.encode` raises.
    """
    model = _of_class(model, SentenceTransformer)
    width = model.get_embedding_dimension()
    if dimensions is not None and dimensions > width:
        raise RequestError(f"`dimensions` is {dimensions}; this model has {width}", "dimensions")
    found: Floats = model.encode(
        texts,
        prompt_name=prompt_name,
        normalize_embeddings=normalize,
        truncate_dim=dimensions,
        show_progress_bar=False,
    )
    return found


def embed_sparse(model: Model, texts: list[str], prompt_name: str | None = None) -> SparseMatrix:
    """Sparse embeddings; raises NoSuchTaskError, and what `SparseEncoder.encode` raises."""
    found: SparseMatrix = _of_class(model, SparseEncoder).encode(
        texts, prompt_name=prompt_name, show_progress_bar=False
    )
    return found


def score(model: Model, query: str, texts: list[str], *, raw: bool) -> Floats:
    """The relevance (n,) float32 of ``texts`` to ``query``: the logits where ``raw``, else their sigmoid.

    Raises NoSuchTaskError for a model of another class or with several labels, and what `CrossEncoder.predict` raises.
    """
    model = _of_class(model, CrossEncoder)
    if model.num_labels != 1:
        raise NoSuchTaskError(f"the model classifies pairs into {model.num_labels} labels; reranking needs one score")
    activation = "identity" if raw else "sigmoid"
    pairs = [(query, text) for text in texts]
    found: Floats = model.predict(pairs, activation_fn=activation, show_progress_bar=False)
    return found


def best_first(scores: Floats) -> list[int]:
    """The places of ``scores`` (n,), highest first; equal ones stay in their order."""
    return np.argsort(-scores, kind="stable").tolist()


def _of_class(model: Model, wanted: type[_Class]) -> _Class:
    if not isinstance(model, wanted):
        raise NoSuchTaskError(f"the model is a {type(model).__name__}; this request needs one that {_TASKS[wanted]}")
    return model
