"""The options ``--precision`` and ``--rescore``: how an index stores vectors, by the kind of its model."""

import argparse
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import OptionError

if TYPE_CHECKING:
    from .models import Model

#: the default is the first
OF_TEXTS = ("float32", "float16", "int8", "binary")
OF_TOKENS = ("int4", "int8", "int2")


def add_precisions(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--precision",
        choices=tuple(dict.fromkeys([*OF_TEXTS, *OF_TOKENS])),
        help=f"precision in which embeddings are stored and scanned: {', '.join(OF_TEXTS)} (default: {OF_TEXTS[0]}); "
        f"for a multi-vector model {', '.join(OF_TOKENS)} (default: {OF_TOKENS[0]})",
    )
    parser.add_argument(
        "--rescore",
        choices=OF_TEXTS[:3],
        help="store a second, finer copy, with which the best rows of a scan are scored again",
    )


def precisions(args: argparse.Namespace, model: "Model") -> dict[str, Any]:
    """The settings of an index of ``model`` that the options name; raises OptionError for one of the other kind."""
    from edge_st import MultiVectorEncoder

    is_of_tokens = isinstance(model, MultiVectorEncoder)
    fitting = OF_TOKENS if is_of_tokens else OF_TEXTS
    precision = fitting[0] if args.precision is None else args.precision
    if precision not in fitting:
        raise OptionError(
            f"--precision {precision} is not for a {type(model).__name__}; expected one of {', '.join(fitting)}"
        )
    if not is_of_tokens:
        return {"precision": precision, "rescore": args.rescore}
    if args.rescore is not None:
        raise OptionError(f"--rescore {args.rescore} is not for a {type(model).__name__}; leave it out")
    return {"precision": precision}
