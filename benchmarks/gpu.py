"""All checks that need a GPU, in one run of at most six minutes.

Run ``python benchmarks/gpu.py`` in an environment with edge-st, edge-st-export, onnxruntime-gpu, sentence-transformers
and PyTorch for CUDA. ``--model``, ``--reranker`` and ``--sparse`` name originals (folders or names on the Hub); those
left out are BERTs of base size with random weights. It checks, for models of all three classes:

- parity with the original in float32 on PyTorch: in float32, float16 and bfloat16 on the device;
- that the session runs on the device, that pooling does, and that nothing falls back to the CPU;
- texts a second beside sentence-transformers in float16 on the same device, with SDPA and, where flash-attn is
  installed, FlashAttention 2, and beside its ONNX backend where optimum-onnx is installed;
- ``edge-st tune --device``, and a pool of two processes on the device.

It exits with 1 if a check fails; a step that time or a missing package does not allow is told, and no failure.
``--cpu-rehearsal`` runs all of it on the CPU with tiny models, so that the script is known to work but for the device.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from gpu_models import BASE, SMALL, TASKS, random_model

from edge_st.models.classes import open_model
from edge_st.verification.outputs import plain_output
from edge_st_export import export_model
from edge_st_export.original.loading import find_source, load_original
from edge_st_export.original.texts import texts_for
from edge_st_runtime.engines.backend import engine_version
from edge_st_runtime.errors import EdgeSTError, EngineError, OptionError
from edge_st_runtime.machine.cpu import cpu_name
from edge_st_runtime.machine.gpu import gpu_names
from edge_st_runtime.model.classes import CROSS_ENCODER, SENTENCE_TRANSFORMER, SPARSE_ENCODER
from edge_st_runtime.vectors.parity import correlations, cosines

_LEAST = {"float32": 0.99999, "float16": 0.999, "bfloat16": 0.99}
_FILES = {"float32": "onnx/model.onnx", "float16": "onnx/model_O4.onnx", "bfloat16": "onnx/model_bf16.onnx"}
_BATCH = 4096
_ROUNDS = 3


@dataclass
class Run:
    """The device (None: a rehearsal on the CPU), the end of the time, and what was found."""

    device: str | None
    end: float
    texts: int
    results: list[dict[str, Any]] = field(default_factory=list)

    def note(self, step: str, outcome: str, **figures: Any) -> None:
        """Keep and print an outcome: "ok", "FAILED" or why a step was left out."""
        self.results.append({"step": step, "outcome": outcome, **figures})
        shown = ", ".join(f"{name} {value}" for name, value in figures.items())
        print(f"{step:<46} {outcome}{': ' + shown if shown else ''}", flush=True)

    def check(self, step: str, passed: bool, **figures: Any) -> None:
        """Keep and print whether a check passed."""
        self.note(step, "ok" if passed else "FAILED", **figures)

    @contextmanager
    def step(self, name: str) -> Iterator[bool]:
        """Whether there is time for a step of this name; what it raises is a failure of it alone."""
        if time.monotonic() > self.end:
            self.note(name, "left out: no time left")
            yield False
            return
        try:
            yield True
        except Exception as error:  # noqa: BLE001 - the other steps are to run
            self.note(name, "FAILED", reason=f"{type(error).__name__}: {error}")


def main() -> int:
    """Run every step; returns the exit code."""
    options = _options()
    rehearsal = options.cpu_rehearsal
    run = Run(None if rehearsal else options.device, time.monotonic() + 60 * options.minutes, 24 if rehearsal else 4096)
    given = {SENTENCE_TRANSFORMER: options.model, CROSS_ENCODER: options.reranker, SPARSE_ENCODER: options.sparse}
    run.note("machine", "rehearsal" if rehearsal else "ok", gpus=gpu_names() or "none", cpu=cpu_name())
    run.note("engine", "ok", onnxruntime=engine_version("onnx"))
    with tempfile.TemporaryDirectory() as folder:
        refusals(run)
        for kind, original in given.items():
            place = Path(folder, kind)
            source = original or random_model(kind, place / "original", SMALL if rehearsal else BASE)
            with run.step(f"{kind}: all") as has_time:
                if has_time:
                    one_class(run, kind, str(source), place / "exported", named=original is not None)
    if options.out is not None:
        options.out.write_text(json.dumps(run.results, indent=1, default=str))
    return int(any(result["outcome"] == "FAILED" for result in run.results))


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "reranker", "sparse"):
        made.add_argument(f"--{name}", help="an original: a folder or a name on the Hub")
    made.add_argument("--device", default="cuda")
    made.add_argument("--minutes", type=float, default=5.5, help="no step begins after so many minutes")
    made.add_argument("--cpu-rehearsal", action="store_true", help="tiny models on the CPU")
    made.add_argument("--out", type=Path, help="write what was found to this JSON file")
    return made.parse_args()


def refusals(run: Run) -> None:
    """A device that is not there is refused, and never replaced by the CPU."""
    from edge_st_runtime.engines.backend import EngineOptions, open_backend

    with tempfile.TemporaryDirectory() as folder:
        graph = _tiny_graph(Path(folder))
        missing = ["cuda", "tensorrt"] if run.device is None else [f"{run.device.partition(':')[0]}:97"]
        for device in [*missing, "dml", "mps", "no-such-device"]:
            try:
                found = open_backend("onnx", graph, EngineOptions(num_threads=1, device=device)).info()["providers"]
                run.check(f"refused: {device}", passed=False, opened_on=found)
            except (EngineError, OptionError) as error:
                run.check(f"refused: {device}", passed=True, message=str(error)[:90])


def _tiny_graph(folder: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper

    names = ("input_ids", "attention_mask")
    ports = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in names]
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", "tokens"])
    nodes = [
        helper.make_node("Mul", [*names], ["both"]),
        helper.make_node("Cast", ["both"], ["sentence_embedding"], to=1),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", ports, [output]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save_model(model, folder / "model.onnx")
    return folder / "model.onnx"


def one_class(run: Run, kind: str, source: str, out: Path, *, named: bool) -> None:
    """Every check of one class of models."""
    began = time.monotonic()
    task = None if named else TASKS[kind]
    report = export_model(source, out, engines=["onnx"], fp16=True, bf16=True, task=task, quiet=True)
    compared = {graph.dtype: (round(graph.cosine_min, 6), graph.arithmetic or "itself") for graph in report.graphs}
    run.note(f"{kind}: export", "ok", seconds=round(time.monotonic() - began, 1), compared=compared)
    original = load_original(find_source(source, None, None, task), trust_remote_code=False)
    texts: list[Any] = texts_for(kind)[:80]
    wanted = plain_output(original, texts, None, None)
    for dtype in _LEAST:
        with run.step(f"{kind}: parity in {dtype}") as has_time:
            if has_time:
                parity(run, kind, out, dtype, texts, wanted)
    speed(run, kind, out, original, source)
    if kind == SENTENCE_TRANSFORMER:
        with run.step(f"{kind}: tune") as has_time:
            if has_time:
                tuning(run, kind, out)
        with run.step(f"{kind}: pool") as has_time:
            if has_time:
                pool(run, kind, out)


def opened(run: Run, out: Path, dtype: str, **engine: Any) -> Any:
    """The exported model in ``dtype``; a rehearsal runs the graph itself on the CPU. None where a CPU cannot."""
    if run.device is not None:
        return open_model(out, backend="onnx", dtype=dtype, device=run.device, model_kwargs=engine)
    if dtype == "bfloat16":
        return None
    return open_model(out, backend="onnx", model_kwargs={"file_name": _FILES[dtype], **engine})


def parity(run: Run, kind: str, out: Path, dtype: str, texts: list[Any], wanted: Any) -> None:
    """How near the device comes to the original, and that it is the device."""
    model = opened(run, out, dtype)
    if model is None:
        run.note(f"{kind}: parity in {dtype}", "left out: no CPU runs it")
        return
    found = plain_output(model, texts, None, None)
    near = (correlations if kind == CROSS_ENCODER else cosines)(found, wanted)
    worst, info = float(np.nan_to_num(near, nan=-1).min()), model.info()
    right = info["graph"] == _FILES[dtype] and (run.device is None) == (info["providers"][0] == "CPUExecutionProvider")
    pools = model._runner.main_pipeline.backend.pooled is not None
    as_wanted = pools == (run.device is not None and kind == SENTENCE_TRANSFORMER)
    figures = {"worst": round(worst, 7), "providers": info["providers"], "pools_on_device": pools}
    run.check(f"{kind}: parity in {dtype}", worst >= _LEAST[dtype] and right and as_wanted, **figures)


def speed(run: Run, kind: str, out: Path, original: Any, source: str) -> None:
    """Texts a second of every way, measured in turn."""
    ways: dict[str, Callable[[list[Any]], Any]] = {}
    for dtype in _LEAST:
        for budget in (8192, 32768) if run.device else (1024,):
            with run.step(f"{kind}: open {dtype}, {budget}"):
                model = opened(run, out, dtype, token_budget=budget)
                if model is not None:
                    ways[f"edge-st {dtype}, {budget} tokens"] = _asking(model)
    ways |= peers(run, kind, original, source)
    texts = [text for text in texts_for(kind) if len(text[0] if isinstance(text, tuple) else text) > 1]
    loads = {"short": [text for text in texts if len(str(text)) < 120], "mixed": texts}
    for load, few in loads.items():
        many = [few[place % len(few)] for place in range(run.texts)]
        many = [_unlike(text, place) for place, text in enumerate(many)]  # equal texts would be computed once
        found: dict[str, list[float]] = {}
        for number in range(_ROUNDS + 1):
            for name, ask in ways.items():
                with run.step(f"{kind}: {load}, {name}") as has_time:
                    began = time.perf_counter()
                    if has_time:
                        ask(many)
                        found.setdefault(name, []).append(len(many) / (time.perf_counter() - began))
            if number == 0:
                found.clear()  # the first round warms up
        for name, rates in found.items():
            run.note(f"{kind}: {load}, {name}", "ok", per_second=round(max(rates), 1))


def _unlike(text: Any, place: int) -> Any:
    return (f"{place} {text[0]}", text[1]) if isinstance(text, tuple) else f"{place} {text}"


def peers(run: Run, kind: str, original: Any, source: str) -> dict[str, Callable[[list[Any]], Any]]:
    """sentence-transformers on the same device, as far as its packages are here."""
    import torch

    ways: dict[str, Callable[[list[Any]], Any]] = {}
    device = run.device or "cpu"
    model = original.to(device) if run.device is None else original.to(device).to(torch.float16)
    name = f"sentence-transformers torch {'float32' if run.device is None else 'float16'}"
    ways[f"{name}, sdpa"] = _asking(model, kind)
    if find_spec("flash_attn") is not None and run.device is not None:
        with run.step(f"{kind}: FlashAttention 2"):
            other = load_original(find_source(source, None, None, None), trust_remote_code=False)
            other.to(device).to(torch.float16)[0].auto_model.set_attn_implementation("flash_attention_2")
            ways[f"{name}, flash"] = _asking(other, kind)
    else:
        run.note(f"{kind}: FlashAttention 2", "left out: flash-attn is not installed, or no GPU")
    if find_spec("optimum.onnxruntime") is None:
        run.note(f"{kind}: sentence-transformers onnx", "left out: optimum-onnx is not installed")
        return ways
    import sentence_transformers

    with run.step(f"{kind}: sentence-transformers onnx"):
        provider = "CUDAExecutionProvider" if run.device else "CPUExecutionProvider"
        kwargs = {"provider": provider, "export": True}
        peer = getattr(sentence_transformers, kind)(source, backend="onnx", device=device, model_kwargs=kwargs)
        ways["sentence-transformers onnx float32"] = _asking(peer, kind)
    return ways


def _asking(model: Any, kind: str | None = None) -> Callable[[list[Any]], Any]:
    """Encode or score; peers get batches of 256, for they pad each to its longest text."""
    size = {"batch_size": _BATCH if kind is None else 256, "show_progress_bar": False}
    if hasattr(model, "predict"):
        return lambda texts: model.predict(texts, **size)
    if kind == SPARSE_ENCODER:
        return lambda texts: model.encode(texts, save_to_cpu=True, **size)
    return lambda texts: model.encode(texts, **size)


def tuning(run: Run, kind: str, out: Path) -> None:
    """The fastest setting on the device, found and used."""
    from edge_st.speed.tune import tune

    limit = 40.0 if run.device else 5.0
    found = tune(out, "auto", None, lambda *_: None, time_limit=limit, device=run.device)
    model = open_model(out, device=run.device)
    used = model._runner.main_pipeline.backend.token_budget
    figures = {"variant": f"{found.tuning.file} {found.tuning.dtype}", "budget": used}
    run.check(f"{kind}: tune", used == found.tuning.token_budget, **figures)


def pool(run: Run, kind: str, out: Path) -> None:
    """Two processes on the device give what one gives."""
    model = open_model(out, backend="onnx", dtype="float32", device=run.device)
    assert not hasattr(model, "predict")
    texts = [_unlike("a text for the pool", place) for place in range(200)]
    workers = model.start_multi_process_pool([run.device or "cpu"] * 2)
    try:
        worst = float(cosines(model.encode(texts, pool=workers), model.encode(texts)).min())
    finally:
        model.stop_multi_process_pool(workers)
    run.check(f"{kind}: pool", worst > 0.99999, worst=round(worst, 7))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgeSTError as error:
        sys.exit(f"gpu.py: {error}")
