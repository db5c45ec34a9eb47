"""The text files of a folder: which are read, how much of each, and a note on those that are not."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edge_st_runtime.errors import InputError
from edge_st_runtime.unicode import is_unicode

from .streams import one_line

ENDINGS = {".txt", ".md", ".markdown", ".rst"}
#: a file of more bytes is no single text: it is read whole, and its pieces with it
LARGEST_TEXT = 100_000_000


def find_files(path: Path) -> Iterator[Path]:
    """The file itself, or the text files of a folder, sorted. Hidden files and folders are left out.

    What only has the name of a text file, such as a pipe or a device, and a name that is not Unicode are skipped with
    a note.
    """
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or Path(name).suffix.lower() not in ENDINGS:
                continue
            file = Path(folder, name)
            if not file.is_file():
                note_skipped(file, "not a regular file")
            elif not is_unicode(str(file)):
                note_skipped(file, "its name is not UTF-8")
            else:
                yield file


def read_bytes(file: BinaryIO, name: str) -> bytes:
    """All bytes of a file that is one text; raises InputError where they are more than LARGEST_TEXT."""
    content = file.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise InputError(
            f"{name}: more than {LARGEST_TEXT // 1_000_000} MB in one text; split the file, or give it to edge-st "
            "index build with one text a line: --format lines"
        )
    return content


def note_skipped(file: object, reason: str | Exception) -> None:
    """Say on stderr that ``file`` is not read; an InputError names the file itself."""
    if isinstance(reason, OSError):
        reason = reason.strerror or str(reason)
    where = "" if isinstance(reason, InputError) else f"{file}: "
    note = one_line(f"edge-st: note: skipped {where}{reason}")
    print(note.encode(errors="backslashreplace").decode(), file=sys.stderr)
