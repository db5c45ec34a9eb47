"""The functions that sentence-transformers has too, with its arguments and file names."""

import inspect
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sentence_transformers as st
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

import edge_st_export
from edge_st import SentenceTransformer
from edge_st.verification.checks import verify_folder
from edge_st_export import (
    ExportReport,
    export_dynamic_quantized_onnx_model,
    export_optimized_onnx_model,
    export_static_quantized_openvino_model,
)
from edge_st_export.graph.drop_ins import as_sentence_transformers
from edge_st_export.original.texts import ALL, ORDINARY
from edge_st_runtime.errors import InputError, MissingFileError, OptionError, PackageMissingError
from tests.export.originals import cosine_min
from tests.support.tiny_tokenizers import wordpiece


@pytest.fixture
def folder(small_report: ExportReport, tmp_path: Path) -> Path:
    return shutil.copytree(small_report.path, tmp_path / "small")


@pytest.fixture
def model(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(folder, backend="onnx", dtype="float32")


def recorded(folder: Path, file: str) -> Any:
    rows = json.loads((folder / "edge_st.json").read_text(encoding="utf-8"))["graphs"]
    return next((row for row in rows if row["file"] == file), None)


@pytest.mark.parametrize(
    "name",
    ["export_optimized_onnx_model", "export_dynamic_quantized_onnx_model", "export_static_quantized_openvino_model"],
)
def test_the_arguments_are_sentence_transformers(name: str) -> None:
    ours = inspect.signature(getattr(edge_st_export, name)).parameters
    theirs = inspect.signature(getattr(st, name)).parameters
    assert [(p.name, p.default) for p in ours.values() if p.name != "texts"] == [
        (p.name, p.default) for p in theirs.values()
    ]


#: what sentence-transformers itself needs for ONNX; there is none for transformers 5
OPTIMUM_ONNX = find_spec("optimum.onnxruntime") is not None
with_optimum_onnx = pytest.mark.skipif(not OPTIMUM_ONNX, reason="it delegates to optimum-onnx")


def configuration(level: str) -> Any:
    """``level``, or optimum's object for "object"."""
    if level != "object":
        return level
    from optimum.onnxruntime.configuration import OptimizationConfig

    return OptimizationConfig()


@pytest.mark.parametrize(
    ("level", "file"),
    [
        *((level, f"onnx/model_{level}.onnx") for level in ("O1", "O2", "O3")),
        pytest.param("object", "onnx/model_optimized.onnx", marks=with_optimum_onnx),
    ],
)
def test_optimized(level: str, file: str, folder: Path, model: SentenceTransformer) -> None:
    export_optimized_onnx_model(model, configuration(level), str(folder))
    found = SentenceTransformer(folder, backend="onnx", model_kwargs={"file_name": file})
    assert cosine_min(found.encode(list(ALL)), model.encode(list(ALL))) >= 0.99999
    assert recorded(folder, file)["dtype"] == "float32"
    assert SentenceTransformer(folder, backend="onnx").info()["graph"] == "onnx/model.onnx"


def test_float16(folder: Path, model: SentenceTransformer) -> None:
    export_optimized_onnx_model(model, "O4", str(folder))
    assert recorded(folder, "onnx/model_O4.onnx")["dtype"] == "float16"
    found = SentenceTransformer(folder, backend="onnx", model_kwargs={"file_name": "onnx/model_O4.onnx"})
    assert 0.9999 < cosine_min(found.encode(list(ALL)), model.encode(list(ALL))) < 1 - 1e-7


@with_optimum_onnx
@pytest.mark.parametrize("name", ["O1", "O2", "O3", "O4", "arm64", "avx2", "avx512", "avx512_vnni"])
def test_the_files_are_sentence_transformers(name: str, model: SentenceTransformer, tmp_path: Path) -> None:
    optimizes = name.startswith("O")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    export = export_optimized_onnx_model if optimizes else export_dynamic_quantized_onnx_model
    export(model, name, str(ours))
    with as_sentence_transformers(model, "onnx") as original:
        delegate = st.export_optimized_onnx_model if optimizes else st.export_dynamic_quantized_onnx_model
        delegate(original, name, str(theirs))
    written = [path.relative_to(theirs) for path in theirs.rglob("*.*")]
    assert written == [path.relative_to(ours) for path in ours.rglob("*.*")]
    assert [(ours / path).read_bytes() for path in written] == [(theirs / path).read_bytes() for path in written]


@pytest.mark.skipif(OPTIMUM_ONNX, reason="optimum-onnx is here")
def test_what_needs_optimum_onnx_says_so(model: SentenceTransformer, folder: Path) -> None:
    for export in (export_optimized_onnx_model, export_dynamic_quantized_onnx_model):
        config: Any = SimpleNamespace(weights_dtype=SimpleNamespace(name="QInt8"))
        with pytest.raises(PackageMissingError, match=r"optimum-onnx, which is not.*export/constraints-4\.57\.txt"):
            export(model, config, str(folder))
        with pytest.raises(PackageMissingError, match="optimum-onnx"):
            export(_torch_model(), "O2" if export is export_optimized_onnx_model else "avx2", str(folder))


@pytest.mark.parametrize(
    ("config", "file", "features"),
    [
        ("avx512_vnni", "onnx/model_qint8_avx512_vnni.onnx", ["avx512_vnni"]),
        ("avx2", "onnx/model_quint8_avx2.onnx", ["avx2"]),
        ("arm64", "onnx/model_qint8_arm64.onnx", ["asimd"]),
    ],
)
def test_dynamic_int8(config: str, file: str, features: list[str], folder: Path, model: SentenceTransformer) -> None:
    export_dynamic_quantized_onnx_model(model, config, str(folder))
    row = recorded(folder, file)
    assert (row["dtype"], row["cpu_features"]) == ("int8", features)
    assert 0.8 < row["cosine_min"] < 0.99999


def test_static_int8_from_texts(folder: Path) -> None:
    model = SentenceTransformer(folder, backend="openvino", dtype="float32")
    export_static_quantized_openvino_model(model, {"num_samples": 24}, str(folder), texts=ORDINARY)
    int8 = SentenceTransformer(folder, backend="openvino", dtype="int8")
    assert int8.info()["graph"] == "openvino/openvino_model_qint8_quantized.xml"
    assert int8.fingerprint != model.fingerprint
    assert cosine_min(int8.encode(list(ORDINARY)), model.encode(list(ORDINARY))) > 0.8


@with_optimum_onnx
def test_a_model_of_sentence_transformers_into_a_folder_without_record(
    folder: Path, model: SentenceTransformer, tmp_path: Path
) -> None:
    kwargs = {"provider": "CPUExecutionProvider", "file_name": "model.onnx"}
    peer = st.SentenceTransformer(str(folder), backend="onnx", local_files_only=True, model_kwargs=kwargs)
    elsewhere = tmp_path / "elsewhere"
    export_optimized_onnx_model(peer, "O1", str(elsewhere), file_suffix="mine")
    assert [path.name for path in elsewhere.rglob("*.*")] == ["model_mine.onnx"]
    shutil.copytree(folder, elsewhere, ignore=shutil.ignore_patterns("onnx", "openvino"), dirs_exist_ok=True)
    (elsewhere / "edge_st.json").unlink()
    found = SentenceTransformer(elsewhere, backend="onnx", model_kwargs={"file_name": "model_mine.onnx"})
    assert cosine_min(found.encode(list(ALL)), model.encode(list(ALL))) >= 0.99999


def test_the_record_still_fits_the_files(folder: Path, model: SentenceTransformer) -> None:
    export_dynamic_quantized_onnx_model(model, "avx2", str(folder))
    verify_folder(folder)
    assert SentenceTransformer(folder).fingerprint == model.fingerprint


def test_refusals(folder: Path, model: SentenceTransformer) -> None:
    with pytest.raises(InputError):
        export_static_quantized_openvino_model(model, None, str(folder), texts=[])
    with pytest.raises(OptionError, match="together"):
        export_static_quantized_openvino_model(model, None, str(folder), dataset_name="glue", texts=["a"])
    with pytest.raises(OptionError, match="'O5'; it must be an OptimizationConfig instance or one of 'O1'"):
        export_optimized_onnx_model(model, "O5", str(folder))
    with pytest.raises(OptionError, match="'sse2'; it must be a QuantizationConfig instance or one of 'arm64'"):
        export_dynamic_quantized_onnx_model(model, "sse2", str(folder))
    shutil.rmtree(folder / "openvino")
    with pytest.raises(MissingFileError, match="--engine openvino"):
        export_static_quantized_openvino_model(model, None, str(folder), texts=["a"])


@with_optimum_onnx
def test_a_model_on_torch_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="backend="):
        export_optimized_onnx_model(_torch_model(), "O2", str(folder))


def _torch_model() -> Any:
    table = StaticEmbedding(wordpiece(), embedding_weights=np.eye(300, 4, dtype=np.float32))
    return st.SentenceTransformer(modules=[table], device="cpu")
