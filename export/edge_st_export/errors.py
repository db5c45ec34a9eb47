"""The exporter's own error; the others are the runtime's."""

from edge_st_runtime.errors import EdgeSTError


class ExportError(EdgeSTError, RuntimeError):
    """A model could not be converted, or its copy does not come near enough to the original."""
