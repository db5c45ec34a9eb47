"""The self-test: run the folder's golden texts once, to see that a variant computes correctly on this machine.

In dtypes below float32 an engine may give other results on another CPU: int8 products, for example, saturate on a CPU
without dot product instructions. The result is cached, so that only the first load of a variant pays for it.
"""

import hashlib
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..arrays import Floats
from ..engines.backend import engine_version
from ..engines.signature import SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import EdgeSTError, EngineError
from ..files.reading import reading
from ..machine.cpu import cpu_features, cpu_name
from ..machine.local_cache import can_keep, digest, keep, recall
from ..modules.specs import Features
from ..text.tokens import TextOrPair
from ..vectors.parity import correlations, cosines
from .classes import CROSS_ENCODER, result_of
from .folder import SETTINGS_FILE, ModelFolder
from .pipeline import Pipeline
from .record import Golden, GraphRecord, Record
from .variants import Choice

VARIABLE = "EDGE_ST_SELF_TEST"
_KIND = "self-test"
_BATCH = 4
_SHORT = 200  # characters
#: what a model gives that has not as many token vectors for a text as the original
_NO_ROWS: Floats = np.full((1, 1), np.nan, dtype=np.float32)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RouteUnderTest:
    """A route's pipeline, its limit in tokens, and the path of its graph relative to the model folder."""

    pipeline: Pipeline
    limit: int | None
    graph: str


def self_test(folder: ModelFolder, choice: Choice, device: str, routes: Mapping[str, RouteUnderTest]) -> None:
    """Raise EngineError where ``choice`` is not as near to the original as its entry in the record promises.

    ``routes`` are the routes that run the choice, on ``device``. The golden texts that use no named prompt are run, and
    the least cosine to the original's vectors must reach `GraphRecord.least_golden`; logits of pairs are compared by
    their correlation, token vectors one by one. The result is cached in the user's cache folder, under the graph's
    checksums, the engine's version and the CPU. Where it cannot be cached, every load runs the short texts alone, in a
    third of the time.

    There is no test in float32, without an entry in the record, and where the environment has EDGE_ST_SELF_TEST=0.
    """
    entry = _entry(folder.record, choice)
    if entry is None or folder.record is None or os.environ.get(VARIABLE, "").strip() == "0":
        return
    key = _key(folder.record, choice, device, [route.graph for route in routes.values()])
    found = _cosine(recall(_KIND, key))
    if found is None:
        start, short = time.perf_counter(), not can_keep(_KIND)
        found = _measured(folder, folder.record, routes, short=short)
        milliseconds = round((time.perf_counter() - start) * 1000, 1)
        _logger.info("self-test of %s: cosine %.5f, in %.0f ms", choice, found, milliseconds)
        kept = {"folder": str(folder.path), "variant": str(choice), "cpu": cpu_name(), "milliseconds": milliseconds}
        keep(_KIND, key, {**kept, "cosine": found})
    if not found >= entry.least_golden:
        raise EngineError(
            f"{choice} reaches a cosine of {found:.5f} to the original on this machine, expected at least "
            f"{entry.least_golden:.5f}: this CPU or engine computes it differently. Use another variant, such as "
            "dtype='float32', or export the model again on this machine with: edge-st export"
        )


def _entry(record: Record | None, choice: Choice) -> GraphRecord | None:
    """The record's entry for ``choice``; None where there is none, and for float32."""
    if record is None or choice.dtype == "float32":
        return None
    wanted = (choice.engine, choice.file, choice.dtype)
    return next((entry for entry in record.graphs if (entry.engine, entry.file, entry.dtype) == wanted), None)


def _key(record: Record, choice: Choice, device: str, graphs: list[str]) -> str:
    files = sorted({name for graph in graphs for name in record.graph_files(graph)})
    checksums = [record.files[name][0] for name in files]
    engine = (choice.engine, engine_version(choice.engine), device)
    golden = [_identity(part) for part in record.golden]
    return digest(checksums, choice.dtype, engine, cpu_name(), sorted(cpu_features()), golden)


def _identity(golden: Golden) -> list[object]:
    counts = [] if golden.counts is None else [golden.counts.tolist()]
    return [golden.task, hashlib.sha256(golden.embeddings.tobytes()).hexdigest(), *counts]


def _cosine(kept: Mapping[str, object] | None) -> float | None:
    value = (kept or {}).get("cosine")
    return value if isinstance(value, float) and math.isfinite(value) else None


def _measured(folder: ModelFolder, record: Record, routes: Mapping[str, RouteUnderTest], *, short: bool) -> float:
    """The least cosine or correlation; -1 for an output with NaN or of another shape, 1 without anything to compare."""
    places = _tested(record.golden_texts, short=short)
    texts, near = [record.golden_texts[place] for place in places], [1.0]
    compare = correlations if folder.model_type == CROSS_ENCODER else cosines
    for part in record.golden:
        route = routes.get(folder.route(part.task))
        if route is None or part.prompt_name is not None:
            continue
        expected = part.at(places)
        found = _outputs(folder, texts, expected, route)
        if found.shape != expected.embeddings.shape:
            return -1.0
        near += np.nan_to_num(compare(found, expected.embeddings), nan=-1).tolist()
    return min(near)


def _tested(texts: Sequence[TextOrPair], *, short: bool) -> list[int]:
    """The places of the texts, or of the short ones alone where there are any."""
    found = [place for place, text in enumerate(texts) if _characters(text) <= _SHORT] if short else []
    return found or list(range(len(texts)))


def _characters(text: TextOrPair) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))


def _outputs(folder: ModelFolder, texts: Sequence[TextOrPair], golden: Golden, route: RouteUnderTest) -> Floats:
    """What the route gives for ``texts``, in the shape of ``golden.embeddings`` unless it has other tokens.

    Of several heads it is the dense one.
    """
    with reading(folder.path / SETTINGS_FILE):
        prompt = (folder.settings.get("prompts") or {}).get(folder.settings.get("default_prompt_name"))
        extra = route.pipeline.prompt_features(prompt, route.limit)
    gives = SENTENCE_EMBEDDING if folder.by_head else result_of(folder.model_type)
    select = _token_rows if golden.counts is not None else partial(_rows, gives)
    pipeline = replace(route.pipeline, modules=()) if folder.by_head else route.pipeline
    batches = pipeline.run(
        texts,
        select,
        limit=route.limit,
        batch_size=_BATCH,
        prompt=prompt,
        extra=extra,
        tokens=golden.counts is not None,
        outputs=(SENTENCE_EMBEDDING,) if folder.by_head else (),
    )
    try:
        rows = {int(place): row for places, found in batches for place, row in zip(places, found, strict=True)}
    except EdgeSTError as error:
        raise EngineError(f"the self-test could not run {route.graph}: {error}") from error
    ordered = [rows[place] for place in range(len(texts))]
    if golden.counts is not None and [len(each) for each in ordered] != golden.counts.tolist():
        return _NO_ROWS
    found = np.concatenate(ordered)
    if golden.dimensions is not None:
        return found[:, golden.dimensions] * (golden.embeddings != 0)
    return found[:, : golden.embeddings.shape[1]]


def _rows(gives: str, features: Features) -> list[Floats]:
    """The row (1, dim) of each text."""
    return [row[np.newaxis] for row in np.asarray(features[gives])]


def _token_rows(features: Features) -> list[Floats]:
    """The token vectors (tokens, dim) of each text that are scored."""
    masks = features["attention_mask"].astype(bool)
    return [rows[mask] for rows, mask in zip(features[TOKEN_EMBEDDINGS], masks, strict=True)]
