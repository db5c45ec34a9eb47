"""Compare a model folder with its original in sentence-transformers; ``edge-st verify --against`` runs this."""

from pathlib import Path

from edge_st.models.classes import open_model
from edge_st.verification.checks import compare
from edge_st.verification.comparison import Comparison
from edge_st.verification.variants import GraphVariant, open_variant, recorded_variants, runs_here
from edge_st_runtime.model.classes import MULTI_VECTOR_ENCODER, TASKS
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.record import GraphRecord, read_record

from ..progress import silent_libraries
from .loading import find_source, load_original
from .texts import texts_for, texts_of_task
from .unbatched import comparable


def compare_with_original(
    folder: Path, original: str, *, trust_remote_code: bool = False
) -> dict[GraphVariant, list[Comparison]]:
    """Compare every public output of every recorded graph of ``folder`` that runs on this machine.

    Without a record, only the graph that the runtime chooses is compared. Raises FolderError and HubError where the
    folder or the original is not found, ExportError for an original that does not load.
    """
    described = read_folder(folder)
    source = find_source(original, None, None, TASKS[described.model_type])
    with silent_libraries():
        loaded = load_original(source, trust_remote_code=trust_remote_code)
        texts = texts_for(described.model_type)
        if described.model_type == MULTI_VECTOR_ENCODER:  # the texts that each output was measured on
            texts = list(texts_of_task(texts, None))
        reference, texts = comparable(loaded, texts, described.tasks)
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
