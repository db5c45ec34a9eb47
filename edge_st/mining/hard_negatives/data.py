"""Pairs of queries and positives, read from columns or rows of plain data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.checks import check_ordered
from edge_st_runtime.errors import InputError, InputTypeError, OptionError

from ...models.inputs import check_texts

Column: TypeAlias = Callable[[str], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Queries and texts, each once, and which texts are positives of which query.

    ``anchor`` and ``positive`` are the names of the columns they come from, ``rows`` is the length of the columns, and
    ``max_positives`` the number of rows of the query that has most. Equal rows are one pair; the pairs are in the order
    of the queries. Pair i is query ``owners[i]`` with text ``texts[i]``, both (pairs,) int64.
    """

    anchor: str
    positive: str
    rows: int
    max_positives: int
    queries: list[str]
    corpus: list[str]
    owners: NDArray[np.int64]
    texts: NDArray[np.int64]


def read_pairs(dataset: Any, anchor: str | None, positive: str | None, corpus: Sequence[str] | None) -> Pairs:
    """The pairs in two columns of ``dataset``; the corpus is ``corpus``, then the positives that are not in it.

    Raises OptionError for unknown columns, InputError for an empty dataset or columns of different lengths,
    InputTypeError for other types of data, or of texts.
    """
    names, column = _columns(dataset)
    anchor, positive = _name("anchor", anchor, names, 0), _name("positive", positive, names, 1)
    if anchor == positive:
        raise OptionError(f"anchor and positive are both the column {anchor!r}; name two of {names}")
    queries, positives = _texts(column, anchor), _texts(column, positive)
    if len(queries) != len(positives):
        raise InputError(
            f"column {anchor!r} has {len(queries)} rows, {positive!r} has {len(positives)}; expected the same number"
        )
    if not queries:
        raise InputError("The dataset is empty. Please provide a non-empty dataset.")
    others = [] if corpus is None else check_texts(list(corpus) if not isinstance(corpus, str) else corpus, "corpus")
    places = {text: place for place, text in enumerate(dict.fromkeys([*others, *positives]))}
    owned: dict[str, dict[int, None]] = {}
    counts: dict[str, int] = {}
    for query, text in zip(queries, positives, strict=True):
        owned.setdefault(query, {})[places[text]] = None
        counts[query] = counts.get(query, 0) + 1
    owners = np.repeat(np.arange(len(owned)), [len(texts) for texts in owned.values()])
    texts = np.array([place for texts in owned.values() for place in texts], dtype=np.int64)
    return Pairs(anchor, positive, len(queries), max(counts.values()), list(owned), list(places), owners, texts)


def _texts(column: Column, name: str) -> list[str]:
    values = column(name)
    check_ordered(name, values, "expected a list of str")
    return check_texts(list(values), name)


def _columns(dataset: Any) -> tuple[list[str], Column]:
    """The names of the columns, and a function that returns the values of one."""
    names = getattr(dataset, "column_names", None)
    if isinstance(names, Mapping):
        raise InputTypeError(f"dataset has the splits {list(names)}; pass one of them: dataset[{next(iter(names))!r}]")
    if names is not None:
        return list(names), lambda name: dataset[name]
    if isinstance(dataset, Mapping):
        return list(dataset), lambda name: dataset[name]
    if isinstance(dataset, list | tuple) and all(isinstance(row, Mapping) for row in dataset):
        if not dataset:
            raise InputError("The dataset is empty. Please provide a non-empty dataset.")
        return list(dataset[0]), lambda name: [_value(row, name, place) for place, row in enumerate(dataset)]
    raise InputTypeError(
        f"dataset is {type(dataset).__name__}; expected a dictionary of columns, a list of dictionaries or a "
        "datasets.Dataset; of a DataFrame frame.to_dict('list')"
    )


def _value(row: Mapping[str, Any], name: str, place: int) -> Any:
    if name not in row:
        raise InputError(f"dataset[{place}] has {list(row)}, but no {name!r}; expected the same columns in every row")
    return row[name]


def _name(what: str, given: str | None, names: list[str], place: int) -> str:
    if given is not None:
        if given not in names:
            raise OptionError(f"{what}_column_name is {given!r}; the dataset has the columns {names}")
        return given
    if len(names) <= place:
        raise OptionError(f"the dataset has the columns {names}; expected one of queries and one of positives")
    return names[place]
