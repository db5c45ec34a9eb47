"""`Retriever`: retrieve many passages fast, rerank the best of them, return the best of these."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np

from edge_st_runtime.checks import check_count, check_ordered, described
from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from edge_st_runtime.search.fusion import reciprocal_rank_fusion
from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.unicode import check_unicode

from ..hub.names import existing_folder
from ..models.base import BaseModel
from ..models.cross_encoder import CrossEncoder
from ..models.inputs import check_text, check_texts
from ..models.multi_vector_encoder import MultiVectorEncoder
from ..models.sentence_transformer import SentenceTransformer
from ..models.sparse_encoder import SparseEncoder
from .methods import DenseSearch, KeywordSearch, MultiVectorSearch, SearchMethod, SparseSearch

Name: TypeAlias = str | Path
Id: TypeAlias = str | int
M = TypeVar("M", bound=BaseModel)
#: passages of each ranking that are fused, and passages that are reranked, unless more are asked for
_FUSED, _CANDIDATES = 100, 50


class Retriever:
    """Passages in memory, found by models of one or several kinds, then reranked.

    Each part is a model, or the folder or name of one; ``sparse`` may also be "bm25" or an empty BM25. Dense embeddings
    and token vectors (``multi_vector``) are compared by the model's own similarity, sparse embeddings by dot product.
    Threads may search at the same time, but not while passages are added.

    Raises OptionError where there is nothing but a reranker, for a reranker with several labels, a sparse model with a
    similarity other than the dot product, and a BM25 that holds texts; and what opening the models raises.
    Source: Nogueira and Cho, Passage Re-ranking with BERT (2019); sentence-transformers' Retrieve & Re-Rank.
    """

    def __init__(
        self,
        dense: SentenceTransformer | Name | None = None,
        sparse: SparseEncoder | BM25 | Name | None = None,
        reranker: CrossEncoder | Name | None = None,
        multi_vector: MultiVectorEncoder | Name | None = None,
    ) -> None:
        if dense is None and sparse is None and multi_vector is None:
            raise OptionError(
                "dense, sparse and multi_vector are all None; expected one at least: "
                "Retriever(SentenceTransformer(), 'bm25')"
            )
        self.dense = _opened("dense", dense, SentenceTransformer)
        self.multi_vector = _opened("multi_vector", multi_vector, MultiVectorEncoder)
        _check_words(sparse)
        if isinstance(sparse, BM25):
            self.sparse: SparseEncoder | BM25 | None = sparse
        else:
            self.sparse = BM25() if sparse == "bm25" else _opened("sparse", sparse, SparseEncoder)
        self.reranker = _opened("reranker", reranker, CrossEncoder)
        if self.reranker is not None and self.reranker.num_labels != 1:
            raise OptionError(f"reranker gives {self.reranker.num_labels} scores a pair; expected a model that gives 1")
        self._methods = list(_methods(self.dense, self.multi_vector, self.sparse))
        self._texts: list[str] = []
        self._ids: list[Id] = []
        self._known: set[Id] = set()

    def __len__(self) -> int:
        return len(self._texts)

    def add(
        self, passages: Sequence[str], ids: Iterable[Id] | None = None, show_progress_bar: bool | None = None
    ) -> None:
        """Append passages; if anything fails, none is added.

        ``ids``, a str or int for each passage, name them in results; None means their positions. Raises, before any
        work, InputTypeError for a passage or id of another type, InputError for a blank passage, for an id that is in
        use or occurs twice, and for too many or too few ids; then what ``encode_document`` of the models raises.
        """
        texts = check_texts(passages, "passages")
        blank = next((place for place, text in enumerate(texts) if not text.strip()), None)
        if blank is not None:
            raise InputError(f"passages[{blank}] is empty, so no query finds it; leave it out")
        new = self._new_ids(ids, len(texts))
        if not texts:
            return
        encoded = [method.encode(texts, show_progress_bar) for method in self._methods]
        # the last method goes first: it alone may raise here, and then nothing was added to the others
        for method, each in zip(reversed(self._methods), reversed(encoded), strict=True):
            method.add(each)
        self._texts += texts
        self._ids += new
        self._known.update(new)

    def candidates(self, query: str, top_k: int = 100) -> list[dict[str, Any]]:
        """The ``top_k`` best passages before reranking: ``{"corpus_id": id, "score": float}``, best first.

        With one of dense, sparse and multi_vector the scores are those of the model or of BM25. With several they are
        those of reciprocal rank fusion of their rankings, each of 100 passages or ``top_k`` if that is more. Sparse
        embeddings and BM25 find no passage that shares nothing with the query. Raises InputTypeError for a query that
        is not a str, InputError for a blank one, and OptionError for ``top_k`` below 1.
        """
        return [{"corpus_id": self._ids[place], "score": score} for place, score in self._find(query, top_k)]

    def search(self, query: str, top_k: int = 10, candidates: int | None = None) -> list[dict[str, Any]]:
        """The ``top_k`` best passages: ``{"corpus_id": id, "score": float, "text": str}``, best first.

        A reranker scores the first ``candidates`` passages (None: 50, or ``top_k`` if that is more), and its scores are
        returned; without one they are those of `candidates`. A passage beyond the reranker's limit is truncated, as in
        CrossEncoder. Raises OptionError for fewer candidates than ``top_k``, and what `candidates` and
        CrossEncoder.rank raise.
        """
        check_count("top_k", top_k)
        candidates = max(_CANDIDATES, top_k) if candidates is None else candidates
        check_count("candidates", candidates)
        if candidates < top_k:
            raise OptionError(f"candidates is {candidates}, fewer than top_k; expected at least {top_k}")
        found = self._find(query, top_k if self.reranker is None else candidates)
        if self.reranker is not None and found:
            ranked = self.reranker.rank(query, [self._texts[place] for place, _ in found], top_k)
            found = [(found[hit["corpus_id"]][0], hit["score"]) for hit in ranked]
        return [{"corpus_id": self._ids[place], "score": score, "text": self._texts[place]} for place, score in found]

    def context(
        self,
        query: str,
        top_k: int = 5,
        candidates: int | None = None,
        max_length: int = 4000,
        length: Callable[[str], int] = len,
        separator: str = "\n\n",
    ) -> str:
        """A context for a language model: at most ``top_k`` whole passages, best first, joined by ``separator``.

        The context has at most ``max_length`` characters, or other units that ``length`` counts, such as tokens:
        ``length=lambda text: len(tokenizer.encode(text))``. It ends before the first passage that does not fit, so that
        no worse passage takes the place of a better one. It is "" where nothing is found. Raises InputError where not
        even the best passage fits, OptionError for ``max_length`` below 1, and what `search` raises.
        """
        check_count("max_length", max_length)
        texts = [hit["text"] for hit in self.search(query, top_k, candidates)]
        context = ""
        for count in range(1, len(texts) + 1):
            longer = separator.join(texts[:count])
            size = length(longer)
            if size > max_length:
                if count > 1:
                    break
                raise InputError(
                    f"the best passage has length {size}, the context may have {max_length}; expected room for one "
                    f"passage at least: set max_length={size}, or add shorter passages"
                )
            context = longer
        return context

    def _find(self, query: str, top_k: int) -> list[tuple[int, float]]:
        """The positions and scores of the best passages before reranking, best first."""
        check_count("top_k", top_k)
        query = check_text(query, "query")
        if not query.strip():
            raise InputError("query is empty; expected a text, such as 'how do I renew the certificate?'")
        if not self._texts:
            return []
        fuses = len(self._methods) > 1
        rankings = [method.search(query, max(top_k, _FUSED) if fuses else top_k) for method in self._methods]
        best = reciprocal_rank_fusion(rankings, top_k=top_k) if fuses else rankings[0]
        return [(hit["corpus_id"], hit["score"]) for hit in best]

    def _new_ids(self, ids: Iterable[Id] | None, count: int) -> list[Id]:
        """The ids of ``count`` new passages; raises what `add` says about ids."""
        start = len(self)
        if ids is not None:
            check_ordered("ids", ids, "expected a list with one for each passage")
        new = [_plain(found) for found in (range(start, start + count) if ids is None else ids)]
        if len(new) != count:
            raise InputError(f"ids has {len(new)} items for {count} passages; expected one for each")
        met = set[Id]()
        for found in new:
            if found in self._known or found in met:
                raise InputError(f"the id {found!r} occurs twice; expected a different id for every passage")
            met.add(found)
        return new


def _methods(
    dense: SentenceTransformer | None, multi_vector: MultiVectorEncoder | None, sparse: SparseEncoder | BM25 | None
) -> Iterable[SearchMethod]:
    if dense is not None:
        yield DenseSearch(dense)
    if multi_vector is not None:
        yield MultiVectorSearch(multi_vector)
    if sparse is not None:
        yield KeywordSearch(sparse) if isinstance(sparse, BM25) else SparseSearch(sparse)


def _check_words(sparse: Any) -> None:
    """Raise OptionError for a name that is nearly "bm25", so that it is not looked for on the Hub."""
    is_near = isinstance(sparse, str) and sparse != "bm25" and sparse.lower().startswith("bm") and "/" not in sparse
    if is_near and existing_folder(sparse) is None:
        raise OptionError(
            f"sparse is {sparse!r}; expected 'bm25', a BM25, a SparseEncoder, or the folder or name of one"
        )


def _opened(part: str, given: Any, kind: type[M]) -> M | None:
    """``given``, opened where it is a folder or name; raises OptionError for another type than these and ``kind``."""
    if given is None or isinstance(given, kind):
        return given
    if not isinstance(given, str | Path):
        raise OptionError(f"{part} is {described(given)}; expected a {kind.__name__}, or a folder or name of one")
    return kind(given)


def _plain(found: Any) -> Id:
    """An id as JSON can hold it; raises InputTypeError for another type."""
    if isinstance(found, bool) or not isinstance(found, str | int | np.integer):
        raise InputTypeError(f"ids holds {found!r:.40} of type {type(found).__name__}; expected str or int")
    if isinstance(found, str):
        check_unicode(found, "an id")
    return int(found) if isinstance(found, np.integer) else found
