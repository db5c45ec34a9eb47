"""Tiny model folders of every kind, each with one to three changes, and what becomes of the vectors."""

import logging
import random
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.base import BaseModel
from tests.support.fuzzing.files import change_file
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_models import (
    MEAN,
    NORMALIZE,
    TinyModel,
    dense,
    graph_entry,
    write_json,
    write_record,
    write_safetensors,
    write_static,
)
from tests.support.tiny_pair_models import (
    VOCABULARY,
    TinyCrossEncoder,
    TinySparseEncoder,
    write_inference_free,
)
from tests.support.tiny_tokenizers import byte_bpe, unigram, wordpiece
from tests.support.tiny_words import write_words

_RECORD = "edge_st.json"
#: the warning that settings were changed since the export, with which other vectors are right
_TOLD = "edited since the export"
_random = np.random.default_rng(3)
_WEIGHT = _random.standard_normal((5, HIDDEN)).astype(np.float32)
_PROMPTS = {"prompts": {"query": "search: ", "document": ""}, "default_prompt_name": "query"}
_TEXTS = ["the quick brown fox", "seven small boats sail across the cold northern sea", ""]


def _dense(folder: Path) -> Path:
    modules = (
        MEAN,
        dense(_WEIGHT, np.ones(5, dtype=np.float32), activation_function="torch.nn.modules.activation.Tanh"),
    )
    return TinyModel(modules=(*modules, NORMALIZE), settings=_PROMPTS).save(folder)


def _openvino(folder: Path) -> Path:
    TinyModel(make_tokenizer=byte_bpe, tokenizer_config={}).save(folder)
    (folder / "openvino").mkdir()
    openvino.save_model(
        openvino.Core().read_model(folder / "onnx" / "model.onnx"), folder / "openvino/openvino_model.xml"
    )
    shutil.rmtree(folder / "onnx")
    return folder


def _weights_apart(folder: Path) -> Path:
    """An ONNX graph whose weights are in a file of their own."""
    import onnx

    TinyModel(make_tokenizer=unigram, tokenizer_config={"pad_token": "<pad>"}).save(folder)
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    options: dict[str, Any] = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 100}
    onnx.save_model(model, str(path), **options)
    return folder


def _plain(folder: Path) -> Path:
    """A folder without modules.json."""
    TinyModel(modules=()).save(folder)
    (folder / "modules.json").unlink()
    return folder


def _static(folder: Path) -> Path:
    rows = _random.standard_normal((wordpiece().get_vocab_size(), 6)).astype(np.float32)
    return write_static(folder, wordpiece(), {"embedding.weight": rows})


def _words(folder: Path) -> Path:
    write_words(folder / "0_WordEmbeddings")
    kinds = [("0_WordEmbeddings", "WordEmbeddings"), ("1_WordWeights", "WordWeights"), ("2_Pooling", "Pooling")]
    write_json(
        folder / "1_WordWeights" / "config.json", {"vocab": [f"w{i}" for i in range(10)], "word_weights": {"w1": 2.0}}
    )
    write_json(folder / "2_Pooling" / "config.json", {"word_embedding_dimension": 5, "pooling_mode_mean_tokens": True})
    return _modules(folder, kinds)


def _bag(folder: Path) -> Path:
    vocabulary = {"vocab": ["the", "fox", "boats", "sea"], "word_weights": {"fox": 2.5}, "unknown_word_weight": 1}
    write_json(folder / "0_BoW" / "config.json", {**vocabulary, "cumulative_term_frequency": True})
    write_json(folder / "1_LayerNorm" / "config.json", {"dimension": 4})
    ones = {"norm.weight": np.ones(4, dtype=np.float32), "norm.bias": np.zeros(4, dtype=np.float32)}
    write_safetensors(folder / "1_LayerNorm" / "model.safetensors", ones)
    return _modules(folder, [("0_BoW", "BoW"), ("1_LayerNorm", "LayerNorm")])


def _modules(folder: Path, kinds: list[tuple[str, str]]) -> Path:
    entries = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds]
    write_json(folder / "modules.json", entries)
    return folder


def _inference_free(folder: Path) -> Path:
    return write_inference_free(folder, np.abs(_random.standard_normal(VOCABULARY)).astype(np.float32))


Make = Callable[[Path], Path]
KINDS: Mapping[str, tuple[type[BaseModel], Make]] = {
    "dense": (SentenceTransformer, _dense),
    "openvino": (SentenceTransformer, _openvino),
    "weights apart": (SentenceTransformer, _weights_apart),
    "plain": (SentenceTransformer, _plain),
    "static": (SentenceTransformer, _static),
    "words": (SentenceTransformer, _words),
    "bag": (SentenceTransformer, _bag),
    "cross-encoder": (CrossEncoder, TinyCrossEncoder(labels=3).save),
    "sparse": (SparseEncoder, TinySparseEncoder().save),
    "router": (SparseEncoder, _inference_free),
}


def vectors(kind: str, folder: Path) -> np.ndarray[Any, Any]:
    """What the model in ``folder`` gives for a few texts."""
    model = KINDS[kind][0](folder, backend="auto" if kind != "weights apart" else "onnx", num_threads=1)
    model.info()
    if isinstance(model, CrossEncoder):
        return model.predict([("the fox", text) for text in _TEXTS], activation_fn=None)
    if isinstance(model, SparseEncoder):
        found = [model.encode_query(_TEXTS), model.encode_document(_TEXTS)]
        return np.concatenate([each.to_dense() for each in found])
    assert isinstance(model, SentenceTransformer)
    found = [model.encode_query(_TEXTS), model.encode_document(_TEXTS)]
    model.count_tokens(_TEXTS)
    return np.concatenate(found)


def make(root: Path) -> None:
    """Write the folders of all kinds below ``root``, each with a record of its golden vectors."""
    for kind, (model_class, write) in KINDS.items():
        folder = write(root / kind)
        graphs = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in (".onnx", ".xml")]
        entries = [
            graph_entry(name, "openvino" if name.endswith("xml") else "onnx") for name in graphs if "_0_" not in name
        ]
        entries += [graph_entry("onnx/model.onnx", "onnx") for name in graphs if "_0_" in name]
        write_record(folder, entries, task=model_class.__name__)


class Folders:
    """Cases of changed folders; every second one has its record."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root, self._folder = root, scratch / "case"
        self._right = cache(lambda kind: vectors(kind, root / kind))
        self._told = _Warnings()
        logging.getLogger().addHandler(self._told)

    def prepare(self, number: int) -> str:
        """Make the folder of case ``number``; returns what was changed."""
        kind, chance = kind_of(number), random.Random(number)
        self._right(kind)
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._root / kind, self._folder)
        if not has_record(number):
            (self._folder / _RECORD).unlink()
        chosen = self._chosen(chance, recorded=has_record(number))
        changes = [f"{change_file(path, chance)} {path.name}" for path in chosen if path.is_file()]
        return ", ".join(changes)

    def outcome(self, number: int) -> tuple[str, str]:
        """What became of the vectors, and a word about it; raises what the model raises."""
        kind = kind_of(number)
        right = self._right(kind)
        self._told.messages.clear()
        found = vectors(kind, self._folder)
        if not np.isfinite(found).all():
            return "nan", ""
        if found.shape == right.shape and np.allclose(found, right, rtol=1e-3, atol=1e-4):
            return "same", ""
        told = [message for message in self._told.messages if _TOLD in message]
        return "told" if told else "different", "; ".join(told)

    def _chosen(self, chance: random.Random, *, recorded: bool) -> list[Path]:
        """The files to change: the record, or those that it is about, but never both."""
        record = self._folder / _RECORD
        if recorded and chance.random() < 0.4:
            return [record]
        files = sorted(path for path in self._folder.rglob("*") if path.is_file() and path != record)
        return chance.sample(files, chance.choice([1, 1, 1, 2, 3]))


def kind_of(number: int) -> str:
    """The kind of model in case ``number``."""
    return list(KINDS)[number % len(KINDS)]


def has_record(number: int) -> bool:
    """Whether the folder of case ``number`` has its record."""
    return number // len(KINDS) % 2 == 0


def row(number: int) -> str:
    """The row of the table that case ``number`` belongs to."""
    return f"{kind_of(number)}, {'with' if has_record(number) else 'without'} a record"


class _Warnings(logging.Handler):
    """What was warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
