"""Tiny model folders as sentence-transformers writes them, with the embeddings that each must give."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edge_st_runtime.model.record import FORMAT_VERSION
from tests.support.tiny_graphs import HIDDEN, TinyGraph
from tests.support.tiny_tokenizers import save_tokenizer, wordpiece

Step: TypeAlias = tuple[str, Mapping[str, Any], Mapping[str, NDArray[Any]]]
MEAN: Step = ("Pooling", {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True}, {})
NORMALIZE: Step = ("Normalize", {}, {})
LIMIT = 24
GOLDEN = {"prompt_name": None, "task": None, "embeddings": [[0.0] * HIDDEN]}


@dataclass(frozen=True)
class TinyModel:
    """A model to write: its tokenizer, graph, the modules after the transformer, and its settings."""

    make_tokenizer: Callable[[], Tokenizer] = wordpiece
    graph: TinyGraph = TinyGraph()  # noqa: RUF009 - frozen
    modules: Sequence[Step] = (MEAN,)
    limit: int | None = LIMIT
    settings: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=lambda: {"model_type": "bert", "max_position_embeddings": 64})
    tokenizer_config: Mapping[str, Any] = field(default_factory=lambda: {"pad_token": "[PAD]"})
    graph_files: Sequence[str] = ("onnx/model.onnx",)

    def save(self, folder: Path) -> Path:
        """Write the folder."""
        save_tokenizer(folder, self.make_tokenizer(), **self.tokenizer_config)
        write_json(
            folder / "modules.json", [_entry(i, kind) for i, (kind, *_) in enumerate([TRANSFORMER, *self.modules])]
        )
        write_json(folder / "config_sentence_transformers.json", self.settings)
        write_json(folder / "sentence_bert_config.json", {"max_seq_length": self.limit, "do_lower_case": False})
        write_json(folder / "config.json", self.config)
        for name in self.graph_files:
            self.graph.save(folder / name)
        for index, (kind, config, tensors) in enumerate(self.modules, 1):
            write_json(folder / f"{index}_{kind}" / "config.json", config)
            if tensors:
                write_safetensors(folder / f"{index}_{kind}" / "model.safetensors", tensors)
        return folder

    def token_embeddings(self, text: str | tuple[str, str]) -> NDArray[np.float32]:
        """The expected token embeddings of one text, computed alone and unpadded, with tokenizers' truncation."""
        tokenizer = self.make_tokenizer()
        if self.limit is not None:
            tokenizer.enable_truncation(self.limit)
        encoding = tokenizer.encode(text) if isinstance(text, str) else tokenizer.encode(*text)
        return self.graph.tokens(encoding.ids, encoding.type_ids)

    def means(self, texts: Sequence[str | tuple[str, str]]) -> NDArray[np.float32]:
        """The mean of every text's token embeddings (texts, hidden)."""
        return np.stack([self.token_embeddings(text).mean(axis=0) for text in texts])


TRANSFORMER: Step = ("Transformer", {}, {})


def write_static(folder: Path, tokenizer: Tokenizer, tensors: Mapping[str, NDArray[Any]]) -> Path:
    """A folder with a StaticEmbedding alone."""
    save_tokenizer(folder, tokenizer)
    unlimited = json.loads((folder / "tokenizer.json").read_text()) | {"truncation": None}
    write_json(folder / "tokenizer.json", unlimited)
    write_json(folder / "modules.json", [_entry(0, "StaticEmbedding")])
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def write_record(folder: Path, graphs: Sequence[Mapping[str, Any]] = (), **changes: Any) -> Path:
    """``edge_st.json`` over every file of ``folder``, with ``changes`` of its keys."""
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "edge_st.json"
    }
    record = {
        "format_version": FORMAT_VERSION,
        "task": "sentence-embedding",
        "weights_sha256": "0" * 64,
        "fingerprint": "f" * 32,
        "files": files,
        "graphs": list(graphs),
        "golden": {"texts": ["a"], "vectors": [GOLDEN]},
    }
    return write_json(folder / "edge_st.json", record | changes)


def graph_entry(file: str, engine: str, dtype: str = "float32", cosine_min: float = 1.0, **more: Any) -> dict[str, Any]:
    """An entry of the record's graphs."""
    return {"file": file, "engine": engine, "dtype": dtype, "cosine_min": cosine_min, **more}


def dense(weight: NDArray[np.float32], bias: NDArray[np.float32] | None = None, **config: Any) -> Step:
    """A Dense module from its weights; Identity unless ``config`` names another activation."""
    described = {
        "in_features": weight.shape[1],
        "out_features": weight.shape[0],
        "bias": bias is not None,
        "activation_function": "torch.nn.modules.linear.Identity",
        **config,
    }
    return "Dense", described, {"linear.weight": weight, **({} if bias is None else {"linear.bias": bias})}


def write_json(path: Path, content: Any) -> Path:
    """Write ``content``, and the folders above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


_SAFE = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u8": "U64",
         "u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL"}  # fmt: skip


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[Any]], **dtypes: str) -> Path:
    """Write a .safetensors file; ``dtypes`` replace those of the tensors in the header."""
    header: dict[str, Any] = {"__metadata__": {"format": "np"}}
    data = b""
    for name, tensor in tensors.items():
        kind = dtypes.get(name, _SAFE[tensor.dtype.str[1:]])
        offsets = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": offsets}
        data += tensor.tobytes()
    return write_header(path, json.dumps(header).encode(), data)


def write_header(path: Path, header: bytes, data: bytes = b"") -> Path:
    """Write a .safetensors file with any header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def _entry(index: int, kind: str) -> dict[str, Any]:
    path = "" if index == 0 else f"{index}_{kind}"
    return {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
