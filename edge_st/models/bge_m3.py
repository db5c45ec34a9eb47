"""BGEM3: the inference side of FlagEmbedding's BGEM3FlagModel, all heads of a graph in one pass."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edge_st_runtime.checks import check_count
from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.model.classes import BGE_M3
from edge_st_runtime.model.heads import DENSE, MULTI_VECTOR, SPARSE
from edge_st_runtime.modules.heads import Head, LexicalWeights
from edge_st_runtime.modules.specs import Module

from .all_heads import AllHeads, OfText
from .base import BaseModel
from .inputs import check_text, check_texts
from .pair_scores import as_pairs_of_texts, checked_weights, lexical_score, scores_of
from .processing import CallOptions
from .request import Request

if TYPE_CHECKING:
    from .multi_process import Pool

Encoded: TypeAlias = dict[str, Any]
_MAX_LENGTH = 512
_PAIRS_AT_ONCE = 64


class BGEM3(BaseModel):
    """A model whose graph has a dense, a sparse and a multi-vector head, as BGE-M3's, called as FlagEmbedding calls it.

    The same folder is opened by SentenceTransformer, SparseEncoder and MultiVectorEncoder, each with its head.

    The arguments are those of FlagEmbedding's BGEM3FlagModel, with its defaults, and those that all model classes have.
    ``query_max_length`` and ``passage_max_length`` are limits in tokens. An instruction is put before queries or
    passages by its format.

    Raises WrongClassError for a folder without such heads, FolderError for one that cannot be used, EngineError,
    HubError, and OptionError for an argument with a value that it cannot have.
    """

    _model_type = BGE_M3
    _organization = "BAAI"

    def __init__(
        self,
        model_name_or_path: str | Path | None = None,
        *,
        query_instruction_for_retrieval: str | None = None,
        query_instruction_format: str = "{}{}",
        passage_instruction_for_retrieval: str | None = None,
        passage_instruction_format: str = "{}{}",
        batch_size: int = 256,
        query_max_length: int | None = None,
        passage_max_length: int | None = None,
        return_dense: bool = True,
        return_sparse: bool = False,
        return_colbert_vecs: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(model_name_or_path, **shared)
        check_count("batch_size", batch_size)
        self.batch_size = batch_size
        self.query_max_length = self._length(query_max_length)
        self.passage_max_length = self._length(passage_max_length)
        self.return_dense, self.return_sparse, self.return_colbert_vecs = (
            return_dense,
            return_sparse,
            return_colbert_vecs,
        )
        self._query_instruction = query_instruction_for_retrieval, query_instruction_format
        self._passage_instruction = passage_instruction_for_retrieval, passage_instruction_format

    def encode(
        self,
        sentences: str | Sequence[str],
        batch_size: int | None = None,
        max_length: int | None = None,
        return_dense: bool | None = None,
        return_sparse: bool | None = None,
        return_colbert_vecs: bool | None = None,
        *,
        pool: "Pool | None" = None,
        show_progress_bar: bool | None = None,
    ) -> Encoded:
        """What the heads give for a text, or a list of them, in one pass; None for a head that is not asked.

        - "dense_vecs": (n, dim) float32 of length 1, for a single text (dim,).
        - "lexical_weights": a dictionary for each text, from token ids as str to float32.
        - "colbert_vecs": an array (tokens - 1, dim) float32 for each text, of vectors of length 1, without the first
          token.

        ``max_length`` is the limit in tokens, ``batch_size`` the most texts in a batch, ``pool`` what
        `start_multi_process_pool` gives. Arguments that are None have the constructor's values. A text's vectors do not
        depend on its neighbours.

        Raises InputTypeError or InputError for what is no text, before any work; OptionError for a head that the folder
        lacks, and where no head is asked; TextTooLongError with ``truncation="error"``.
        Source: FlagEmbedding's BGEM3FlagModel.encode.
        """
        texts, single = _texts(sentences, "sentences")
        output = self._asked(
            self.return_dense if return_dense is None else return_dense,
            self.return_sparse if return_sparse is None else return_sparse,
            self.return_colbert_vecs if return_colbert_vecs is None else return_colbert_vecs,
        )
        length = self.passage_max_length if max_length is None else max_length
        request = self._request_for(texts, output, batch_size, length)
        found = self._runner.run(request, pool=pool, show_progress_bar=show_progress_bar)
        return _joined(found, output, self._runner.width, single=single)

    def encode_queries(
        self, queries: str | Sequence[str], batch_size: int | None = None, max_length: int | None = None, **asked: Any
    ) -> Encoded:
        """`encode` with the instruction for queries, to ``query_max_length`` tokens."""
        length = self.query_max_length if max_length is None else max_length
        return self.encode(_instructed(queries, "queries", *self._query_instruction), batch_size, length, **asked)

    def encode_corpus(
        self, corpus: str | Sequence[str], batch_size: int | None = None, max_length: int | None = None, **asked: Any
    ) -> Encoded:
        """`encode` with the instruction for passages, to ``passage_max_length`` tokens."""
        return self.encode(_instructed(corpus, "corpus", *self._passage_instruction), batch_size, max_length, **asked)

    def compute_score(
        self,
        sentence_pairs: Sequence[Any],
        batch_size: int | None = None,
        max_query_length: int | None = None,
        max_passage_length: int | None = None,
        weights_for_different_modes: Sequence[float] | None = None,
    ) -> dict[str, Any] | list[Any]:
        """The scores of pairs (query, passage) by each head, and their weighted means.

        Returns "colbert", "sparse", "dense", "sparse+dense" and "colbert+sparse+dense", each with a list of floats, for
        a single pair with a float; [] for no pairs. ``weights_for_different_modes`` are those of dense, sparse and
        colbert, 1 without them.

        Raises what `encode` raises, and OptionError for other weights than three numbers. FlagEmbedding takes padding
        for a passage's vectors of zeros, so that its "colbert" may be higher for a passage whose similarities are
        negative beside a longer one; here no score depends on the other pairs.
        Source: FlagEmbedding's BGEM3FlagModel.compute_score.
        """
        weights, output = checked_weights(weights_for_different_modes), self._asked(True, True, True)
        pairs, single = as_pairs_of_texts(sentence_pairs)
        if not pairs:
            return []
        lengths = (
            self.query_max_length if max_query_length is None else max_query_length,
            self.passage_max_length if max_passage_length is None else max_passage_length,
        )
        scores: dict[str, list[float]] = {}
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            queries, passages = zip(*pairs[start : start + _PAIRS_AT_ONCE], strict=True)
            asked = self._runner.run(self._request_for(list(queries), output, batch_size, lengths[0]))
            given = self._runner.run(self._request_for(list(passages), output, batch_size, lengths[1]))
            for name, values in scores_of(asked, given, weights).items():
                scores.setdefault(name, []).extend(values.tolist())
        return {name: values[0] for name, values in scores.items()} if single else dict(scores)

    def compute_lexical_matching_score(
        self, lexical_weights_1: Mapping[str, float] | list[Any], lexical_weights_2: Mapping[str, float] | list[Any]
    ) -> Any:
        """The sum of the products of the weights that two texts share; of two lists the score (n, m) of every pair.

        Raises InputError for other inputs. Source: FlagEmbedding's method of this name.
        """
        if isinstance(lexical_weights_1, Mapping) and isinstance(lexical_weights_2, Mapping):
            return lexical_score(lexical_weights_1, lexical_weights_2)
        if isinstance(lexical_weights_1, list) and isinstance(lexical_weights_2, list):
            return np.array([[lexical_score(one, other) for other in lexical_weights_2] for one in lexical_weights_1])
        raise InputError(
            f"lexical weights are a {type(lexical_weights_1).__name__} and a {type(lexical_weights_2).__name__}; "
            "expected the dictionary of a text and another, or a list of them and another"
        )

    def convert_id_to_token(self, lexical_weights: Mapping[str, float] | Sequence[Mapping[str, float]]) -> Any:
        """Lexical weights by token instead of by id; for several texts a list. Source: FlagEmbedding."""
        several = [lexical_weights] if isinstance(lexical_weights, Mapping) else lexical_weights
        decode = self.tokenizer.decode
        found = [
            {decode([int(token)], skip_special_tokens=False): weight for token, weight in weights.items()}
            for weights in several
        ]
        return found[0] if len(found) == 1 else found

    def get_embedding_dimension(self) -> int:
        """The number of dimensions of a dense embedding."""
        return self._runner.width

    def info(self) -> dict[str, Any]:
        """What was loaded and how it runs, as values that JSON can hold."""
        return {**super().info(), "dimension": self.get_embedding_dimension(), "heads": list(self._heads)}

    @property
    def _modules(self) -> tuple[Module, ...]:
        return self._runner.folder.routes[self._runner.main_route].modules

    @property
    def _heads(self) -> list[str]:
        inside = {module.kind for module in self._modules if isinstance(module, Head)}
        return [name for name in (DENSE, SPARSE, MULTI_VECTOR) if name in inside]

    def _asked(self, dense: bool, sparse: bool, colbert: bool) -> AllHeads:
        """What these heads give; raises OptionError for one that the folder lacks, and for none."""
        for head, asked in ((SPARSE, sparse), (MULTI_VECTOR, colbert)):
            if asked and head not in self._heads:
                names = " and ".join(self._heads).replace("_", "-")
                raise OptionError(f"{self._runner.folder.path} has no {head.replace('_', '-')} head; it has {names}")
        if not (dense or sparse or colbert):
            raise OptionError(
                "no head is asked; expected return_dense, return_sparse or return_colbert_vecs to be True"
            )
        skipped = next((module.skipped for module in self._modules if isinstance(module, LexicalWeights)), ())
        return AllHeads(dense, sparse, colbert, skipped)

    def _request_for(self, texts: list[str], output: AllHeads, batch_size: int | None, length: int | None) -> Request:
        limit = {"text": {"max_length": self._length(length)}}
        size = self.batch_size if batch_size is None else batch_size
        return self._request(texts, CallOptions(processing_kwargs=limit), None, "", size, output)

    def _length(self, value: int | None) -> int | None:
        """``value``; without one 512, or the number of the model's positions where that is less."""
        if value is not None:
            check_count("max_length", value)
            return value
        return min(_MAX_LENGTH, self._runner.folder.routes[self._runner.main_route].positions or _MAX_LENGTH)


def _texts(texts: Any, name: str) -> tuple[list[str], bool]:
    """The texts in the argument called ``name``, and whether it was a single one; raises as `check_texts`."""
    if isinstance(texts, str):
        return [check_text(texts, name)], True
    return check_texts(texts, name, "a str or a list of str"), False


def _instructed(texts: Any, name: str, instruction: str | None, form: str) -> str | list[str]:
    """``texts`` after the ``instruction``, put together by ``form``."""
    checked, single = _texts(texts, name)
    if instruction is not None:
        checked = [form.replace("\\n", "\n").format(instruction, text) for text in checked]
    return checked[0] if single else checked


def _joined(found: list[OfText], output: AllHeads, width: int, *, single: bool) -> Encoded:
    rows = np.stack([each.dense for each in found]) if found else np.empty((0, width), dtype=np.float32)
    parts: dict[str, tuple[bool, Any]] = {
        "dense_vecs": (output.dense, rows),
        "lexical_weights": (output.sparse, [each.lexical for each in found]),
        "colbert_vecs": (output.colbert, [each.colbert for each in found]),
    }
    return {name: (part[0] if single else part) if asked else None for name, (asked, part) in parts.items()}
