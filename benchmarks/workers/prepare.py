"""Make the files that a peer runs, with the peer's own tools.

Arguments: what to make, the exported folder, the original, the target folder, and a file of calibration texts, one per
line, which OpenVINO's int8 needs.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any


def onnx_int8(exported: Path, target: Path, **_: Path) -> None:
    """sentence-transformers' dynamic int8 for AVX-512 VNNI, of the graph that all ONNX peers run."""
    from sentence_transformers import SentenceTransformer, export_dynamic_quantized_onnx_model

    kwargs: dict[str, Any] = {"file_name": "onnx/model.onnx", "provider": "CPUExecutionProvider", "export": False}
    model = SentenceTransformer(str(exported), backend="onnx", device="cpu", model_kwargs=kwargs)
    export_dynamic_quantized_onnx_model(model, "avx512_vnni", str(target))


def openvino_int8(exported: Path, target: Path, texts: Path, **_: Path) -> None:
    """sentence-transformers' static int8, calibrated with 300 texts as by default, but with the given ones."""
    from optimum.intel import OVQuantizationConfig
    from sentence_transformers import SentenceTransformer, export_static_quantized_openvino_model

    kwargs = {"export": False}
    model = SentenceTransformer(str(exported), backend="openvino", device="cpu", model_kwargs=kwargs)
    with tempfile.TemporaryDirectory() as folder:
        rows = [json.dumps({"text": line}) for line in texts.read_text(encoding="utf-8").split("\n") if line]
        Path(folder, "train.jsonl").write_text("\n".join(rows), encoding="utf-8")
        config = OVQuantizationConfig(num_samples=min(300, len(rows)))
        export_static_quantized_openvino_model(model, config, str(target), folder, "default", "train", "text")


def ctranslate2_int8(original: Path, target: Path, **_: Path) -> None:
    """CTranslate2's conversion with int8 weights."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(original)).convert(str(target), quantization="int8", force=True)


def gguf_float32(original: Path, target: Path, **_: Path) -> None:
    """llama.cpp's file in float32."""
    from gguf_file import write_gguf

    write_gguf(original, target / "model.gguf", "F32")


def gguf_int8(original: Path, target: Path, **_: Path) -> None:
    """llama.cpp's file with the weights of the layers in Q8_0."""
    from gguf_file import write_gguf

    write_gguf(original, target / "model.gguf", "Q8_0")


MAKERS = {
    "onnx-int8": onnx_int8,
    "openvino-int8": openvino_int8,
    "ctranslate2-int8": ctranslate2_int8,
    "gguf-float32": gguf_float32,
    "gguf-int8": gguf_int8,
}


def main() -> None:
    """Make the files beside the target, then rename."""
    what = sys.argv[1]
    exported, original, target, texts = map(Path, sys.argv[2:])
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    if what in ("onnx-int8", "openvino-int8"):
        weights = shutil.ignore_patterns("onnx", "openvino", "edge_st.json")
        shutil.copytree(exported, part, ignore=weights)
    else:
        part.mkdir(parents=True)
    MAKERS[what](exported=exported, original=original, target=part, texts=texts)
    part.rename(target)


if __name__ == "__main__":
    main()
