"""Peers that bring an engine of their own and leave tokens, pooling or batches to their user.

Limit and pooling are read from the original's folder. Vectors are normalized.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

#: tokens of a batch: what ran fastest with CTranslate2 (of texts times their longest) and with llama.cpp (of all)
TOKEN_BUDGET = 512
Encode = Callable[[Any], Any]


def limit(original: Path) -> int:
    """The most tokens of a text that the model reads."""
    files = {"sentence_bert_config.json": "max_seq_length", "tokenizer_config.json": "model_max_length"}
    found = (json.loads((original / file).read_text(encoding="utf-8")).get(key) for file, key in files.items())
    return next(int(value) for value in found if value)


def pools_first(original: Path) -> bool:
    """Whether a text's vector is its first token's; else it is the tokens' mean."""
    config = json.loads((original / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    return bool(config.get("pooling_mode_cls_token")) or config.get("pooling_mode") == "cls"


def normalized(vectors: Any) -> Any:
    """Each row over its length."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def ctranslate2(folder: Path, original: Path, threads: int | None) -> Encode:
    """CTranslate2 in int8: texts sorted by length, in batches of a token budget, one a thread at a time."""
    import ctranslate2 as engine
    from tokenizers import Tokenizer

    cores = threads or len(os.sched_getaffinity(0))
    options: dict[str, Any] = {"device": "cpu", "compute_type": "int8"}
    one = engine.Encoder(str(folder), intra_threads=cores, **options)
    many = engine.Encoder(str(folder), intra_threads=1, inter_threads=cores, **options)
    tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit(original))
    pool, first = ThreadPoolExecutor(cores), pools_first(original)

    def run(encoder: Any, ids: list[list[int]]) -> Any:
        hidden = np.array(encoder.forward_batch(ids).last_hidden_state)
        lengths = np.array([len(row) for row in ids])
        mask = np.arange(hidden.shape[1]) < lengths[:, None]
        pooled = hidden[:, 0] if first else (hidden * mask[..., None]).sum(axis=1) / lengths[:, None]
        return normalized(pooled)

    def encode(given: str | Sequence[str]) -> Any:
        if isinstance(given, str):
            return run(one, [tokenizer.encode(given).ids])[0]
        ids = [encoding.ids for encoding in tokenizer.encode_batch(list(given))]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        parts = list(_batches([ids[place] for place in order]))
        found = np.concatenate(list(pool.map(lambda part: run(many, part), reversed(parts)))[::-1])
        return found[np.argsort(order)]

    return encode


def llama_cpp(file: Path, original: Path, threads: int | None) -> Encode:
    """llama.cpp, which pools by what the file says and fills batches with texts in their order."""
    from llama_cpp import Llama

    most, cores = limit(original), threads or len(os.sched_getaffinity(0))

    class Limited(Llama):
        """With the model's limit, and the last token kept, as sentence-transformers cuts."""

        def tokenize(self, text: bytes, **options: bool) -> list[int]:
            """Of at most ``most`` tokens."""
            tokens: list[int] = super().tokenize(text, **options)
            return tokens if len(tokens) <= most else [*tokens[: most - 1], tokens[-1]]

    batches = dict.fromkeys(("n_ctx", "n_batch", "n_ubatch"), max(most, TOKEN_BUDGET))
    model = Limited(str(file), embedding=True, n_threads=cores, n_threads_batch=cores, verbose=False, **batches)

    def encode(given: str | Sequence[str]) -> Any:
        return np.array(model.embed(given, normalize=True, truncate=True), np.float32)

    return encode


def _batches(ids: Sequence[list[int]]) -> Iterator[list[list[int]]]:
    """Rows, sorted by length, in parts of the budget."""
    part: list[list[int]] = []
    for row in ids:
        if part and len(row) * (len(part) + 1) > TOKEN_BUDGET:
            yield part
            part = []
        part.append(row)
    if part:
        yield part
