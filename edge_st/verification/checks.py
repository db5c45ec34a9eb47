"""Check a model folder by its record, and compare a model with the original."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import EXPORT, DamagedFileError, MissingFileError
from edge_st_runtime.model.record import FLOAT32_COSINE, LOSSLESS_COSINE, Golden, Record, read_record

from ..models.classes import Model
from ..models.cross_encoder import CrossEncoder
from ..models.sentence_transformer import SentenceTransformer
from .comparison import FLOAT32_DIFFERENCE, Comparison, compared
from .heads import head_comparisons
from .outputs import QUANTIZED, TOKENS, Output, output_rows, outputs_of, plain_output
from .variants import GraphVariant, open_variant, recorded_variants, runs_here


def verify_folder(folder: str | Path) -> dict[GraphVariant, list[Comparison]]:
    """Check a folder by its record: the checksum of every file, and the outputs of every graph for the golden texts.

    Graphs that do not run on this machine are left out. Raises MissingFileError where there is no record,
    DamagedFileError for a wrong checksum or fingerprint.
    """
    record = read_record(Path(folder))
    if record is None:
        raise MissingFileError(
            f"{folder} has no edge_st.json, in which an export keeps outputs of the original; compare with the "
            "original itself: edge-st verify FOLDER --against ORIGINAL, or export it "
            f"{EXPORT}"
        )
    record.check_files(record.files)
    variants = [(entry, variant) for entry, variant in recorded_variants(record) if runs_here(variant)]
    return {
        variant: [
            *_against_golden(Path(folder), record, variant, entry.least_golden),
            *head_comparisons(Path(folder), record, variant),
        ]
        for entry, variant in variants
    }


def _against_golden(folder: Path, record: Record, variant: GraphVariant, threshold: float) -> list[Comparison]:
    model = open_variant(folder, variant)
    if variant.dtype != "int8" and model.fingerprint != record.fingerprint:
        raise DamagedFileError(
            f"{folder} has the fingerprint {model.fingerprint}, its edge_st.json says {record.fingerprint}; export the "
            "model again"
        )
    texts, scores, most = list(record.golden_texts), isinstance(model, CrossEncoder), most_difference(model, threshold)
    return [
        compared(golden.name, golden_output(model, texts, golden), _wanted(golden), threshold, most, scores=scores)
        for golden in record.golden
    ]


def _wanted(golden: Golden) -> Any:
    """What `golden_output` is compared with."""
    return golden.embeddings if golden.counts is None else _of_texts(golden.embeddings, golden.counts)


def _of_texts(rows: NDArray[Any], counts: NDArray[np.int64] | None) -> list[NDArray[Any]]:
    """The rows of each text."""
    return [] if counts is None else np.split(rows, np.cumsum(counts)[:-1])


def golden_output(model: Model, texts: list[Any], golden: Golden) -> Any:
    """The output of ``model`` to compare with the original's: an array, or the token vectors of each text."""
    if golden.counts is not None:
        return _of_texts(*output_rows(model, texts, golden.prompt_name, golden.task))
    found = plain_output(model, texts, golden.prompt_name, golden.task)
    return found if golden.dimensions is None else found[:, golden.dimensions] * (golden.embeddings != 0)


def compare(model: Model, original: Any, texts: list[Any], threshold: float = FLOAT32_COSINE) -> list[Comparison]:
    """Compare every public output of ``model`` for ``texts``, or pairs, with that of the ``original``.

    ``original`` is a model of sentence-transformers. With a ``threshold`` below that of lossless graphs, token
    embeddings and quantized vectors are left out: rounding changes them most. The last comparison is of the model with
    itself: texts run one by one, and all at once.
    """
    outputs = outputs_of(model, original.prompts, fine=threshold >= LOSSLESS_COSINE)
    found = [_tried(name, output, model, original, texts, threshold) for name, output in outputs.items()]
    plain = next(iter(outputs.values()))
    together, alone = plain(model, texts), [row for text in texts for row in plain(model, [text])]
    single = alone if isinstance(together, list) else np.stack(alone)
    return [*found, compared("one by one", single, together, threshold, scores=isinstance(model, CrossEncoder))]


def _tried(name: str, output: Output, model: Model, original: Any, texts: list[Any], threshold: float) -> Comparison:
    """Compare one output. Where a model raises an error instead, the comparison is not equal and names the error."""
    try:
        found, wanted = output(model, texts), output(original, texts)
        if name == TOKENS:  # the original keeps padding on the left, and has a row for a text without tokens
            wanted = [rows[len(rows) - len(own) :] for own, rows in zip(found, wanted, strict=True)]
        least = min(threshold, LOSSLESS_COSINE) if name in QUANTIZED else threshold
        most, scores = most_difference(model, threshold), isinstance(model, CrossEncoder)
        return compared(name, found, wanted, least, most, scores=scores)
    except Exception as error:  # noqa: BLE001 - the original raises anything
        return Comparison(f"{name} ({type(error).__name__}: {error})", float("nan"), float("inf"), 1.0, threshold)


def most_difference(model: Model, threshold: float) -> float | None:
    """The most that scores and weights may differ in float32; None for dense vectors, whose direction is compared."""
    return None if isinstance(model, SentenceTransformer) or threshold < FLOAT32_COSINE else FLOAT32_DIFFERENCE
