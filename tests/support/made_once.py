"""Folders that are made once a session, however many processes run its tests."""

import copyreg
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import pytest
from filelock import FileLock

#: (name, make): what ``make`` returned for a folder of this name, which nobody may change afterwards
MadeOnce: TypeAlias = Callable[[str, Callable[[Path], Any]], Any]


def _read_only(mapping: dict[Any, Any]) -> "MappingProxyType[Any, Any]":
    return MappingProxyType(mapping)


# what an export tried for int8 has some, and they have no pickles of their own
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))


def made_once(factory: pytest.TempPathFactory) -> MadeOnce:
    """A function that calls ``make`` with an empty folder in the first process that asks for ``name``.

    The other processes wait for it. All get what it returned, through a pickle.
    """
    own = factory.getbasetemp()
    # processes of pytest-xdist have folders of their own beside each other
    common = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "made_once"
    common.mkdir(exist_ok=True)

    def get(name: str, make: Callable[[Path], Any]) -> Any:
        folder, result = common / name, common / f"{name}.pickle"
        with FileLock(common / f"{name}.lock"):
            if not result.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                result.write_bytes(pickle.dumps(make(folder)))
            return pickle.loads(result.read_bytes())

    return get
