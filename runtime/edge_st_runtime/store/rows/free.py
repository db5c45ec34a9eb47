"""Whether a folder is free for a new index."""

from pathlib import Path

from ...errors import FolderError
from ...files.regular import is_folder, is_there
from ..segment_file import REPAIR, SEGMENT_NAME
from ..segment_folder import INDEX, check_alone, recorded_kind


def check_free(folder: Path) -> None:
    """Raise FolderError where ``folder`` holds an index or other files, NotAFolderError where it is a file.

    Hidden files, and segments that a killed process left behind, are no hindrance.
    """
    exists = is_folder(folder, "expected the folder of the index, new or empty")
    check_alone(folder, INDEX)
    if is_there(folder / INDEX, REPAIR):
        how = f"{recorded_kind(folder, INDEX)}.open(path, mode='a')"
        raise FolderError(f"{folder} already holds an index; add to it with {how}, or remove it")
    inside = (found.name for found in folder.iterdir()) if exists else ()
    other = next((name for name in inside if not (name.startswith(".") or SEGMENT_NAME.fullmatch(name))), None)
    if other is not None:
        raise FolderError(f"{folder} holds no index but {other}; expected a folder that is new or empty")
