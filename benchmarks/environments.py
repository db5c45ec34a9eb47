"""Make the peers' environments, one each; the benchmarks find them in .venv-bench/ (edge-st runs in the current one).

Another folder, or one made before, is named to a benchmark with ``--env st=PATH``. llama.cpp is compiled here, which
takes minutes: set ``CMAKE_ARGS=-DGGML_NATIVE=ON`` in the environment, so that it is compiled for this CPU.
"""

import argparse
import subprocess
import venv
from pathlib import Path

from harness import ENVIRONMENTS, ROOT

CONSTRAINTS = str(ROOT / "export" / "constraints.txt")
REQUIREMENTS = {
    "st": [
        *("-c", CONSTRAINTS, "sentence-transformers", "optimum-onnx[onnxruntime]", "optimum-intel[openvino]", "torch"),
        *("nncf", "datasets"),  # with which it makes a static int8 graph
    ],
    "fastembed": ["fastembed"],
    "ctranslate2": ["ctranslate2", "transformers", "torch"],
    "search": ["faiss-cpu", "usearch"],
    "llama": ["llama-cpp-python", "gguf", "safetensors"],
}


def main() -> None:
    """Make those that are not there."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("names", nargs="*", default=list(REQUIREMENTS), help="which (default: all)")
    made.add_argument("--folder", type=Path, default=ENVIRONMENTS)
    options = made.parse_args()
    for name in options.names:
        environment = options.folder / name
        python = environment / "bin" / "python"
        if not python.is_file():
            venv.create(environment, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]], check=True)
        print(f"{name}: {environment}")


if __name__ == "__main__":
    main()
