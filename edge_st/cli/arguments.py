"""Arguments that several commands take, and the types that check them."""

import argparse
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from edge_st import MultiVectorEncoder, SentenceTransformer

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
MODEL_HELP = "a model folder, an installed model or a Hub id (default: the bundled model)"


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--model``."""
    parser.add_argument("--model", metavar="M", help=MODEL_HELP)


def add_records(parser: argparse.ArgumentParser) -> None:
    """Add the input files, and the options that say where in a file the texts are."""
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="input files; '-' is standard input")
    parser.add_argument(
        "--format",
        choices=("lines", "jsonl", "auto"),
        default="auto",
        help="how files hold texts (default: auto, which reads .jsonl and .ndjson files as jsonl, others as lines)",
    )
    parser.add_argument("--field", default="text", help="the JSONL field that holds the text (default: text)")


def add_json(parser: "argparse._ActionsContainer") -> None:
    """Add the option ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def load(model: str | None) -> "SentenceTransformer":
    """The model named by ``--model``, or the bundled one for None."""
    from edge_st import SentenceTransformer

    return SentenceTransformer(model)


def load_encoder(model: str | None) -> "SentenceTransformer | MultiVectorEncoder":
    """As `load`, but a folder of token vectors is opened as what it is; raises WrongClassError for other classes."""
    from edge_st import MultiVectorEncoder, SentenceTransformer
    from edge_st_runtime.errors import WrongClassError
    from edge_st_runtime.model.classes import MULTI_VECTOR_ENCODER

    try:
        return SentenceTransformer(model)
    except WrongClassError as error:
        if model is None or error.model_type != MULTI_VECTOR_ENCODER:
            raise
        return MultiVectorEncoder(model)


def positive(text: str) -> int:
    """The argument as a whole number of at least 1; raises ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def not_blank(text: str) -> str:
    """The argument as a query; raises ArgumentTypeError for a blank one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the query is empty")
    return text
