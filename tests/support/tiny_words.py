"""Tiny word vectors: a vocabulary of whole words, and a vector for each."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tiny_models import write_json, write_safetensors

VOCABULARY = ["PADDING_TOKEN", "cat", "Dog", "sat", "mat", "New_York", "york", "don't", "ice_cream_van", "a__b"]
STOP_WORDS = ["the", "on"]
ROWS = np.random.default_rng(2).standard_normal((len(VOCABULARY), 5)).astype(np.float32)


def write_words(folder: Path, kind: str = "Whitespace", **changes: Any) -> Path:
    name = f"{kind}Tokenizer"
    write_json(folder / "wordembedding_config.json", {"tokenizer_class": f"somewhere.{name}", "max_seq_length": 9})
    config = {"vocab": VOCABULARY, "stop_words": STOP_WORDS, "do_lower_case": False}
    more = {"ngram_separator": "_", "max_ngram_length": 5} if kind == "Phrase" else {}
    write_json(folder / f"{name.lower()}_config.json", {**config, **more, **changes})
    write_safetensors(folder / "model.safetensors", {"emb_layer.weight": ROWS})
    return folder
