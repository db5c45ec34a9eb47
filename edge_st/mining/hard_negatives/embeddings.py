"""The embeddings that hard negatives are mined with, from a model or from files of an earlier call."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import DamagedFileError, InputTypeError, OptionError
from edge_st_runtime.files.writing import replacing
from edge_st_runtime.vectors.dense import check_finite

from .data import Pairs
from .settings import Encoding

_NEEDED = ("encode_query", "encode_document", "similarity", "similarity_pairwise")


@dataclass(frozen=True, eq=False)
class Embedded:
    """Unit vectors of the queries (n, dim) and of the corpus (m, dim)."""

    queries: NDArray[Any]
    corpus: NDArray[Any]


def embed(model: Any, pairs: Pairs, encoding: Encoding) -> Embedded:
    """The vectors of ``pairs``; with a cache folder they are read from there, or written there.

    Raises InputTypeError for what is no embedding model, OptionError for a cache folder with a model that has no
    fingerprint, DamagedFileError for a cached file that is not what was written.
    """
    from ...models.sparse_encoder import SparseEncoder  # slow to load

    if isinstance(model, SparseEncoder) or not all(hasattr(model, name) for name in _NEEDED):
        raise InputTypeError(f"model is {type(model).__name__}; expected a SentenceTransformer")
    documents = (pairs.corpus, encoding.corpus_prompt_name, encoding.corpus_prompt)
    queries = (pairs.queries, encoding.query_prompt_name, encoding.query_prompt)
    files = [_cache_file(model, "query", queries, encoding), _cache_file(model, "corpus", documents, encoding)]
    found = [_read(file, len(texts[0]), encoding) for file, texts in zip(files, (queries, documents), strict=True)]
    with processes(model, encoding, wanted=any(vectors is None for vectors in found)) as pool:
        encoders = (model.encode_query, model.encode_document)
        for place, (encode, texts) in enumerate(zip(encoders, (queries, documents), strict=True)):
            if found[place] is None:
                found[place] = _encode(encode, texts, encoding, pool)
                _write(files[place], found[place], encoding)
    return Embedded(*found)


@contextmanager
def processes(model: Any, encoding: Encoding, *, wanted: bool = True) -> Iterator[Any]:
    """Processes of ``model`` where they are asked for, which end with the block; else None."""
    if not encoding.use_multi_process or not wanted:
        yield None
        return
    devices = None if isinstance(encoding.use_multi_process, bool) else list(encoding.use_multi_process)
    pool = model.start_multi_process_pool(target_devices=devices)
    try:
        yield pool
    finally:
        model.stop_multi_process_pool(pool)


def _encode(encode: Any, texts: tuple[Sequence[str], str | None, str | None], encoding: Encoding, pool: Any) -> Any:
    vectors = encode(
        texts[0],
        prompt_name=texts[1],
        prompt=texts[2],
        pool=pool,
        batch_size=encoding.batch_size,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=encoding.verbose,
    )
    check_finite(vectors, "the model's embeddings")
    return vectors


def _cache_file(model: Any, kind: str, texts: Any, encoding: Encoding) -> Path | None:
    if encoding.cache_folder is None:
        return None
    fingerprint = getattr(model, "fingerprint", None)
    if fingerprint is None:
        raise OptionError(f"cache_folder needs a model with a fingerprint; {type(model).__name__} has none")
    key = repr((fingerprint, getattr(model, "truncate_dim", None), *texts))
    digest = hashlib.sha256(key.encode(), usedforsecurity=False).hexdigest()
    return Path(encoding.cache_folder) / f"{kind}_embeddings_{digest}.npy"


def _read(file: Path | None, count: int, encoding: Encoding) -> Any:
    if file is None or not file.is_file():
        return None
    try:
        vectors = np.load(file)
    except (ValueError, EOFError, OSError) as error:
        raise DamagedFileError(f"{file} cannot be read ({error}); remove it and call again") from error
    if vectors.ndim != 2 or len(vectors) != count:
        raise DamagedFileError(f"{file} is of shape {vectors.shape}; expected {count} rows: remove it and call again")
    if encoding.verbose:
        print(f"[Cache] Loaded embeddings from {file} (shape={vectors.shape})")
    return vectors


def _write(file: Path | None, vectors: Any, encoding: Encoding) -> None:
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part, part.open("wb") as opened:
        np.save(opened, vectors)
    if encoding.verbose:
        print(f"[Cache] Saved embeddings to {file}")
