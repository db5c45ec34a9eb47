"""Who may import what: read from the sources, and seen in a fresh interpreter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_THE_TOP = {
    "runtime/edge_st_runtime/text/tokenizer.py": "tokenizers",
    "runtime/edge_st_runtime/engines/ort.py": "onnxruntime",
    "runtime/edge_st_runtime/engines/ov.py": "openvino",
    "runtime/edge_st_runtime/text/templates.py": "jinja2",
    "edge_st/comparison/charts.py": "matplotlib",
    "edge_st/integrations/mteb.py": "mteb",
}
WITHIN_FUNCTIONS = {
    "runtime/edge_st_runtime/model/words.py": {"nltk"},
    "runtime/edge_st_runtime/vectors/sparse.py": {"scipy"},
    "runtime/edge_st_runtime/text/chat.py": {"jinja2"},
    "runtime/edge_st_runtime/store/segment_folder.py": {"filelock"},
    "runtime/edge_st_runtime/search/integer_product.py": {"onnxruntime"},
    "edge_st/comparison/page.py": {"jinja2"},
    "edge_st/evaluation/nano_data.py": {"datasets"},
    "edge_st/mining/external_indexes.py": {"faiss", "usearch"},
}
LAZY = {"yaml", "tqdm", "huggingface_hub", "torch"}
HEAVY = {
    *(
        "torch",
        "transformers",
        "sentence_transformers",
        "optimum",
        "scipy",
        "pandas",
        "requests",
        "onnx",
        "nncf",
        "faiss",
    ),
    *("onnxruntime", "openvino", "huggingface_hub", "yaml", "tqdm", "matplotlib", "jinja2", "faiss", "usearch"),
}


def sources(folder: str) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py"))


def imports(path: str, *, top_level: bool) -> Iterator[str]:
    """The packages that a file imports: only while it is imported itself, or only within its functions."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    typing_only = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    inner = {id(node) for function in (*functions, *typing_only) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if (id(node) in inner) is top_level:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


def foreign(names: Iterator[str]) -> set[str]:
    return set(names) - set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", sources("runtime/edge_st_runtime"))
def test_runtime(path: str) -> None:
    assert foreign(imports(path, top_level=True)) <= {"numpy", AT_THE_TOP.get(path, "numpy")}
    assert foreign(imports(path, top_level=False)) == WITHIN_FUNCTIONS.get(path, set())


@pytest.mark.parametrize("path", sources("edge_st"))
def test_public_package(path: str) -> None:
    allowed = {"numpy", "edge_st_runtime", "edge_st", AT_THE_TOP.get(path, "numpy")}
    assert foreign(imports(path, top_level=True)) <= allowed
    assert foreign(imports(path, top_level=False)) <= allowed | LAZY | WITHIN_FUNCTIONS.get(path, set())


def fresh(code: str) -> str:
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'runtime'}"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


@pytest.mark.parametrize(
    "code",
    ["import edge_st", "from edge_st import *", "import edge_st.cli", "from edge_st import SentenceTransformer, util"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    loaded = fresh(f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})").split()
    assert HEAVY.isdisjoint(loaded)


def test_an_engine_is_loaded_when_a_model_is(tiny_folder: Path) -> None:
    code = f"""
import os, sys
from edge_st import SentenceTransformer
SentenceTransformer({str(tiny_folder)!r}, backend="onnx").encode(["a", "b"])
print(*sys.modules, "ORT_DISABLE_TELEMETRY" in os.environ)
"""
    loaded = fresh(code).split()
    assert HEAVY & set(loaded) == {"onnxruntime"}
    assert loaded[-1] == "False"


def test_public_names() -> None:
    import edge_st

    assert edge_st.__all__ == sorted(edge_st.__all__)
    assert dir(edge_st) == edge_st.__all__
    for name in edge_st.__all__:
        assert getattr(edge_st, name) is not None
    with pytest.raises(AttributeError, match=r"has no attribute 'SentenceTransformers'"):
        _ = edge_st.SentenceTransformers
