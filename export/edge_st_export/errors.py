"""The exporter's own errors. All other errors are those of `edge_st_runtime.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge_st_runtime.errors import EdgeSTError

if TYPE_CHECKING:
    from .export import ExportReport
    from .int8.gate import Gate


class ExportError(EdgeSTError, RuntimeError):
    """A model could not be converted, or the result is too far from the original."""


class Int8MissedError(ExportError):
    """The folder of ``report`` is written in float32, but no int8 variant keeps what the gate asks for.

    ``accepting`` is a gate that the best variant passes; None where there was no variant.
    """

    def __init__(self, missed: str, report: "ExportReport", accepting: "Gate | None") -> None:
        accepted = "" if accepting is None else f"; the gate {accepting} accepts the best of those tried"
        super().__init__(f"{missed}, so {report.path} has float32 without int8{accepted}")
        self.report, self.accepting = report, accepting


@contextmanager
def converting(what: str, advice: str) -> Iterator[None]:
    """Turn any exception of a conversion into an ExportError: ``what`` failed, why, and the ``advice``."""
    try:
        yield
    except EdgeSTError:
        raise
    except Exception as error:  # the libraries raise anything
        raise ExportError(f"{what} failed ({type(error).__name__}: {error}); {advice}") from error
