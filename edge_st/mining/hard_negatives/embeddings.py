"""The embeddings that hard negatives are mined with, from the model or from the cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edge_st_runtime.errors import InputTypeError
from edge_st_runtime.vectors.dense import check_finite

from .cache import cache_file, read_embeddings, write_embeddings
from .data import Pairs
from .encoding import Encoding, Prompt, processes

_NEEDED = ("encode_query", "encode_document", "similarity", "similarity_pairwise")


@dataclass(frozen=True, eq=False)
class Embedded:
    """Unit vectors of the queries (n, dim) and of the corpus (m, dim)."""

    queries: NDArray[Any]
    corpus: NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Job:
    """Texts to encode by a method of the model; ``vectors`` where the cache ``file`` has them."""

    encode: Any
    texts: Sequence[str]
    prompt: Prompt
    file: Path | None
    vectors: NDArray[Any] | None


def embed(model: Any, pairs: Pairs, encoding: Encoding) -> Embedded:
    """The vectors of ``pairs``; with a cache folder they are read from there, or written there.

    Raises InputTypeError for a model that does not embed, OptionError for a cache folder with a model that has no
    fingerprint, DamagedFileError for a damaged cache file.
    """
    from ...models.sparse_encoder import SparseEncoder  # slow to load

    if isinstance(model, SparseEncoder) or not all(hasattr(model, name) for name in _NEEDED):
        raise InputTypeError(f"model is {type(model).__name__}; expected a SentenceTransformer")
    jobs = [
        _job(model, "query", pairs.queries, encoding.query_prompt, encoding),
        _job(model, "corpus", pairs.corpus, encoding.corpus_prompt, encoding),
    ]
    with processes(model, encoding, are_needed=any(job.vectors is None for job in jobs)) as pool:
        return Embedded(*[_encode(job, encoding, pool) if job.vectors is None else job.vectors for job in jobs])


def _job(model: Any, kind: str, texts: Sequence[str], prompt: Prompt, encoding: Encoding) -> _Job:
    file = cache_file(encoding.cache_folder, model, kind, texts, prompt)
    vectors = None if file is None else read_embeddings(file, len(texts), verbose=encoding.verbose)
    return _Job(model.encode_query if kind == "query" else model.encode_document, texts, prompt, file, vectors)


def _encode(job: _Job, encoding: Encoding, pool: Any) -> NDArray[Any]:
    vectors: NDArray[Any] = job.encode(
        job.texts,
        prompt_name=job.prompt.name,
        prompt=job.prompt.text,
        pool=pool,
        batch_size=encoding.batch_size,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=encoding.verbose,
    )
    check_finite(vectors, "the model's embeddings")
    if job.file is not None:
        write_embeddings(job.file, vectors, verbose=encoding.verbose)
    return vectors
