"""PyTorch to ONNX by PyTorch's own exporter, for encoders that neither `builder` nor optimum describes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..builder.graph_writer import OPSET
from ..errors import ExportError
from .attention import finite_masks
from .leading_modules import LeadingModules

_BATCH, _TOKENS = "batch_size", "sequence_length"
_EXAMPLE = (3, 7)  # texts and tokens
_FIRST_ID = 5  # of the example, beyond the usual special tokens


def trace_with_torch(leading: LeadingModules, model: Any, path: Path) -> None:
    """Write ``model``, that of ``leading``, to ``path`` for any batch size and number of tokens.

    Its inputs and output are named as other exporters name them. Raises ExportError where PyTorch fixed a size that
    must vary, and whatever its exporter raises.
    """
    import onnx

    inputs = _example(leading)
    any_size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    for part in model.modules():
        if hasattr(getattr(part, "config", None), "use_cache"):
            part.config.use_cache = False
    with finite_masks(), _lstm_of_any_length():
        program = torch.onnx.export(
            _OneOutput(model, leading.output).eval(),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=[leading.output],
            dynamic_shapes=dict.fromkeys(inputs, any_size),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    program.save(path, external_data=True)
    graph = onnx.load(path, load_external_data=False)
    _name_sizes(graph.graph, path)
    onnx.save_model(graph, path)


@contextmanager
def _lstm_of_any_length() -> Iterator[None]:
    """Let PyTorch's exporter trace an LSTM as a loop, though another trace of this process has met one before.

    It registers the loop without forgetting which implementation was last chosen, here one of a fixed length.
    """
    chosen = torch.ops.aten.lstm.input._dispatch_cache  # of no public name
    chosen.clear()
    try:
        yield
    finally:
        chosen.clear()


class _OneOutput(torch.nn.Module):  # type: ignore[misc]  # torch is not seen by the type checker
    """``model`` with the one output ``output``, and only the inputs that a graph has."""

    def __init__(self, model: Any, output: str) -> None:
        super().__init__()
        self.model, self.output = model, output

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The output of a batch (batch, tokens)."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        found: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask, **types)[self.output]
        return found


def _example(leading: LeadingModules) -> dict[str, torch.Tensor]:
    """Inputs (batch, tokens) int64; the first text is padded, on the side of the tokenizer."""
    ids = (_FIRST_ID + torch.arange(_EXAMPLE[0] * _EXAMPLE[1]).view(_EXAMPLE)) % leading.config.vocab_size
    mask = torch.ones_like(ids)
    left = getattr(leading.modules[0].tokenizer, "padding_side", "right") == "left"
    mask[0, slice(0, 2) if left else slice(-2, None)] = 0
    every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: every[name] for name in leading.input_names}


def _name_sizes(graph: Any, path: Path) -> None:
    """Give the varying sizes their usual names, and check that PyTorch fixed none of them."""
    ids, *others, output = (port.type.tensor_type.shape.dim for port in (*graph.input, *graph.output))
    names = {ids[0].dim_param: _BATCH, ids[1].dim_param: _TOKENS}
    for sizes in (ids, *others):
        for size, name in zip(sizes, (_BATCH, _TOKENS), strict=True):
            if not size.dim_param:
                raise ExportError(f"PyTorch's exporter fixed the {name} at {size.dim_value} in {path.name}")
            size.dim_param = name
    for size in output:
        if size.dim_param:
            size.dim_param = names.get(size.dim_param, size.dim_param)
    del graph.value_info[:]
    for node in graph.node:
        del node.metadata_props[:]
