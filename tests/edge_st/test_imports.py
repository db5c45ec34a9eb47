"""Who may import what: read from the sources, and seen in a fresh interpreter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: by folder and file
AT_THE_TOP = {
    "text/tokenizer.py": "tokenizers",
    "text/tokenizer_file.py": "tokenizers",
    "text/tokenizer_budget.py": "tokenizers",
    "engines/quiet_onnxruntime.py": "onnxruntime",
    "engines/quiet_openvino.py": "openvino",
    "text/templates.py": "jinja2",
    "text/template_budget.py": "jinja2",
    "comparison/charts.py": "matplotlib",
    "integrations/mteb.py": "mteb",
    "server/bodies.py": "orjson",
    "peers/gguf_file.py": "gguf",
    "pyinstaller/hook-edge_st.py": "PyInstaller",
    "pyinstaller/hook-edge_st_runtime.py": "PyInstaller",
}
WITHIN_FUNCTIONS = {
    "text/word_tokenizer.py": {"nltk"},
    "vectors/sparse.py": {"scipy"},
    "text/chat.py": {"jinja2"},
    "store/segment_folder.py": {"filelock"},
    "hub/occupied.py": {"filelock"},
    "hub/client.py": {"filelock"},
    "comparison/page.py": {"jinja2"},
    "evaluation/nano_data.py": {"datasets"},
    "mining/external_indexes.py": {"faiss", "usearch"},
    "integrations/aws_lambda.py": {"snapshot_restore_py"},
    "server/tracing.py": {"opentelemetry"},
    "peers/sentence_transformers_backends.py": {"sentence_transformers", "optimum", "onnxruntime"},
    "peers/fastembed_and_kin.py": {"fastembed", "fastretrieval"},
    "peers/hub_names.py": {"candding"},
    "peers/own_engines.py": {"ctranslate2", "tokenizers", "llama_cpp"},
    "peers/gguf_file.py": {"safetensors"},
}
#: what the extra "server" brings, for that wing alone
SERVER = {"starlette", "uvicorn", "orjson", "prometheus_client"}
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
    *SERVER,
}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path, *, top_level: bool) -> Iterator[str]:
    """The packages that a file imports: only while it is imported itself, or only within its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
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


def place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def foreign(names: Iterator[str]) -> set[str]:
    return set(names) - set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", sources("runtime/edge_st_runtime"), ids=place)
def test_runtime(path: Path) -> None:
    assert foreign(imports(path, top_level=True)) <= {"numpy", AT_THE_TOP.get(place(path), "numpy")}
    assert foreign(imports(path, top_level=False)) == WITHIN_FUNCTIONS.get(place(path), set())


@pytest.mark.parametrize("path", sources("edge_st"), ids=lambda path: str(path.relative_to(ROOT)))
def test_public_package(path: Path) -> None:
    allowed = {"numpy", "edge_st_runtime", "edge_st", AT_THE_TOP.get(place(path), "numpy")}
    allowed |= SERVER if path.is_relative_to(ROOT / "edge_st/server") else set()
    assert foreign(imports(path, top_level=True)) <= allowed
    assert foreign(imports(path, top_level=False)) <= allowed | LAZY | WITHIN_FUNCTIONS.get(place(path), set())


@pytest.mark.parametrize("path", sources("export"), ids=lambda path: str(path.relative_to(ROOT)))
def test_export_imports_engines_without_their_usage_data(path: Path) -> None:
    found = {*imports(path, top_level=True), *imports(path, top_level=False)}
    assert not found & {"onnxruntime", "openvino"}


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


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("edge_st.sentence_transformer", "SentenceTransformer"),
        ("edge_st.cross_encoder", "CrossEncoder"),
        ("edge_st.sparse_encoder", "SparseEncoder"),
        ("edge_st.index", "Index"),
        ("edge_st.retriever", "Retriever"),
        ("edge_st_runtime.errors", "EdgeSTError"),
    ],
)
def test_older_paths(module: str, name: str) -> None:
    import edge_st

    assert getattr(import_module(module), name) is getattr(edge_st, name)
