"""The peers by name."""

from .fastembed_and_kin import fastembed, fastretrieval
from .hub_names import candding, make_cache
from .own_engines import ctranslate2, llama_cpp, make_ctranslate2, make_gguf
from .peer import Peer
from .sentence_transformers_backends import (
    OPENVINO_INT8,
    QINT8,
    make_openvino_int8,
    make_qint8,
    on_onnx,
    on_openvino,
    on_torch,
)

_DENSE, _RERANK = frozenset({"dense"}), frozenset({"dense", "rerank"})
_ALL, _TOKENS = frozenset({"dense", "rerank", "sparse"}), frozenset({"multi-vector"})
_TORCH = ("sentence-transformers",)
_ONNX = ("sentence-transformers", "optimum-onnx", "onnxruntime")
_OPENVINO = ("sentence-transformers", "optimum-intel", "openvino")
_LLAMA = ("llama-cpp-python", "gguf", "safetensors")

PEERS = {
    "sentence-transformers torch": Peer(_TORCH, "weights", _ALL | _TOKENS, on_torch),
    "sentence-transformers onnx": Peer(_ONNX, "onnx", _ALL, on_onnx),
    "sentence-transformers onnx qint8": Peer(_ONNX, "onnx", _RERANK, on_onnx, make_qint8, QINT8),
    "sentence-transformers openvino": Peer(_OPENVINO, "openvino", _ALL, on_openvino),
    "sentence-transformers openvino int8": Peer(
        (*_OPENVINO, "nncf", "datasets"), "openvino", _DENSE, on_openvino, make_openvino_int8, OPENVINO_INT8
    ),
    "fastembed": Peer(("fastembed",), "onnx", _RERANK | _TOKENS, fastembed()),
    "fastembed, batches of 32": Peer(("fastembed",), "onnx", _RERANK | _TOKENS, fastembed(batch_size=32)),
    "fastretrieval": Peer(("fastretrieval",), "onnx", _RERANK, fastretrieval),
    "candding": Peer(("candding",), "weights", _RERANK, candding, make_cache),
    "ctranslate2 int8": Peer(
        ("ctranslate2", "transformers", "torch"), "weights", _DENSE, ctranslate2, make_ctranslate2
    ),
    "llama.cpp F32": Peer(_LLAMA, "weights", _DENSE, llama_cpp, make_gguf("F32"), "model.gguf"),
    "llama.cpp Q8_0": Peer(_LLAMA, "weights", _DENSE, llama_cpp, make_gguf("Q8_0"), "model.gguf"),
}
