"""Run a server, in this process or in several, until it is told to end."""

import logging
import logging.config
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import TypeAlias

from starlette.types import ASGIApp

from edge_st_runtime.errors import OptionError
from edge_st_runtime.machine.threads import thread_count

from .config import Config
from .logs import log_config
from .options import Running
from .serving import Server
from .sockets import addresses, listening, remove_path
from .workers import Workers

#: makes the application; importable by its name, as every worker makes its own
Factory: TypeAlias = Callable[[Config], ASGIApp]
_logger = logging.getLogger(__name__)


def serve(config: Config, running: Running, create_app: Factory) -> None:
    """Serve until a signal comes. uvicorn raises it again when all is answered, for who called this function.

    With several workers, each has a part of the cores unless ``config.threads`` says how many threads each has.

    Raises OptionError for an address, a certificate or a key that cannot be used, and what ``create_app`` and the
    start of its application raise.
    """
    _check_certificate(running)
    logging.config.dictConfig(log_config(running.log_format, running.log_level))
    sockets = listening(running.place)
    try:
        if running.workers > 1:
            threads = config.threads or max(1, thread_count() // running.workers)
            workers = Workers(running, sockets, replace(config, threads=threads), create_app)
            workers.run(lambda: _announce(config, running, sockets))
            return
        server = Server(create_app(config), running, lambda: _announce(config, running, sockets))
        server.run(sockets)
    finally:
        for each in sockets:
            each.close()
        remove_path(running.place)


def _announce(config: Config, running: Running, sockets: list[socket]) -> None:
    names = [model.name for model in config.models] + [f"the index {index.name}" for index in config.indexes]
    where = addresses(sockets, tls=running.ssl_certfile is not None)
    many = f", by {running.workers} processes" if running.workers > 1 else ""
    asked = "" if config.keys else "; no key is asked for"
    _logger.info("serving %s at %s%s%s", ", ".join(names), where, many, asked)


def _check_certificate(running: Running) -> None:
    certificate, key = running.ssl_certfile, running.ssl_keyfile
    if certificate is None:
        if key is not None:
            raise OptionError(f"--ssl-keyfile {key} has no certificate; give it, too: --ssl-certfile FILE")
        return
    for option, path in (("--ssl-certfile", certificate), ("--ssl-keyfile", key)):
        if path is not None:
            _check_file(option, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise OptionError(
            f"the certificate {certificate} with the key {key or certificate} cannot be used: {error.reason or error}; "
            "expected a certificate and its private key in PEM"
        ) from error


def _check_file(option: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise OptionError(f"{option} {path}: {error.strerror}") from error


def _no_password() -> str:
    raise OptionError("the private key has a password; expected one without: openssl pkey -in KEY -out NEW_KEY")
