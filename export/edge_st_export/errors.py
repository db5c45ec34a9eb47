"""The exporter's own error; the others are the runtime's."""

from collections.abc import Iterator
from contextlib import contextmanager

from edge_st_runtime.errors import EdgeSTError


class ExportError(EdgeSTError, RuntimeError):
    """A model could not be converted, or its copy does not come near enough to the original."""


@contextmanager
def converting(what: str, advice: str) -> Iterator[None]:
    """Turn whatever a conversion raises into an ExportError that says ``what`` failed, why, and what to do."""
    try:
        yield
    except EdgeSTError:
        raise
    except Exception as error:  # the libraries raise anything
        raise ExportError(f"{what} failed ({type(error).__name__}: {error}); {advice}") from error
