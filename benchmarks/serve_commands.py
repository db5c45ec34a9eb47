"""How each service of benchmarks/serve.py is started."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness import ROOT, WORKERS, Setup
from services import FASTAPI, OPENAI, Command, Interface

from edge_st.speed.peers import PEERS as LIBRARIES
from edge_st.speed.peers import made_folder
from edge_st.speed.peers.own_engines import TOKEN_BUDGET

#: infinity's server and text-embeddings-inference's answer OpenAI's body at another path
_INFINITY = Interface("/embeddings", "input", OPENAI.vectors)
NO_PACKAGE: Final = "text-embeddings-inference: left out: it comes as a container image, and as no package"


def edge(label: str, folder: Path | None, cores: tuple[int, ...], *options: str) -> Command:
    """``edge-st serve`` with a model folder, None for the bundled model, and further options."""
    model = [] if folder is None else [f"model={folder}"]
    words = [sys.executable, "-m", "edge_st", "serve", *model, *options]
    return Command(label, OPENAI, words, {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])}, cores)


def constant(label: str, interface: Interface, answer: Path, cores: tuple[int, ...]) -> Command:
    """A service that answers the content of a file."""
    words = [sys.executable, "-m", "uvicorn", "constant_service:app", "--app-dir", WORKERS, "--no-access-log"]
    return Command(label, interface, words, {"ANSWER": str(answer)}, cores)


def peer(label: str, common: Setup) -> Command:
    """The service of a peer; raises RuntimeError where it is not installed."""
    python = common.python(label)
    if not python.is_file():
        raise RuntimeError(f"no {python}; make it with: python benchmarks/environments.py {python.parent.parent.name}")
    return PEERS[label](label, python, common)


def _fastapi(backend: str) -> Callable[[str, Path, Setup], Command]:
    def command(label: str, python: Path, common: Setup) -> Command:
        graph = common.graph if backend == "onnx" and (common.folder / common.graph).is_file() else ""
        words = [python, "-m", "uvicorn", "fastapi_service:app", "--app-dir", WORKERS]
        variables = {
            "SERVICE_MODEL": str(common.folder if graph else common.original),
            "SERVICE_BACKEND": backend,
            "SERVICE_GRAPH": graph,
            "OMP_NUM_THREADS": "1",
        }
        workers = ["--workers", str(len(common.cores))] if len(common.cores) > 1 else []
        return Command(label, FASTAPI, [*words, *workers], variables, common.cores)

    return command


def _llama(label: str, python: Path, common: Setup) -> Command:
    common.prepare(label)
    file = made_folder(label, common.setting(label)) / LIBRARIES[label].graph
    sizes = [word for name in ("n_ctx", "n_batch", "n_ubatch") for word in (f"--{name}", str(TOKEN_BUDGET))]
    threads = [word for name in ("n_threads", "n_threads_batch") for word in (f"--{name}", str(len(common.cores)))]
    words = [python, "-m", "llama_cpp.server", "--model", file, "--embedding", "true", *sizes, *threads]
    return Command(label, OPENAI, words, {}, common.cores)


def _infinity(label: str, python: Path, common: Setup) -> Command:
    words = [python.parent / "infinity_emb", "v2", "--model-id", common.original, "--engine", "torch"]
    variables = {"OMP_NUM_THREADS": str(len(common.cores)), "DO_NOT_TRACK": "1"}
    options = ["--device", "cpu", "--dtype", "float32", "--no-bettertransformer"]
    return Command(label, _INFINITY, [*words, *options], variables, common.cores)


PEERS: dict[str, Callable[[str, Path, Setup], Command]] = {
    "fastapi onnx": _fastapi("onnx"),
    "fastapi torch": _fastapi("torch"),
    "llama.cpp F32": _llama,
    "llama.cpp Q8_0": _llama,
    "infinity": _infinity,
}
