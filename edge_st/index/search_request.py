"""The arguments of a search besides the query."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st_runtime.checks import check_count, check_number
from edge_st_runtime.store.rows.snapshot import SearchOptions, Snapshot

from .filters import Filter, predicate
from .ids import Id, check_ids, existing_rows


@dataclass(frozen=True, eq=False)
class SearchRequest:
    """The arguments as `Index.search` documents them; raises OptionError for a number outside its values.

    ``candidates`` are the rows that are scored exactly; None: as many as the precision needs.
    """

    top_k: int
    filter: Filter | None
    ids: Iterable[Id] | None
    score_threshold: float | None
    candidates: int | None

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)
        if self.score_threshold is not None:
            check_number("score_threshold", self.score_threshold)

    def resolved(self, snapshot: Snapshot[Any, Any], folder: Path) -> SearchOptions:
        """The request in the terms of ``snapshot``, which is that of the index in ``folder``: ids become rows.

        Raises OptionError for an invalid filter, InputError for an id that the index does not hold.
        """
        rows = None if self.ids is None else existing_rows(snapshot, check_ids(self.ids), folder)
        return SearchOptions(predicate(self.filter), rows, self.score_threshold, self.candidates)
