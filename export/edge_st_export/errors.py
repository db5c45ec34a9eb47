"""The exporter's own error. All other errors are those of `edge_st_runtime.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager

from edge_st_runtime.errors import EdgeSTError


class ExportError(EdgeSTError, RuntimeError):
    """A model could not be converted, or the result is too far from the original."""


@contextmanager
def converting(what: str, advice: str) -> Iterator[None]:
    """Turn any exception of a conversion into an ExportError: ``what`` failed, why, and the ``advice``."""
    try:
        yield
    except EdgeSTError:
        raise
    except Exception as error:  # the libraries raise anything
        raise ExportError(f"{what} failed ({type(error).__name__}: {error}); {advice}") from error
