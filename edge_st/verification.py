"""Whether a model folder gives the vectors of the model it was made from: by its record, or against the original."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.backend import installed_engines
from edge_st_runtime.cpu import cpu_features, has_bfloat16
from edge_st_runtime.errors import DamagedFileError, MissingFileError
from edge_st_runtime.record import LOSSLESS_COSINE, GraphRecord, Record, read_record

from .sentence_transformer import SentenceTransformer

Rows: TypeAlias = NDArray[np.float64]
Encode: TypeAlias = Callable[[Any, list[str]], Any]
FLOAT32_COSINE = 0.99999
#: so that the original, which pads a batch to its longest text, does not need much memory for long ones
_FEW = 4
_ENOUGH_FOR_RANGES = 100
_QUANTIZED = ("int8", "binary")
#: what rounding may cost more on another CPU than the exporter's, or for other texts
_LOSSLESS_TOLERANCE, _INT8_TOLERANCE = 0.0005, 0.005


@dataclass(frozen=True)
class Variant:
    """One way to run a folder: a graph file, an engine, what it computes in, and the CPU features it was made for.

    ``file`` is relative to each of the model's first modules that has a graph.
    """

    file: str
    engine: str
    dtype: str = "float32"
    cpu_features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """How near one output comes to the original's: the worst cosine of two rows, and the largest difference.

    ``scale`` is the largest absolute value of the original's; ``equal`` says whether the cosine reaches ``least``.
    """

    output: str
    cosine_min: float
    max_abs_difference: float
    scale: float
    least: float

    @property
    def relative_difference(self) -> float:
        """The largest difference over the largest value."""
        return self.max_abs_difference / self.scale if self.scale else self.max_abs_difference

    @property
    def equal(self) -> bool:
        """Whether it is near enough; what is no number is not."""
        return self.cosine_min >= self.least


def verify_folder(folder: str | Path) -> dict[Variant, list[Comparison]]:
    """Check a folder by its record: every file's checksum, and every graph that runs here on the golden texts.

    Raises MissingFileError where there is no record, DamagedFileError for a wrong checksum or fingerprint.
    """
    record = read_record(Path(folder))
    if record is None:
        raise MissingFileError(
            f"{folder} has no edge_st.json, in which an export keeps vectors of the original; compare with the "
            "original itself: edge-st verify FOLDER --against ORIGINAL, or export it: edge-st export MODEL FOLDER"
        )
    record.check_files(record.files)
    variants = [(entry, variant) for entry, variant in recorded_variants(record) if runs_here(variant)]
    return {variant: _against_golden(Path(folder), record, variant, least(entry)) for entry, variant in variants}


def least(entry: GraphRecord) -> float:
    """The least cosine to the original that a recorded graph may have at worst."""
    if entry.dtype == "float32":
        return min(FLOAT32_COSINE, entry.cosine_min or FLOAT32_COSINE)
    return (entry.cosine_min or 0.0) - (_LOSSLESS_TOLERANCE if entry.lossless else _INT8_TOLERANCE)


def _against_golden(folder: Path, record: Record, variant: Variant, threshold: float) -> list[Comparison]:
    model, texts = open_variant(folder, variant), list(record.golden_texts)
    if variant.dtype != "int8" and model.fingerprint != record.fingerprint:
        raise DamagedFileError(
            f"{folder} has the fingerprint {model.fingerprint}, its edge_st.json says {record.fingerprint}; export the "
            "model again"
        )
    found = []
    for golden in record.golden:
        options: dict[str, Any] = {"prompt_name": golden.prompt_name, "task": golden.task}
        given = {name: value for name, value in options.items() if value is not None}
        name = ", ".join(f"{option}={value!r}" for option, value in given.items()) or "embeddings"
        found.append(compared(name, model.encode(texts, **given), golden.embeddings, threshold))
    return found


def compare(
    model: SentenceTransformer, original: Any, texts: list[str], threshold: float = FLOAT32_COSINE
) -> list[Comparison]:
    """Every public output of ``model`` for ``texts`` with that of ``original``, a model of sentence-transformers.

    Below float32's ``threshold`` what rounding hits hardest is left out: token embeddings and quantized vectors. The
    last comparison is of the model with itself: texts one by one, and all at once.
    """
    outputs = _outputs(model, original.prompts)
    if threshold >= LOSSLESS_COSINE:
        outputs |= _fine_outputs(model)
    found = [_tried(name, encode, model, original, texts, threshold) for name, encode in outputs.items()]
    encode = outputs["embeddings"]
    single = [encode(model, [text])[0] for text in texts]
    return [*found, compared("one by one", single, encode(model, texts), threshold)]


def _tried(
    name: str, encode: Encode, model: SentenceTransformer, original: Any, texts: list[str], threshold: float
) -> Comparison:
    """One output of both; where one of them does not give it, they are not equal."""
    try:
        found, wanted = encode(model, texts), encode(original, texts)
        if isinstance(
            found, list
        ):  # tokens, which there begin with padding on the left; one row for a text without any
            wanted = [rows[len(rows) - len(own) :] for own, rows in zip(found, wanted, strict=True)]
        return compared(name, found, wanted, min(threshold, LOSSLESS_COSINE) if name in _QUANTIZED else threshold)
    except Exception as error:  # noqa: BLE001 - the original raises anything
        return Comparison(f"{name} ({type(error).__name__}: {error})", float("nan"), float("inf"), 1.0, threshold)


def _fine_outputs(model: SentenceTransformer) -> dict[str, Encode]:
    task = {"task": model.tasks[0]}
    outputs = {precision: _repeated(_encode("encode", {**task, "precision": precision})) for precision in _QUANTIZED}
    if model.has_token_embeddings:
        outputs["token embeddings"] = _encode("encode", {**task, "output_value": "token_embeddings"})
    return outputs


def _repeated(encode: Encode) -> Encode:
    """With texts enough that ranges are taken without a warning."""
    return lambda model, texts: encode(model, texts * math.ceil(_ENOUGH_FOR_RANGES / len(texts)))


def _similarity(model: Any, texts: list[str]) -> NDArray[Any]:
    vectors = model.encode(texts, batch_size=_FEW, show_progress_bar=False)
    return np.asarray(model.similarity(vectors, vectors))


def _outputs(model: SentenceTransformer, prompts: Mapping[str, str | None]) -> dict[str, Encode]:
    """What is compared, by name; each is called with the model and with the original, which has ``prompts``."""
    task = {"task": model.tasks[0]}
    tasks = [name for name in model.tasks if name is not None]
    named = {name for each in (prompts, model.prompts) for name, prompt in each.items() if prompt}
    half = max(1, model.get_embedding_dimension() // 2)
    options: dict[str, dict[str, Any]] = {
        "embeddings": {},
        "truncated and normalized": {"truncate_dim": half, "normalize_embeddings": True},
        **{f"prompt {name!r}": {"prompt_name": name} for name in sorted(named)},
        **{f"task {name!r}": {"task": name} for name in tasks},
    }
    outputs = {name: _encode("encode", {**task, **given}) for name, given in options.items()}
    if model.tasks[0] is None:
        outputs["similarity"] = _similarity
    return outputs | {name: _encode(name, {}) for name in ("encode_query", "encode_document") if _takes(model, name)}


def _takes(model: SentenceTransformer, method: str) -> bool:
    """Whether the model has a road for the method's task; without a router it needs none."""
    return model.tasks == [None] or method.removeprefix("encode_") in model.tasks


def _encode(method: str, options: Mapping[str, Any]) -> Encode:
    return lambda model, texts: getattr(model, method)(texts, batch_size=_FEW, show_progress_bar=False, **options)


def compared(output: str, found: Any, wanted: Any, threshold: float = FLOAT32_COSINE) -> Comparison:
    """One output of the model, ``found``, with the one that is ``wanted``: arrays, or lists of them."""
    a, b = _rows(found), _rows(wanted)
    if a.shape != b.shape:
        return Comparison(f"{output} (shape {a.shape}, original {b.shape})", float("nan"), float("inf"), 1.0, threshold)
    worst = float(np.nan_to_num(cosines(a, b), nan=-1).min(initial=1))
    difference, scale = (float(np.abs(values).max(initial=0)) for values in (a - b, b))
    return Comparison(output, worst, difference, scale, threshold)


def _rows(values: Any) -> Rows:
    """Rows (n, width) of an output: of token embeddings every token's."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return values.astype(np.float64)
    return np.concatenate([np.atleast_2d(np.asarray(value)) for value in values]).astype(np.float64)


def cosines(found: NDArray[Any], wanted: NDArray[Any]) -> Rows:
    """The cosine (texts,) of each row with its counterpart, in float64; 1 where both are zero."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    return np.where(both_zero, 1.0, (a * b).sum(axis=1) / np.where(lengths == 0, 1, lengths))


def recorded_variants(record: Record) -> Iterator[tuple[GraphRecord, Variant]]:
    """The record's graphs, each with the variant that runs it."""
    for entry in record.graphs:
        yield entry, Variant(entry.file, entry.engine, entry.dtype, tuple(sorted(entry.cpu_features)))


def runs_here(variant: Variant) -> bool:
    """Whether the engine is installed and the CPU has what the variant needs."""
    if variant.dtype == "bfloat16" and not has_bfloat16():
        return False
    return variant.engine in ("numpy", *installed_engines()) and cpu_features().issuperset(variant.cpu_features)


def open_variant(folder: Path, variant: Variant) -> SentenceTransformer:
    """The folder with this graph. A float16 graph is for GPUs, yet a CPU can compute it: slowly, but the same."""
    if variant.engine == "numpy":
        return SentenceTransformer(folder)
    dtype = "float32" if variant.dtype == "float16" else variant.dtype
    return SentenceTransformer(folder, backend=variant.engine, dtype=dtype, model_kwargs={"file_name": variant.file})
