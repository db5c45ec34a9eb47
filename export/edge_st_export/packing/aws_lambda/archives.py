"""Zips for Lambda: the same files give the same bytes."""

import zipfile
from pathlib import Path

_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of the times that a zip can hold
_READABLE = 0o100644 << 16


def write_zip(target: Path, folder: Path) -> None:
    """Write all files in ``folder`` to ``target``, readable by everybody."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _BEGINNING)
            info.external_attr, info.compress_type = _READABLE, zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(info, "w") as copy:
                while portion := source.read(1 << 20):
                    copy.write(portion)
