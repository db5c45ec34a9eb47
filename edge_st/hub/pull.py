"""Download a model from the Hub into a plain folder.

Every file is checked, interrupted downloads are continued, and the folder appears when it is complete.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from edge_st_runtime.engines.backend import installed_engines
from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import inside
from edge_st_runtime.machine.cpu import cpu_features, has_bfloat16
from edge_st_runtime.model.record import read_record
from edge_st_runtime.model.variants import ENDINGS, Criteria

from .client import fetch_to_file
from .fetch import check_options, fetch_model
from .names import hub_name
from .occupied import alone, holds, refuse_others
from .repository import Listing, Repository
from .transfer import list_files


def pull(
    repo_id: str,
    out: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    backend: str = "auto",
    dtype: str = "auto",
    file_name: str | None = None,
    force: bool = False,
) -> Path:
    """Download the files that the model ``repo_id`` needs to run into a new folder; return its absolute path.

    One graph is downloaded, chosen by ``backend``, ``dtype``, ``file_name`` and this machine; no engine need be
    installed. Every file is checked against the Hub's checksum and that in edge_st.json. The files are collected in the
    hidden folder ``.<out>.partial`` beside ``out``, which is renamed to ``out`` when it is complete. After an
    interruption the same call continues there. Where ``out`` holds exactly these files already, nothing is downloaded.
    ``force`` replaces an existing model folder. Of several calls for one ``out``, in threads or processes, one
    downloads, and the others wait for it.

    Raises HubError, OptionError where ``out`` exists and may not be replaced, DamagedFileError where a file differs
    from its checksum in edge_st.json, and what the runtime raises for a model that it cannot run.
    """
    check_options(backend, dtype)
    target = Path(out).expanduser().resolve()
    repository = Repository(hub_name(repo_id, "sentence-transformers"), revision or "main", token)
    engines = [backend] if backend != "auto" else installed_engines() or list(ENDINGS)
    criteria = Criteria("auto", dtype, file_name, engines=engines, features=cpu_features(), bfloat16=has_bfloat16())
    with repository.mapped_errors():
        refuse_others(target, force)
    listing = list_files(repository)
    with alone(target, repository):
        if not holds(target, listing, criteria):
            _download(target, listing, criteria, force)
    return target


def _download(target: Path, listing: Listing, criteria: Criteria, force: bool) -> None:
    repository, partial = listing.repository, target.with_name(f".{target.name}.partial")
    with repository.mapped_errors():
        refuse_others(target, force)
        if not force and target.exists() and any(target.iterdir()):
            raise OptionError(
                f"{target} is not empty: it holds another model; choose a new folder, or replace it with --force "
                "(force=True)"
            )
        _remove_others(partial, {*listing.files, *(file.part for file in listing.files.values())})
    _, names = fetch_model(repository.name, listing.files, criteria, lambda name: fetch_to_file(listing, name, partial))
    _check_record(partial, names, listing)
    with repository.mapped_errors():
        _remove_others(partial, names)
        _put_in_place(partial, target, force)


def _check_record(folder: Path, names: Collection[str], listing: Listing) -> None:
    """Compare files with edge_st.json, unless the Hub's SHA-256 of them is the same."""
    record = read_record(folder)
    if record is not None:
        checked = {name for name in names if listing.files[name].sha256 == record.files.get(name, ("", 0))[0]}
        record.check_files(sorted(record.files.keys() & set(names) - checked))


def _remove_others(folder: Path, names: Collection[str]) -> None:
    """Remove all files but ``names``: what interrupted downloads of other files left behind."""
    wanted = {inside(folder, name) for name in names}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink()


def _put_in_place(partial: Path, target: Path, force: bool) -> None:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists() and force:
        target.rename(old)
    elif target.exists():
        target.rmdir()
    try:
        partial.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
