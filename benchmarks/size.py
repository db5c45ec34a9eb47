"""The installed size of ``pip install edge-st[onnx]`` in a fresh environment, and the modules of ``import edge_st``.

The wheel is built from this checkout. The size is that of site-packages without pip, setuptools and byte code.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path

from harness import ROOT
from tables import table

NOT_COUNTED = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "wheel")
FORBIDDEN = ("torch", "transformers", "optimum", "scipy", "pandas", "requests", "onnxruntime", "openvino")


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--extra", default="onnx", help="the extra to install (default: onnx)")
    made.add_argument("--compare", nargs="*", default=[], metavar="PACKAGE", help="other packages to measure")
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = _wheel(Path(folder))
        edge = _installed(Path(folder, "edge"), f"edge-st[{options.extra}] @ {wheel.as_uri()}")
        sizes = _sizes(edge)
        rows = [[name, f"{size / 1e6:.1f}"] for name, size in sizes.most_common() if size >= 5e4]
        print(table([f"edge-st[{options.extra}]", "MB"], [*rows, ["together", f"{sizes.total() / 1e6:.1f}"]]))
        print(f"the wheel: {wheel.stat().st_size / 1e6:.1f} MB; import edge_st loads {_modules(edge)}")
        for package in options.compare:
            other = _sizes(_installed(Path(folder, package.replace("[", "-").rstrip("]")), package))
            print(f"{package}: {other.total() / 1e6:.1f} MB")


def _wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("edge_st-*.whl")
    return wheel


def _installed(folder: Path, requirement: str) -> Path:
    """The interpreter of a new environment that holds ``requirement``."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement], check=True)
    return python


def _sizes(python: Path) -> Counter[str]:
    """The bytes of every top-level folder or module in site-packages."""
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    sizes: Counter[str] = Counter()
    for path in site.rglob("*"):
        top = path.relative_to(site).parts[0]
        if path.is_file() and "__pycache__" not in path.parts and not top.startswith(NOT_COUNTED):
            sizes[top.split("-")[0].removesuffix(".libs")] += path.lstat().st_size
    return sizes


def _modules(python: Path) -> str:
    """How many modules ``import edge_st`` loads, and those among them that it must not load."""
    code = "import sys, edge_st; print(*{name.partition('.')[0] for name in sys.modules}, len(sys.modules))"
    *names, count = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = sorted(set(names) & set(FORBIDDEN))
    return f"{count} modules, " + (f"among them {', '.join(heavy)}" if heavy else f"none of {', '.join(FORBIDDEN)}")


if __name__ == "__main__":
    main()
