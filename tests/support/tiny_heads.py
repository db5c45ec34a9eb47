"""A tiny model whose graph has the three heads of BGE-M3, and what each must give, in NumPy for one text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support.tiny_graphs import HIDDEN, TinyGraph
from tests.support.tiny_models import NORMALIZE, TinyModel, write_json
from tests.support.tiny_tokenizers import unigram

WIDTH = 8
#: of cls, pad, eos and unk
SKIPPED = [0, 1, 2, 3]
LIMIT = 24
HEADS: Mapping[str, Any] = {
    "dense": {},
    "sparse": {
        "dimension": 500,
        "skipped_token_ids": SKIPPED,
        "similarity_fn_name": "dot",
        "weights_sha256": "a" * 64,
    },
    "multi_vector": {"similarity_fn_name": "meanmaxsim", "weights_sha256": "b" * 64},
}
_CLS = ("Pooling", {"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": True}, {})
_random = np.random.default_rng(11)
_SPARSE = _random.standard_normal((HIDDEN, 1)).astype(np.float32)
_COLBERT = _random.standard_normal((HIDDEN, WIDTH)).astype(np.float32)
_BIAS = _random.standard_normal(WIDTH).astype(np.float32)


@dataclass(frozen=True)
class GraphOfHeads(TinyGraph):
    """A tiny graph with the outputs of the ``heads`` besides its own; with ``broken`` the weights of tokens are NaN."""

    inputs: Sequence[str] = ("input_ids", "attention_mask")
    heads: Sequence[str] = ("sentence_embedding", "token_weights", "token_embeddings")
    broken: bool = False

    def save(self, path: Path) -> Path:
        """Write the graph as an ONNX file."""
        super().save(path)
        model = onnx.load(str(path))
        node, graph = helper.make_node, model.graph
        tokens = graph.output[0].name
        sparse = np.full_like(_SPARSE, np.nan) if self.broken else _SPARSE
        values = {"sparse": sparse, "colbert": _COLBERT, "bias": _BIAS, "first": np.array(0), "last": np.array([-1])}
        values["zero"] = np.array(0, dtype=np.float32)
        graph.initializer.extend(numpy_helper.from_array(value, f"head/{name}") for name, value in values.items())
        graph.node.extend(
            [
                node("Gather", [tokens, "head/first"], ["head/cls"], axis=1),
                node("LpNormalization", ["head/cls"], ["sentence_embedding"], axis=-1, p=2),
                node("MatMul", [tokens, "head/sparse"], ["head/weights"]),
                node("Less", ["head/weights", "head/zero"], ["head/negative"]),
                node("Where", ["head/negative", "head/zero", "head/weights"], ["head/positive"]),
                node("Squeeze", ["head/positive", "head/last"], ["token_weights"]),
                node("MatMul", [tokens, "head/colbert"], ["head/projected"]),
                node("Add", ["head/projected", "head/bias"], ["head/shifted"]),
                node("LpNormalization", ["head/shifted"], ["token_embeddings"], axis=-1, p=2),
            ]
        )
        axes: Mapping[str, list[Any]] = {
            "sentence_embedding": ["batch", HIDDEN],
            "token_weights": ["batch", "tokens"],
            "token_embeddings": ["batch", "tokens", WIDTH],
        }
        graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, axes[name]) for name in self.heads)
        onnx.save(model, str(path))
        return path


@dataclass(frozen=True)
class TinyHeads(TinyModel):
    """A folder that each class opens by its head; ``said`` is the content of heads.json."""

    make_tokenizer: Any = unigram
    graph: TinyGraph = GraphOfHeads()
    modules: Any = (_CLS, NORMALIZE)
    limit: int | None = LIMIT
    tokenizer_config: Mapping[str, Any] = field(
        default_factory=lambda: {"cls_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    )
    said: Mapping[str, Any] = field(default_factory=lambda: HEADS)

    def save(self, folder: Path) -> Path:
        """Write the folder."""
        write_json(super().save(folder) / "heads.json", self.said)
        return folder

    def ids(self, text: str, limit: int | None = None) -> list[int]:
        """The token ids of a text, cut to ``limit``."""
        tokenizer = self.make_tokenizer()
        tokenizer.enable_truncation(self.limit if limit is None else limit)
        return list(tokenizer.encode(text).ids)

    def dense(self, text: str, limit: int | None = None) -> NDArray[np.float32]:
        """The expected dense vector (hidden,)."""
        first = self.graph.tokens(self.ids(text, limit))[0]
        return np.asarray(first / np.linalg.norm(first), dtype=np.float32)

    def lexical(self, text: str, limit: int | None = None) -> dict[str, float]:
        """The expected weights by token id."""
        ids = self.ids(text, limit)
        found: dict[str, float] = {}
        for token, weight in zip(ids, (self.graph.tokens(ids) @ _SPARSE)[:, 0].tolist(), strict=True):
            if token not in SKIPPED and weight > 0:
                found[str(token)] = max(weight, found.get(str(token), 0))
        return found

    def colbert(self, text: str, limit: int | None = None) -> NDArray[np.float32]:
        """The expected token vectors (tokens - 1, width)."""
        vectors = self.graph.tokens(self.ids(text, limit))[1:] @ _COLBERT + _BIAS
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
