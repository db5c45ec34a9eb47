"""Tiny cross-encoders and sparse encoders: `TinyGraph` with a head, and the expected results in NumPy."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from tests.support.tiny_graphs import HIDDEN, TinyGraph
from tests.support.tiny_models import LIMIT, Step, TinyModel, write_json, write_safetensors
from tests.support.tiny_tokenizers import NASTY, random_texts, save_tokenizer, wordpiece

TextOrPair = str | tuple[str, str]
_POSITIONS = 64
VOCABULARY = wordpiece().get_vocab_size()
_generator = np.random.default_rng(11)
_SCORING = _generator.standard_normal((HIDDEN, 3)).astype(np.float32)
_SCORING_BIAS = np.array([0.25, -0.5, 0.125], dtype=np.float32)
_WORDS = _generator.standard_normal((HIDDEN, VOCABULARY)).astype(np.float32)
_WORDS_BIAS = np.float32(-4)  # so that most weights are 0
SPLADE: Step = ("SpladePooling", {"pooling_strategy": "max", "activation_function": "relu"}, {})
SPARSE_SETTINGS = {"model_type": "SparseEncoder"}


def encodings(tokenizer: Tokenizer, texts: Sequence[TextOrPair], limit: int | None) -> list[Any]:
    """The encodings of texts and pairs by ``tokenizers`` itself, one by one, with its own truncation."""
    if limit is not None:
        tokenizer.enable_truncation(limit)
    return [tokenizer.encode(text) if isinstance(text, str) else tokenizer.encode(*text) for text in texts]


@dataclass(frozen=True)
class TinyCrossEncoder:
    """A sequence classifier as transformers saves it: the logits depend on tokens, their order and their types.

    ``says_labels`` is whether the graph tells how many there are.
    """

    labels: int = 1
    limit: int | None = LIMIT
    says_labels: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    graph: TinyGraph = TinyGraph(outputs={"sentence_embedding": "mean"}, own_positions=_POSITIONS)  # noqa: RUF009

    def save(self, folder: Path) -> Path:
        """Write the folder."""
        save_tokenizer(folder, wordpiece(), pad_token="[PAD]", model_max_length=self.limit)
        config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], **self.config}
        write_json(folder / "config.json", {"max_position_embeddings": _POSITIONS, **config})
        if self.settings:
            write_json(folder / "config_sentence_transformers.json", self.settings)
        path = self.graph.save(folder / "onnx" / "model.onnx")
        matrix, bias = _SCORING[:, : self.labels], _SCORING_BIAS[: self.labels]
        _add_head(path, "sentence_embedding", matrix, bias, says_width=self.says_labels)
        return folder

    def logits(self, pairs: Sequence[TextOrPair], prompt: str = "") -> NDArray[np.float32]:
        """What the model must answer (pairs, labels)."""
        prompted = [prompt + pair if isinstance(pair, str) else (prompt + pair[0], pair[1]) for pair in pairs]
        means = [
            self.graph.tokens(one.ids, one.type_ids).mean(axis=0)
            for one in encodings(wordpiece(), prompted, self.limit)
        ]
        return (np.stack(means) @ _SCORING + _SCORING_BIAS)[:, : self.labels]

    def scores(self, pairs: Sequence[TextOrPair], prompt: str = "") -> NDArray[np.float32]:
        """The sigmoid of the first logit (pairs,)."""
        return (1 / (1 + np.exp(-self.logits(pairs, prompt)[:, 0].astype(np.float64)))).astype(np.float32)


@dataclass(frozen=True)
class TinySparseEncoder:
    """SPLADE: ``in_graph`` gives the weights and their largest, as edge-st's exporter writes it; else MLM logits.

    ``says_width`` is whether the graph tells the size of the vocabulary.
    """

    in_graph: bool = True
    says_width: bool = True
    settings: Mapping[str, Any] = field(default_factory=lambda: SPARSE_SETTINGS)
    limit: int | None = LIMIT
    graph: TinyGraph = TinyGraph(outputs={"token_embeddings": "tokens"})  # noqa: RUF009

    def save(self, folder: Path) -> Path:
        """Write the folder."""
        TinyModel(graph=self.graph, modules=(SPLADE,), limit=self.limit, settings=self.settings).save(folder)
        path = folder / "onnx" / "model.onnx"
        bias = np.full(_WORDS.shape[1], _WORDS_BIAS)
        _add_head(path, "token_embeddings", _WORDS, bias, says_width=self.says_width)
        if self.in_graph:
            _add_splade(path)
        return folder

    def plain(self, folder: Path) -> Path:
        """Write the folder as transformers saves a masked language model, without modules.json."""
        self.save(folder)
        for name in ("modules.json", "config_sentence_transformers.json", "1_SpladePooling/config.json"):
            (folder / name).unlink()
        write_json(folder / "config.json", {"model_type": "bert", "architectures": ["BertForMaskedLM"]})
        return folder

    def weights(self, texts: Sequence[TextOrPair], prompt: str = "") -> NDArray[np.float32]:
        """What the model must answer (texts, vocabulary)."""
        prompted = [prompt + text if isinstance(text, str) else (prompt + text[0], text[1]) for text in texts]
        rows = [self.graph.tokens(one.ids, one.type_ids) for one in encodings(wordpiece(), prompted, self.limit)]
        return np.stack([np.log1p(np.maximum(row @ _WORDS + _WORDS_BIAS, 0)).max(axis=0) for row in rows])


def write_inference_free(folder: Path, weights: NDArray[np.float32]) -> Path:
    """A Router: a weight for every token of a query, SPLADE for documents."""
    routes = {"query": ["SparseStaticEmbedding"], "document": ["Transformer", "SpladePooling"]}
    names = {f"{route}_{place}_{kind}": kind for route, kinds in routes.items() for place, kind in enumerate(kinds)}
    router = {
        "types": {name: f"sentence_transformers.models.{kind}" for name, kind in names.items()},
        "structure": {route: [name for name in names if name.startswith(f"{route}_")] for route in routes},
        "parameters": {"default_route": "document"},
    }
    write_json(folder / "router_config.json", router)
    write_json(folder / "modules.json", [{"path": "", "type": "sentence_transformers.models.Router"}])
    write_json(folder / "config_sentence_transformers.json", SPARSE_SETTINGS)
    TinySparseEncoder().save(folder / "document_0_Transformer")
    (folder / "document_0_Transformer" / "1_SpladePooling").rename(folder / "document_1_SpladePooling")
    write_sparse_static(folder / "query_0_SparseStaticEmbedding", weights)
    return folder


def write_sparse_static(folder: Path, weights: NDArray[np.float32]) -> Path:
    """The files of a SparseStaticEmbedding."""
    save_tokenizer(folder, wordpiece())
    write_json(folder / "config.json", {"frozen": True})
    write_safetensors(folder / "model.safetensors", {"weight": weights})
    return folder


def _add_head(path: Path, source: str, matrix: NDArray[Any], bias: NDArray[Any], *, says_width: bool) -> None:
    """Let the graph at ``path`` give "logits" = ``source`` · ``matrix`` + ``bias`` alone.

    Without ``says_width`` the number of logits is not known from the graph.
    """
    model, node = onnx.load(path), helper.make_node
    (output,) = model.graph.output
    axes = [axis.dim_param for axis in output.type.tensor_type.shape.dim][:-1]
    width = matrix.shape[1]
    model.graph.output.remove(output)
    shape = [*axes, width if says_width else "width"]
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape))
    constants = {
        "head": matrix,
        "bias": bias,
        "width": np.array([width]),
        "none": np.array([0]),
        "last": np.array([-1]),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.node.append(node("MatMul", [source, "head"], ["projected"]))
    if says_width:
        model.graph.node.append(node("Add", ["projected", "bias"], ["logits"]))
    else:
        model.graph.node.extend(
            [
                node("Add", ["projected", "bias"], ["all_logits"]),
                node("ReduceMax", ["attention_mask"], ["one_at_most"], keepdims=0),
                node("Mul", ["width", "one_at_most"], ["end"]),
                node("Slice", ["all_logits", "none", "end", "last"], ["logits"]),
            ]
        )
    onnx.save(model, path)


def _add_splade(path: Path) -> None:
    """Pool the "logits" of the graph at ``path`` in it, and give the largest weights too."""
    model, node = onnx.load(path), helper.make_node
    (output,) = model.graph.output
    axis = output.type.tensor_type.shape.dim[-1]
    vocabulary = axis.dim_value or axis.dim_param
    del model.graph.output[:]
    model.graph.input.append(helper.make_tensor_value_info("max_active_dims", TensorProto.INT64, [1]))
    for name, kind, width in (
        ("sentence_embedding", TensorProto.FLOAT, vocabulary),
        ("active_values", TensorProto.FLOAT, "max_active_dims"),
        ("active_indices", TensorProto.INT64, "max_active_dims"),
    ):
        model.graph.output.append(helper.make_tensor_value_info(name, kind, ["batch", width]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.float32), "one"))
    model.graph.node.extend(
        [
            node("Mul", ["logits", "weights"], ["own_logits"]),
            node("Relu", ["own_logits"], ["positive"]),
            node("ReduceMax", ["positive"], ["largest"], axes=[1], keepdims=0),
            node("Add", ["largest", "one"], ["raised"]),
            node("Log", ["raised"], ["sentence_embedding"]),
            node("TopK", ["sentence_embedding", "max_active_dims"], ["active_values", "active_indices"], sorted=0),
        ]
    )
    onnx.save(model, path)


def largest(weights: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The ``count`` largest weights of each row."""
    kept = np.sort(weights, axis=1)[:, -count, None]
    return np.where(weights >= kept, weights, 0).astype(np.float32)


TEXTS = [*NASTY, *random_texts(30)]
PAIRS = list(zip(TEXTS, random.Random(3).sample(TEXTS, len(TEXTS)), strict=True))
PAIR = ("who painted the door", "nobody remembers")
ONE, THREE, SPARSE = TinyCrossEncoder(), TinyCrossEncoder(labels=3), TinySparseEncoder()
