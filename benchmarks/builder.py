"""Graphs that edge-st writes from the weights, beside those that are traced from PyTorch.

For each architecture, with random weights (6 layers, 384 dimensions, 12 heads, 30,000 tokens): the largest difference
of a hidden state, a weight or a score from PyTorch in float32, over padded batches and a text of 512 tokens; seconds
from the model folder to the graph; the peak memory of the process that made it; milliseconds for 4 texts of 128 tokens
on ONNX Runtime in one thread. Imports are in the memory, not in the seconds. Tracing is by optimum-onnx where that is
installed, else by torch.onnx. Run it from the repository, with PYTHONPATH=.:runtime:export.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tables import markdown

SIZES = {
    "vocab_size": 30_000,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
DECODER = {**SIZES, "num_key_value_heads": 4, "head_dim": 32, "max_position_embeddings": 2048, "pad_token_id": 0}
GEMMA = {**DECODER, "use_bidirectional_attention": True, "query_pre_attn_scalar": 32, "sliding_window": 512}
T5 = {"d_model": 384, "d_kv": 32, "d_ff": 1536, "num_layers": 6, "num_heads": 12, "vocab_size": 30_000}
#: name → the class of its configuration in transformers or in the zoo, and settings
ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "BERT": ("BertConfig", SIZES),
    "ALBERT": ("AlbertConfig", {**SIZES, "embedding_size": 128}),
    "DeBERTa-v3": ("DebertaV2Config", {**SIZES, **DEBERTA}),
    "ModernBERT": ("ModernBertConfig", {**SIZES, **dict.fromkeys(("pad_token_id", "cls_token_id", "sep_token_id"), 0)}),
    "NomicBERT": ("NomicBertConfig", {**SIZES, "max_position_embeddings": 2048}),
    "GTE": ("NewModel", {**SIZES, "type_vocab_size": 1}),
    "Qwen3": ("Qwen3Config", DECODER),
    "Gemma 3": ("Gemma3TextConfig", GEMMA),
    "T5": ("T5Config", T5),
    "SPLADE of BERT": ("BertConfig", SIZES),
    "LogitScore of Qwen3": ("Qwen3Config", DECODER),
}
LENGTHS = ((1, 2, 17, 64), (128,) * 4, (512,))


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    made.add_argument("--name", choices=ARCHITECTURES, help="only this architecture")
    made.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.name, options.folder)))
        return
    header = ["", *(f"{what}, {way}" for what in ("difference", "s", "MB", "ms") for way in ("edge-st", "traced"))]
    for place, name in enumerate([options.name] if options.name else ARCHITECTURES):
        with tempfile.TemporaryDirectory() as scratch:
            found = {step: _run(step, name, Path(scratch)) for step in STEPS}
        made_in = (found["build"], found["trace"])
        cells = [f"{each:.1e}" for each in found["compare"]]
        cells += [f"{made_in[way][figure]:.{1 - figure}f}" for figure in (0, 1) for way in (0, 1)]
        cells += [f"{each:.0f}" for each in found["run"]]
        lines = markdown(header, [[name, *cells]]).splitlines()
        print("\n".join(lines[2 if place else 0 :]), flush=True)


def _run(step: str, name: str, folder: Path) -> Any:
    command = [sys.executable, __file__, "--step", step, "--name", name, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def make(name: str, folder: Path) -> None:
    """Save the model in ``folder``."""
    import transformers

    from tests.export.originals import BERT_TOKENS, save_original
    from tests.export.zoo import gated_encoders
    from tests.export.zoo.cross_encoders import reranker
    from tests.export.zoo.sparse import splade
    from tests.support.tiny_tokenizers import wordpiece

    kind, settings = ARCHITECTURES[name]
    own = getattr(gated_encoders, kind, None)
    config = (own.config_class if own else getattr(transformers, kind))(**settings)
    options: dict[str, Any] = {"config": config, "limit": 512}
    if name.startswith("SPLADE"):
        splade(**options)(folder)
    elif name.startswith("LogitScore"):
        reranker(20, 30, tokenizer=wordpiece, tokens=BERT_TOKENS, **options)(folder)
    elif own or kind == "T5Config":
        save_original(
            folder, model_class=own or transformers.T5EncoderModel, spread=0.02, trust_remote_code=bool(own), **options
        )
    else:
        save_original(folder, spread=0.02, **options)


def build(_name: str, folder: Path) -> list[float]:
    """Let edge-st write the graph; returns seconds and MB."""
    import onnx  # noqa: F401 - imports are not measured

    from edge_st_export.builder.conversion import convert_model

    return _measured(partial(convert_model, folder / "original", folder / "built"))


def trace(_name: str, folder: Path) -> list[float]:
    """Trace the graph; returns seconds and MB."""
    from edge_st_export.graph import onnx_export

    def traced() -> None:
        path = folder / "traced/onnx/model.onnx"
        path.parent.mkdir(parents=True)
        onnx_export._trace(_leading(folder), path)

    return _measured(traced)


def compare(_name: str, folder: Path) -> list[float]:
    """The largest differences from PyTorch, of the written graph and of the traced one."""
    import torch

    from edge_st_runtime.arrays import TokenBatch

    leading = _leading(folder)
    output = str(leading.output).replace("last_hidden_state", "token_embeddings")
    backends = _backends(folder)
    worst = [0.0, 0.0]
    for lengths in LENGTHS:
        ids, mask = _batch(lengths)
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        with torch.no_grad():
            for module in leading.modules:
                features = module(features)
        wanted = features[output].numpy()
        for place, backend in enumerate(backends):
            found = backend.run(TokenBatch(ids, mask, np.zeros_like(ids)))
            apart = np.abs(found - wanted)
            worst[place] = max(worst[place], float((apart[mask == 1] if apart.ndim == 3 else apart).max()))
    return worst


def run(_name: str, folder: Path) -> list[float]:
    """Milliseconds of both graphs, the best of several in turn."""
    from edge_st_runtime.arrays import TokenBatch

    ids, mask = _batch(LENGTHS[1])
    best = [float("inf")] * 2
    backends = _backends(folder)
    for _ in range(10):
        for place, backend in enumerate(backends):
            begin = time.perf_counter()
            backend.run(TokenBatch(ids, mask, np.zeros_like(ids)))
            best[place] = min(best[place], 1000 * (time.perf_counter() - begin))
    return best


STEPS: Mapping[str, Callable[[str, Path], Any]] = {
    "make": make,
    "build": build,
    "trace": trace,
    "compare": compare,
    "run": run,
}


def _leading(folder: Path) -> Any:
    """The modules of the original that are in its graph."""
    from edge_st_export.graph.leading_modules import find_leading_modules
    from edge_st_export.original.loading import find_source, load_original
    from edge_st_runtime.model.folder import read_folder

    original = load_original(find_source(folder / "original", None, None), trust_remote_code=True)
    (leading,) = find_leading_modules(original, read_folder(folder / "original"))
    return leading


def _backends(folder: Path) -> list[Any]:
    from edge_st_runtime.engines.backend import EngineOptions, open_backend

    options = EngineOptions(num_threads=1, scores=(folder / "original/1_LogitScore").is_dir())
    return [open_backend("onnx", folder / way / "onnx/model.onnx", options) for way in ("built", "traced")]


def _batch(lengths: tuple[int, ...]) -> tuple[Any, Any]:
    """Texts that are padded on the left, as sentence-transformers pads those that a LogitScore reads the end of."""
    mask = (np.arange(max(lengths))[::-1] < np.array(lengths)[:, None]).astype(np.int64)
    return np.random.default_rng(1).integers(5, 30_000, mask.shape) * mask, mask


def _measured(work: Callable[[], object]) -> list[float]:
    begin = time.perf_counter()
    work()
    seconds = time.perf_counter() - begin
    return [seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


if __name__ == "__main__":
    main()
