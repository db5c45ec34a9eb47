"""The sockets on which the server listens: an address, a path, or what another process hands over."""

import errno
import os
import socket
import stat
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_st_runtime.errors import OptionError

HOST: Final = "127.0.0.1"
PORT: Final = 8080
_BACKLOG = 2048
_FIRST_HANDED_OVER = 3
_ACTIVATION = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(frozen=True)
class Place:
    """Where to listen: at ``host`` and ``port`` (0: any free one), at the path ``uds``, or on the open socket ``fd``.

    Where nothing is given, sockets of systemd's socket activation are taken, else `HOST` and `PORT`.
    """

    host: str | None = None
    port: int | None = None
    uds: Path | None = None
    fd: int | None = None


def listening(place: Place, environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The sockets at ``place``, which listen. Processes that are started later do not see the activation.

    Raises OptionError for an address that cannot be used, or one where another process listens.
    """
    activated = _activated(environment)
    if place.fd is not None:
        return [_open_socket(place.fd)]
    if place.uds is not None:
        return [_at_path(place.uds)]
    if activated and place.host is None and place.port is None:
        return [_open_socket(number) for number in activated]
    return [_at_address(HOST if place.host is None else place.host, PORT if place.port is None else place.port)]


def remove_path(place: Place) -> None:
    """Remove the path of a Unix socket that `listening` made."""
    if place.uds is not None:
        place.uds.unlink(missing_ok=True)


def addresses(sockets: Iterable[socket.socket], *, tls: bool) -> str:
    """Where clients find ``sockets``, for people."""
    return ", ".join(_address(each, "https" if tls else "http") for each in sockets)


def _address(listener: socket.socket, scheme: str) -> str:
    name = listener.getsockname()
    if not isinstance(name, tuple):
        return f"unix:{os.fsdecode(name)}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{scheme}://{host}:{name[1]}"


def _at_address(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise OptionError(f"--host {host}: {error}; expected an address of this machine, such as {HOST}") from error
    found = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        raise OptionError(_why_not(host, port, error)) from error
    return found


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"another process listens at {host}:{port}; give another port: edge-st serve --port {port + 1}"
    if error.errno == errno.EACCES:
        return f"this user may not listen at port {port}; give one above 1023: edge-st serve --port {PORT}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {host} is no address of this machine; expected one, such as {HOST} or 0.0.0.0"
    return f"cannot listen at {host}:{port}: {error.strerror}"


def _at_path(path: Path) -> socket.socket:
    """A socket at ``path``; one that a process left there is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise OptionError("--uds: this system has no Unix sockets; give --host and --port")
    _remove_stale(path)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.bind(os.fspath(path))
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        raise OptionError(
            f"--uds {path}: {error.strerror or error}; expected a short path in a folder that is there"
        ) from error
    return found


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise OptionError(f"--uds {path}: there is something else than a socket; give another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise OptionError(f"--uds {path}: {error.strerror}; give another path") from error
    raise OptionError(f"another process listens at {path}; give another path with --uds")


def _open_socket(number: int) -> socket.socket:
    try:
        found = socket.socket(fileno=number)
    except OSError as error:
        raise OptionError(
            f"the file descriptor {number} is no socket: {error.strerror}; expected one that is open"
        ) from error
    if found.type != socket.SOCK_STREAM:
        raise OptionError(f"the file descriptor {number} is a socket of {found.type.name}; expected SOCK_STREAM")
    found.set_inheritable(False)
    return found


def _activated(environment: MutableMapping[str, str]) -> list[int]:
    """The descriptors that systemd hands over to this process; the variables that tell of them are taken away."""
    process, count, _ = (environment.pop(name, "") for name in _ACTIVATION)
    if process != str(os.getpid()) or not count.isdecimal():
        return []
    return list(range(_FIRST_HANDED_OVER, _FIRST_HANDED_OVER + int(count)))
