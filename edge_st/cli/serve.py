"""``edge-st serve``: answer embedding, reranking and search requests over HTTP."""

import argparse
import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import OptionError

from .arguments import Subparsers, positive
from .stopping import Terminated

if TYPE_CHECKING:
    from ..server.config import Config, IndexConfig, ModelConfig
    from ..server.options import Running

_DESCRIPTION = """\
Answer requests of clients of OpenAI, text-embeddings-inference, Cohere, Jina, Ollama and Weaviate.
MODEL is a model folder, an installed model or a Hub id; NAME=MODEL gives it another name. Without MODEL, the bundled
model is served. An option takes the place of the same key in the file of --config.

Keys that clients have to send come from --keys, or from the variable EDGE_ST_KEYS, as NAME:KEY,NAME:KEY.
SIGTERM and Ctrl-C end the server after it has answered what it has accepted.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "serve",
        help="answer embedding, reranking and search requests over HTTP",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="the models to serve, each as MODEL or NAME=MODEL")
    parser.add_argument("--config", metavar="FILE", help="a configuration, serve.yaml")
    parser.add_argument(
        "--index", action="append", default=[], metavar="NAME=FOLDER:MODEL", help="serve an index; MODEL is a name"
    )
    _add_place(parser)
    _add_work(parser)
    _add_access(parser)
    parser.add_argument("--log-format", choices=("line", "json"), default="line", help="how to log (default: line)")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: info"
    )
    parser.add_argument("--no-page", dest="page", action="store_false", default=None, help="show no page at /")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes, which ends a server as it should; raises PackageMissingError without the extra."""
    from ..server import create_app
    from ..server.running import serve

    with suppress(Terminated, KeyboardInterrupt):
        serve(config_of(args), running_of(args), create_app)
    return 0


def config_of(args: argparse.Namespace) -> "Config":
    """What is served: the file, with the options of the command line in the place of its keys.

    Raises what `read_config` and `as_config` raise.
    """
    from ..server.config import Config, as_config, read_config
    from ..server.config.served import MEGABYTE
    from ..server.key_files import keys_of_environment, read_keys

    config = Config() if args.config is None else read_config(args.config)
    names = ("lazy", "unload_after", "threads", "queue_tokens", "cache_mb", "max_texts", "page")
    given: dict[str, Any] = {name: getattr(args, name) for name in names}
    if args.max_body_mb is not None:
        given["max_body_bytes"] = int(args.max_body_mb * MEGABYTE)
    given["models"] = tuple(map(_model, args.models)) or None
    given["indexes"] = tuple(map(_index, args.index)) or None
    given["cors_origins"] = tuple(args.cors_origin) or None
    keys = config.keys if args.keys is None else read_keys(args.keys)
    given["keys"] = {**keys, **keys_of_environment()}
    return as_config(replace(config, **{name: value for name, value in given.items() if value is not None}))


def running_of(args: argparse.Namespace) -> "Running":
    """How the processes run."""
    from ..server.options import Running
    from ..server.sockets import Place

    return Running(
        Place(args.host, args.port, args.uds, args.fd),
        args.workers,
        args.ssl_certfile,
        args.ssl_keyfile,
        args.log_format,
        args.log_level,
        args.drain_seconds,
    )


def _model(text: str) -> "ModelConfig":
    from ..server.config import ModelConfig

    name, equals, model = text.partition("=")
    return ModelConfig(model, name) if equals and not Path(text).is_dir() else ModelConfig(text)


def _index(text: str) -> "IndexConfig":
    from ..server.config import IndexConfig

    name, _, rest = text.partition("=")
    folder, _, model = rest.rpartition(":")
    if not (name and folder and model):
        raise OptionError(f"--index is {text!r}; expected NAME=FOLDER:MODEL, such as docs=./docs-index:minilm")
    return IndexConfig(Path(folder).expanduser(), name, model)


def _add_place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where to listen (a socket that systemd hands over is taken by itself)")
    group.add_argument("--host", metavar="H", help="the address, 0.0.0.0 for all (default: 127.0.0.1)")
    group.add_argument("--port", type=_port, metavar="N", help="the port, 0 for any that is free (default: 8080)")
    group.add_argument("--uds", type=Path, metavar="PATH", help="a Unix socket to make")
    group.add_argument("--fd", type=int, metavar="N", help="the file descriptor of an open socket")
    group.add_argument("--ssl-certfile", type=Path, metavar="FILE", help="a certificate in PEM: serve HTTPS")
    group.add_argument("--ssl-keyfile", type=Path, metavar="FILE", help="its private key, if it is another file")


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to work")
    group.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default: 1)")
    group.add_argument("--threads", type=positive, metavar="N", help="threads of a process, for all models together")
    group.add_argument("--lazy", action="store_true", default=None, help="load a model at its first request")
    group.add_argument("--unload-after", type=_above_0, metavar="S", help="unload a model after S seconds without use")
    group.add_argument(
        "--queue-tokens", type=positive, metavar="N", help="answer 429 beyond so many waiting tokens (default: 262144)"
    )
    group.add_argument("--cache-mb", type=_not_negative, metavar="N", help="memory for repeated texts (default: 0)")
    group.add_argument(
        "--drain-seconds", type=_not_negative, default=30.0, metavar="S", help="time to end in (default: 30)"
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who may ask, and how much")
    group.add_argument("--keys", type=Path, metavar="FILE", help="a file of keys, NAME:KEY on each line")
    group.add_argument(
        "--cors-origin", action="append", default=[], metavar="O", help="an origin whose pages may ask, * for all"
    )
    group.add_argument("--max-body-mb", type=_above_0, metavar="N", help="the largest body (default: 32)")
    group.add_argument("--max-texts", type=positive, metavar="N", help="the most texts of a request (default: any)")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected a number from 0 to 65535")
    return int(text)


def _not_negative(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return number


def _above_0(text: str) -> float:
    number = _not_negative(text)
    if number == 0:
        raise argparse.ArgumentTypeError("0 is not above 0")
    return number
