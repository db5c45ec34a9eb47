"""The ids of an index's rows: checked, and looked up in a snapshot."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge_st_runtime.arrays import Ids
from edge_st_runtime.checks import check_ordered, described
from edge_st_runtime.errors import InputError, InputTypeError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.rows.snapshot import Snapshot, encoded_id
from edge_st_runtime.unicode import check_unicode

Id: TypeAlias = str | int


def new_ids(ids: Iterable[Id]) -> list[Id]:
    """``ids`` of rows in the same order, as a list of str and int.

    Raises InputTypeError for ids without an order or of another type, InputError for an id that occurs twice or holds a
    lone surrogate.
    """
    check_ordered("ids", ids, "expected a list with one for each row")
    checked = check_ids(ids)
    for place, found in enumerate(checked):
        if isinstance(found, str):
            check_unicode(found, f"ids[{place}]")
    return checked


def check_ids(ids: Iterable[Id]) -> list[Id]:
    """``ids`` as a list of str and int.

    Raises InputTypeError for an id of another type, InputError for an id that occurs twice.
    """
    if isinstance(ids, str | bytes | int | Mapping) or not isinstance(ids, Iterable):
        raise InputTypeError(f"ids is {described(ids)}; expected a list, such as [{ids!r:.40}]")
    checked = [_plain_id(found, place) for place, found in enumerate(ids)]
    places: dict[Id, int] = {}
    for place, found in enumerate(checked):
        if places.setdefault(found, place) != place:
            raise InputError(
                f"ids[{places[found]}] and ids[{place}] are both {found!r}; expected a different id for every row"
            )
    return checked


def find_rows(snapshot: Snapshot[Any, Any], checked: Sequence[Id]) -> Ids:
    """The row (n,) of each id of `check_ids`, -1 where there is none."""
    return snapshot.find([encoded_id(found) for found in checked])


def existing_rows(snapshot: Snapshot[Any, Any], checked: Sequence[Id], folder: Path) -> Ids:
    """The row (n,) of each id of `check_ids`; raises InputError for one that the index in ``folder`` does not hold."""
    rows = find_rows(snapshot, checked)
    missing = np.flatnonzero(rows == NO_ROW)
    if len(missing):
        raise InputError(
            f"ids[{missing[0]}] is {checked[missing[0]]!r}, which {folder} does not hold; ids() lists those that it "
            "holds, and find(ids) gives None for others"
        )
    return rows


def check_unused(snapshot: Snapshot[Any, Any], checked: Sequence[Id], *, are_counted: bool) -> None:
    """Raise InputError for an id that is in use; ``are_counted`` says that the caller gave no ids."""
    used = np.flatnonzero(find_rows(snapshot, checked) != NO_ROW)
    if not len(used):
        return
    found = checked[used[0]]
    if are_counted:
        raise InputError(f"ids is None, and the next number, {found}, is in use as an id; pass ids of your own")
    raise InputError(f"ids[{used[0]}] is {found!r}, which the index already holds; change that row with update")


def _plain_id(found: Any, place: int) -> Id:
    """An id as JSON can hold it."""
    if isinstance(found, bool) or not isinstance(found, str | int | np.integer):
        raise InputTypeError(f"ids[{place}] is {found!r:.40} of type {type(found).__name__}; expected str or int")
    return int(found) if isinstance(found, np.integer) else found
