"""Write a folder atomically: it appears whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_st_runtime.errors import NotAFolderError, OptionError

_MARKS = ("edge_st.json", "modules.json", "config.json")


@contextmanager
def new_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """A temporary folder beside ``target``, which replaces it when the block ends without an exception.

    After an exception, Ctrl-C included, ``target`` is as it was. Raises what `check_target` raises.
    """
    check_target(target, force=force)
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        folder = Path(temporary) / "model"
        folder.mkdir()
        yield folder
        _make_readable(folder)
        check_target(target, force=force)
        _replace(target, folder, Path(temporary) / "replaced")


def check_target(target: Path, *, force: bool) -> None:
    """Raise NotAFolderError for a file, OptionError for a folder that may not be replaced.

    Even ``force`` replaces model folders only, so that a typing error does not delete a home directory.
    """
    if target.exists() and not target.is_dir():
        raise NotAFolderError(f"{target} is a file; choose the name of a folder to write the model to")
    if not target.exists() or not any(target.iterdir()):
        return
    if not force:
        raise OptionError(f"{target} exists; choose another folder, or replace it with force=True (--force)")
    if not any((target / mark).is_file() for mark in _MARKS):
        raise OptionError(f"{target} holds files but no model, so it is not replaced; choose another folder")


def _replace(target: Path, folder: Path, aside: Path) -> None:
    """Rename ``folder`` to ``target``, after an existing ``target`` to ``aside``, which is undone if this fails."""
    if not target.exists():
        folder.rename(target)
        return
    target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        aside.rename(target)
        raise


def _make_readable(folder: Path) -> None:
    """Set the usual permissions: some libraries write files that only their owner may read."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
