"""ONNX Runtime's optimizer of transformers: its own fusions, then those that it finds by pattern in Python."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edge_st_runtime.engines import quiet_onnxruntime  # noqa: F401 - before the optimizer imports onnxruntime

#: by model_type: the set of patterns; all others are searched for those of BERT
_PATTERNS = {
    **dict.fromkeys(("bart", "mbart", "marian", "m2m_100", "bigbird_pegasus", "mt5", "whisper"), "bart"),
    **dict.fromkeys(
        ("bloom", "codegen", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gptj", "granite", "llama", "mistral"),
        "gpt2",
    ),
    "clip": "clip",
}
_HEADS = ("num_attention_heads", "n_heads", "num_heads", "n_head", "encoder_attention_heads")
_WIDTHS = ("hidden_size", "dim", "d_model", "n_embd", "n_embed")


@dataclass(frozen=True)
class Fusions:
    """What to do: ONNX Runtime's own ``level`` (1 basic, 2 extended), then the fusions by ``patterns`` or none.

    ``fast_gelu`` approximates GELU by its tanh form. ``raw_mask`` gives fused attention the mask itself, right for any
    padding; otherwise it gets lengths, right for padding on the right. ``for_gpu`` lets ONNX Runtime optimize for the
    GPU that it has; without one it then does nothing, and the patterns remain.
    """

    level: int
    patterns: bool = True
    fast_gelu: bool = False
    raw_mask: bool = True
    for_gpu: bool = False


#: by the names that optimum and sentence-transformers give them
LEVELS = {"O1": Fusions(1, patterns=False), "O2": Fusions(2), "O3": Fusions(2, fast_gelu=True)}


def fuse(graph: Path, config: Mapping[str, Any], fusions: Fusions) -> Any:
    """The ONNX file ``graph`` of a transformer with this config.json, optimized, as onnxruntime.transformers' model.

    Source: optimum's ORTOptimizer, which calls the same function with the same arguments.
    """
    patterns = _PATTERNS.get(str(config.get("model_type")), "bert")
    heads, width = _number(config, _HEADS), _number(config, _WIDTHS)
    if not heads or width % heads:  # the optimizer then finds them in the graph
        heads = width = 0
    options = import_module("onnxruntime.transformers.fusion_options").FusionOptions(patterns)
    optimize_model = import_module("onnxruntime.transformers.optimizer").optimize_model
    options.enable_embed_layer_norm = False
    options.enable_gelu_approximation = fusions.fast_gelu
    if fusions.raw_mask:
        options.use_raw_attention_mask(True)
    with _with_biases(graph) as completed, _silent():
        return optimize_model(
            completed.as_posix(),
            patterns,
            heads,
            width,
            optimization_options=options,
            opt_level=fusions.level,
            use_gpu=fusions.for_gpu,
            only_onnxruntime=not fusions.patterns,
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Without what the optimizer's many modules log of patterns that they do not find."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _with_biases(graph: Path) -> Iterator[Path]:
    """``graph`` itself, or a copy beside it in which every layer normalization has a bias: the optimizer reads them."""
    import onnx

    model = onnx.load(graph, load_external_data=False)
    lacking = [each for each in model.graph.node if each.op_type == "LayerNormalization" and len(each.input) == 2]
    if not lacking:
        yield graph
        return
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in lacking:
        name = f"{node.input[1]}/no_bias"
        if name not in sizes:
            sizes[name] = sizes[node.input[1]]
            zeros = np.zeros(sizes[name], dtype=np.float32)
            model.graph.initializer.append(onnx.numpy_helper.from_array(zeros, name))
        node.input.append(name)
    completed = graph.with_name(f".{graph.stem}.biases.onnx")
    try:
        onnx.save_model(model, completed)
        yield completed
    finally:
        completed.unlink(missing_ok=True)


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((config[name] for name in names if isinstance(config.get(name), int)), 0)
