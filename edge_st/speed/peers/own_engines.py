"""Peers with an engine of their own that leave tokenization, pooling or batching to the user.

The limit and the pooling are read from the folder of the original. Vectors are normalized.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .model_files import limit, pools_first
from .peer import Encode, Setting

#: tokens of a batch, the fastest with CTranslate2 (texts times longest text) and with llama.cpp (all tokens)
TOKEN_BUDGET = 512


def make_ctranslate2(setting: Setting, target: Path) -> None:
    """CTranslate2's conversion with int8 weights."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(setting.original).convert(str(target), quantization="int8", force=True)


def make_gguf(kind: str) -> Callable[[Setting, Path], None]:
    """llama.cpp's file: "F32", or "Q8_0" for the weights of the layers."""

    def make(setting: Setting, target: Path) -> None:
        from .gguf_file import write_gguf

        write_gguf(setting.weights, target / "model.gguf", kind)

    return make


def normalized(vectors: Any) -> Any:
    """Rows scaled to length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def ctranslate2(setting: Setting) -> Encode:
    """CTranslate2 in int8: texts sorted by length, in batches of a token budget, one batch per thread.

    ``setting.folder`` is what its converter wrote.
    """
    import ctranslate2 as engine
    from tokenizers import Tokenizer

    cores, original = _cores(setting), setting.weights
    options: dict[str, Any] = {"device": "cpu", "compute_type": "int8"}
    one = engine.Encoder(setting.folder, intra_threads=cores, **options)
    many = engine.Encoder(setting.folder, intra_threads=1, inter_threads=cores, **options)
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


def llama_cpp(setting: Setting) -> Encode:
    """llama.cpp with a GGUF file as ``graph``. It pools as the file says and batches texts in their order."""
    from llama_cpp import Llama

    most, cores = limit(setting.weights), _cores(setting)

    batches = dict.fromkeys(("n_ctx", "n_batch", "n_ubatch"), max(most, TOKEN_BUDGET))
    file = str(Path(setting.folder, setting.graph))
    model = Llama(file, embedding=True, n_threads=cores, n_threads_batch=cores, verbose=False, **batches)
    whole = model.tokenize

    def tokenize(text: bytes, **options: bool) -> list[int]:
        """At most ``most`` tokens, of which the last one stays, as in sentence-transformers."""
        tokens: list[int] = whole(text, **options)
        return tokens if len(tokens) <= most else [*tokens[: most - 1], tokens[-1]]

    model.tokenize = tokenize

    def encode(given: str | Sequence[str]) -> Any:
        return np.array(model.embed(given, normalize=True, truncate=True), np.float32)

    return encode


def _cores(setting: Setting) -> int:
    return setting.threads or len(os.sched_getaffinity(0))


def _batches(ids: Sequence[list[int]]) -> Iterator[list[list[int]]]:
    """Batches of rows sorted by length, each within the token budget."""
    part: list[list[int]] = []
    for row in ids:
        if part and len(row) * (len(part) + 1) > TOKEN_BUDGET:
            yield part
            part = []
        part.append(row)
    if part:
        yield part
