"""What may stand where a file is expected."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path


def _socket(path: Path) -> None:
    """Bound from its own folder: the path of a socket may be short only."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


#: by what the message calls it: a function that puts it at a path
IRREGULAR: Mapping[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing, which is missing": lambda path: path.symlink_to("nothing"),
    "levels of symbolic links": lambda path: path.symlink_to(path.name),
}
