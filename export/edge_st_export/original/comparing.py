"""Compare a model folder with its original, run by sentence-transformers: what ``edge-st verify --against`` does."""

from pathlib import Path

from edge_st.models.classes import open_model
from edge_st.verification.checks import compare
from edge_st.verification.comparison import Comparison
from edge_st.verification.variants import GraphVariant, open_variant, recorded_variants, runs_here
from edge_st_runtime.model.classes import TASKS
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.record import GraphRecord, read_record

from ..progress import silent_libraries
from .alone import comparable
from .loading import find_source, load_original
from .texts import texts_for


def compare_with_original(
    folder: Path, original: str, *, trust_remote_code: bool = False
) -> dict[GraphVariant, list[Comparison]]:
    """Every public output of every graph of ``folder`` that runs here; without a record, of the one that is chosen.

    Raises FolderError and HubError for what cannot be found, ExportError for an original that does not load.
    """
    described = read_folder(folder)
    source = find_source(original, None, None, TASKS[described.model_type])
    with silent_libraries():
        peer = load_original(source, trust_remote_code=trust_remote_code)
        reference, texts = comparable(peer, texts_for(described.model_type), described.tasks)
        return {
            variant: compare(open_variant(folder, variant), reference, texts, threshold)
            for variant, threshold in _variants(folder)
        }


def _variants(folder: Path) -> list[tuple[GraphVariant, float]]:
    record = read_record(folder)
    if record is not None:
        return [(variant, entry.least) for entry, variant in recorded_variants(record) if runs_here(variant)]
    info = open_model(folder).info()
    variant = GraphVariant(info["graph"], info["engine"], info["dtype"])
    return [(variant, GraphRecord(variant.file, variant.engine, variant.dtype, cosine_min=1.0).least)]
