"""float16 and bfloat16 graphs for GPUs, made from onnx/model.onnx."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.model.batching import pad_batch
from edge_st_runtime.model.route import Route
from edge_st_runtime.model.tokenizers import open_tokenizer
from edge_st_runtime.text.tokens import TextOrPair

from ..errors import converting
from .external_data import move_weights_beside, one_file, save_with_weights_beside
from .fused_attention import fuse_attention
from .fusing import Fusions, fuse
from .half import clamp_masks, to_half
from .observed import observe_floats

HALF_FILES = {"float16": "onnx/model_O4.onnx", "bfloat16": "onnx/model_bf16.onnx"}
_LONGEST = 512  # tokens of a text that is observed


def emulated_file(file: str) -> str:
    """The file of the graph that computes on a CPU what ``file`` computes on a GPU; it is deleted after the export."""
    return str(PurePosixPath(file).with_suffix(".emulated.onnx"))


def write_half(plain: Path, route: Route, config: Mapping[str, Any], dtype: str, texts: Sequence[TextOrPair]) -> Path:
    """Write the graph in ``dtype`` beside ``plain``, and beside it the one that emulates it on a CPU.

    ``config`` is the transformer's config.json. Attention, layer normalization and GELU are fused for GPUs. What
    overflows while ``texts`` run, which have at least one token, stays in float32. Raises ExportError.
    """
    target = plain.parent / PurePosixPath(HALF_FILES[dtype]).name
    with (
        converting(f"the conversion of {config.get('model_type')} to {dtype}", "leave it out (--dtype, --fp16)"),
        tempfile.TemporaryDirectory() as scratch,
    ):
        fused = fuse(one_file(plain, Path(scratch)), config, Fusions(level=1)).model
        clamp_masks(fused.graph)
        observed = Path(scratch, "observed")
        observed.mkdir()
        seen = observe_floats(fused, _batches(route, texts), observed)
        fuse_attention(fused, seen)
        for emulated in (False, True):
            half = type(fused)()
            half.CopyFrom(fused)
            to_half(half, seen, dtype, emulated=emulated)
            _save(half, target.with_name(PurePosixPath(emulated_file(target.name)).name) if emulated else target)
    return target


def _save(model: Any, path: Path) -> None:
    save_with_weights_beside(model, path)
    move_weights_beside(path)


def _batches(route: Route, texts: Sequence[TextOrPair]) -> list[TokenBatch]:
    """Each of ``texts`` alone, cut to what is observed, and all of them as one padded batch."""
    tokenizer, limit = open_tokenizer(route)
    tokens = tokenizer(list(texts), min(limit or _LONGEST, _LONGEST), None)
    rows = [row for row, ids in enumerate(tokens.ids) if len(ids)]
    types = tokens.type_ids

    def batch(chosen: Sequence[int]) -> TokenBatch:
        return pad_batch(
            [tokens.ids[row] for row in chosen],
            None if types is None else [types[row] for row in chosen],
            tokenizer.pad_id,
            pad_left=False,
        )

    by_length = sorted(rows, key=lambda row: len(tokens.ids[row]))
    return [*(batch([row]) for row in rows), batch(by_length[: max(1, len(rows) - 1)])]
