"""What installed packages hold that never runs on Lambda, by the package that holds it.

The patterns are relative to the folder that pip installed into. Licences are never removed. A test runs every function
that was trimmed so, as Lambda would.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

TRIMMED: Mapping[str, Mapping[str, str]] = {
    "all": {
        "bin": "commands",
        "**/__pycache__": "byte code of another place",
        "**/*.pyi": "types, for editors",
        "*.dist-info/RECORD": "the list of files, which no longer holds",
        "*.dist-info/sboms": "lists of what was compiled in",
    },
    "numpy": {
        "numpy/**/tests": "tests",
        "numpy/f2py": "compiles Fortran",
        "numpy/_core/include": "for compiling against NumPy",
        "numpy/_core/lib": "for compiling against NumPy",
        "numpy/random/lib": "for compiling against NumPy",
        "numpy/**/*.pxd": "for compiling against NumPy",
        "numpy/_core/_simd.*": "tests of NumPy's loops",
        "numpy/_core/_*_tests.*": "tests",
    },
    "onnxruntime": {
        "onnxruntime/capi/libonnxruntime.so.*": "for programs in C; the module for Python has all of it in itself",
        "onnxruntime/backend": "runs ONNX's own tests",
        "onnxruntime/datasets": "examples",
        "onnxruntime/quantization": "for exporting",
        "onnxruntime/tools": "for exporting",
        "onnxruntime/transformers": "for exporting",
    },
    "tokenizers": {"tokenizers/tools": "draws tokens in notebooks"},
}


def trim(folder: Path) -> None:
    """Remove from ``folder`` what `TRIMMED` names."""
    for pattern in (pattern for rules in TRIMMED.values() for pattern in rules):
        for path in list(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
