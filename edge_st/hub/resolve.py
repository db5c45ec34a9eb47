"""From the name of a model to its folder: a local one, an installed one, or one in huggingface_hub's cache."""

import logging
import os
from functools import partial
from pathlib import Path

from edge_st_runtime.engines.backend import installed_engines
from edge_st_runtime.errors import HubError, MissingFileError, PackageMissingError
from edge_st_runtime.machine.cpu import cpu_features, has_bfloat16
from edge_st_runtime.model.variants import Criteria

from .cache import cached_snapshot, remember_revision
from .client import fetch_to_cache
from .errors import NotOnHubError, OfflineError, UnreachableError
from .fetch import check_options, fetch_model
from .installed import find_installed
from .names import existing_folder, hub_name, no_folder
from .repository import Repository
from .transfer import list_files

_LOCAL_ONLY = "local_files_only is set; run the same once without it, or give a local folder"
_logger = logging.getLogger(__name__)


def resolve(
    name_or_path: str | os.PathLike[str],
    *,
    organization: str = "sentence-transformers",
    cache_folder: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    backend: str = "auto",
    dtype: str = "auto",
    file_name: str | None = None,
    on_cpu: bool = True,
    model_type: str | None = None,
) -> Path:
    """The folder of a model. It is the first of these that exists:

    1. the folder ``name_or_path``
    2. an installed model of this name, if ``revision`` is None or the revision that it was made from
    3. the model of this name on the Hub; ``organization`` owns a name without an owner, as in sentence-transformers

    From the Hub the configuration and one graph are downloaded. ``backend``, ``dtype``, ``file_name`` and this machine
    choose the graph. The files go to ``cache_folder``, else to SENTENCE_TRANSFORMERS_HOME, else to huggingface_hub's
    own cache. With ``local_files_only`` or HF_HUB_OFFLINE no request is made. If the Hub does not answer, a complete
    copy in the cache is used and a warning logged. A model of another class than ``model_type`` is refused before its
    graph is downloaded.

    Raises NotAFolderError, FolderNotFoundError, HubError, what `find_installed` raises, and what the runtime raises
    for an unknown model or option, or for a graph that the repository does not have.
    """
    folder = existing_folder(name_or_path)
    if folder is not None:
        return folder
    check_options(backend, dtype)
    repository = Repository(hub_name(name_or_path, organization), revision or "main", token)
    installed = find_installed(os.fspath(name_or_path), revision)
    if installed is not None:
        return installed
    cache = os.fspath(cache_folder) if cache_folder else os.environ.get("SENTENCE_TRANSFORMERS_HOME") or None
    engines, features = installed_engines(), cpu_features()
    criteria = Criteria(backend, dtype, file_name, on_cpu, engines, features, has_bfloat16())
    try:
        if local_files_only:
            return _from_cache(repository, cache, criteria, model_type, _LOCAL_ONLY, name_or_path)
        return _from_hub(repository, cache, criteria, model_type)
    except (NotOnHubError, PackageMissingError) as error:
        raise type(error)(f"{no_folder(name_or_path)}; {error}") from error
    except UnreachableError as error:
        snapshot = _from_cache(repository, cache, criteria, model_type, str(error), name_or_path)
        if not isinstance(error, OfflineError):
            _logger.warning("%s; using the copy in the cache", error)
        return snapshot


def _from_hub(repository: Repository, cache: str | None, criteria: Criteria, model_type: str | None) -> Path:
    listing = list_files(repository)
    fetch = partial(fetch_to_cache, listing, cache=cache)
    folder, _ = fetch_model(repository.name, listing.files, criteria, fetch, model_type)
    remember_revision(listing, cache)
    return folder


def _from_cache(
    repository: Repository,
    cache: str | None,
    criteria: Criteria,
    model_type: str | None,
    reason: str,
    name: str | os.PathLike[str],
) -> Path:
    snapshot = cached_snapshot(repository, cache)
    if snapshot is None:
        raise HubError(
            f"{no_folder(name)}; {repository.name} (revision {repository.revision}) is not in the cache, and {reason}"
        )
    names = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()}
    try:
        return fetch_model(repository.name, names, criteria, snapshot.joinpath, model_type)[0]
    except MissingFileError as error:
        raise HubError(
            f"the copy of {repository.name} in the cache, {snapshot}, lacks what is needed ({error}), and {reason}"
        ) from error
