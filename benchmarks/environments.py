"""Make an environment for each peer in .venv-bench/, where the benchmarks find them. edge-st runs in the current one.

``--env st=PATH`` names another environment to a benchmark. llama.cpp is compiled, which takes minutes; set the
environment variable ``CMAKE_ARGS=-DGGML_NATIVE=ON``, so that it is compiled for this CPU.
"""

import argparse
import subprocess
import venv
from pathlib import Path

from harness import ENVIRONMENTS, ROOT

CONSTRAINTS, OLDER = (str(ROOT / "export" / name) for name in ("constraints.txt", "constraints-4.57.txt"))
REQUIREMENTS = {
    "st": ["-c", CONSTRAINTS, "sentence-transformers", "optimum-intel", "torch"],
    "st5": [
        *("-c", OLDER, "sentence-transformers", "optimum-onnx[onnxruntime]", "optimum-intel[openvino]", "torch"),
        *("nncf", "datasets"),  # to make its static int8 graph
    ],
    "export": ["-c", CONSTRAINTS, str(ROOT), f"{ROOT / 'export'}[openvino]", "torch"],
    "fastembed": ["fastembed==0.9.1"],
    "plaid": ["fast-plaid==1.7.0.2110", "torch==2.11.0"],
    "fastretrieval": ["fastretrieval==1.12.0"],
    "candding": ["candding==0.1.0"],
    "ctranslate2": ["ctranslate2==4.8.5", "transformers", "torch"],
    "search": ["faiss-cpu", "usearch"],
    "llama": ["llama-cpp-python[server]==0.3.36", "gguf", "safetensors"],
    "fastapi": [
        "-c",
        OLDER,
        "sentence-transformers",
        "optimum-onnx[onnxruntime]",
        "torch",
        "fastapi",
        "uvicorn[standard]",
    ],
    "infinity": [
        *("infinity-emb[server,torch,optimum,logging]==0.0.78", "numpy<2", "sentence-transformers<4", "torch==2.13.0"),
    ],
}


def main() -> None:
    """Make the environments that are missing, and install the peers."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("names", nargs="*", default=list(REQUIREMENTS), help="the environments to make (default: all)")
    made.add_argument("--folder", type=Path, default=ENVIRONMENTS)
    options = made.parse_args()
    for name in options.names:
        environment = options.folder / name
        python = environment / "bin" / "python"
        if not python.is_file():
            venv.create(environment, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]], check=True)
        subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "torchvision"], check=True)
        print(f"{name}: {environment}")


if __name__ == "__main__":
    main()
