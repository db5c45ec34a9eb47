"""From the name that a constructor was given to the folder that is loaded."""

from pathlib import Path

from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.choosing import LoadOptions

from ..hub.names import existing_folder


def locate(
    name: str | Path | None,
    options: LoadOptions,
    *,
    class_name: str,
    model_type: str,
    organization: str,
    bundled: Path | None,
    cache_folder: str | None,
    revision: str | None,
    local_files_only: bool,
    token: bool | str | None,
) -> Path:
    """The folder called ``name``, else the installed model of that name, else the one on the Hub, downloaded.

    None is the ``bundled`` model; raises OptionError for a class that has none, and what `edge_st.hub` raises.
    """
    if name is None:
        if bundled is None:
            raise OptionError(f"{class_name} has no bundled model; give a folder or a Hub name")
        return bundled
    folder = existing_folder(name)
    if folder is not None:
        return folder
    from ..hub.resolve import resolve

    return resolve(
        name,
        organization=organization,
        cache_folder=cache_folder,
        revision=revision,
        local_files_only=local_files_only,
        token=token,
        backend=options.backend,
        dtype=options.dtype,
        file_name=options.file_name,
        on_cpu=options.on_cpu,
        model_type=model_type,
    )
