"""What an index has to know about its kind of vectors."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.store.rows.index import RowIndex
from edge_st_runtime.store.rows.snapshot import SearchOptions

from ..models.encoder import Encoder


class VectorKind(Protocol):
    """One kind of vectors: how they are checked, computed, stored and searched.

    ``vectors`` are those of several rows or queries as this kind has them in memory: a sequence that can be sliced.
    """

    @property
    def model(self) -> type[Encoder]:
        """The class of models that make such vectors."""
        ...

    @property
    def store(self) -> type[RowIndex[Any, Any]]:
        """The class that keeps them in a folder."""
        ...

    @property
    def portion(self) -> int:
        """How many rows with finished vectors are written at once."""
        ...

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise OptionError for settings that an index of this kind cannot have, such as an unknown precision."""
        ...

    def similarity(self, model: Encoder | None) -> str:
        """The similarity by which an index of ``model``, or one without a model, compares."""
        ...

    def checked(self, embeddings: Any, name: str = "embeddings") -> Any:
        """What a caller gave for several rows, as vectors; raises InputTypeError and InputError, which say ``name``."""
        ...

    def dim(self, vectors: Any) -> int:
        """The number of dimensions of ``vectors``; raises InputError where they have none."""
        ...

    def check_dim(self, vectors: Any, dim: int) -> None:
        """Raise InputError unless all ``vectors`` have ``dim`` dimensions."""
        ...

    def documents(self, model: Encoder, texts: Sequence[str], dim: int) -> Any:
        """The vectors of documents."""
        ...

    def queries(self, model: Encoder, texts: Sequence[str], dim: int) -> Any:
        """The vectors of queries."""
        ...

    def given_queries(self, query: Any, dim: int) -> tuple[Any, bool]:
        """The vectors of one query or of several, as a caller gave them, and whether it was one.

        Raises InputTypeError and InputError.
        """
        ...

    def stored(self, snapshot: Any, vectors: Any) -> Any:
        """``vectors`` as the index with ``snapshot`` stores them."""
        ...

    def search(self, snapshot: Any, queries: Any, top_k: int, wanted: SearchOptions) -> tuple[Floats, Ids]:
        """Scores and rows (queries, k) of the best rows for each query, filled up with minus infinity and -1."""
        ...
