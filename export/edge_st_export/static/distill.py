"""Distil any sentence-transformers model into a table of token vectors that needs no engine at run time.

Each entry of the vocabulary is encoded by the teacher as a text of its own ("[CLS] token [SEP]"). The vectors are
reduced by PCA and weighted by the token's rank. This is Model2Vec's recipe, with SIF weighting after Arora et al. 2017,
"A Simple but Tough-to-Beat Baseline for Sentence Embeddings". If there are texts, the table is then fitted to them: the
mean of a text's token vectors is moved towards the teacher's vector of that text. No scores, labels or pairs are used.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tqdm import tqdm

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError, MissingFileError, OptionError, UnsupportedModelError

from .fit import fit_rows, mean_vectors
from .folder import write_folder

Storage = Literal["int8", "float32"]
SIF_COEFFICIENT = 1e-4
UNUSED = re.compile(r"\[unused\d+\]")
HELD_OUT_EVERY = 100  # one text in a hundred is held out of the fit, to measure it


@dataclass(frozen=True)
class Distilled:
    """What `distill` wrote: the folder, its size, and the similarity of its vectors to the teacher's.

    ``cosine_before`` and ``cosine_after`` the fit are means over held-out texts, or None without texts. ``megabytes``
    are 10⁶ bytes.
    """

    folder: Path
    vocabulary: int
    dim: int
    storage: Storage
    megabytes: float
    texts: int
    cosine_before: float | None
    cosine_after: float | None


def distill(
    model: str | Path,
    out: str | Path,
    *,
    dim: int = 256,
    texts: str | Path | None = None,
    storage: Storage = "int8",
) -> Distilled:
    """Distil ``model`` (a Hub name or a folder) into the folder ``out``, in the layout of StaticEmbedding.

    ``texts`` names a UTF-8 file with one text a line, to fit the vectors to; without it they are not fitted.
    ``storage`` "float32" can be loaded by sentence-transformers; "int8" is a quarter of its size. On one machine, with
    the same library versions, the same arguments give the same bytes.

    Raises:
        OptionError: ``dim`` or ``storage`` is out of range, or ``out`` exists and is not an empty folder.
        MissingFileError, InputError: the file of texts does not exist, is not UTF-8, or holds fewer than two texts.
        UnsupportedModelError: the teacher has no fast tokenizer.
    """
    target = Path(out)
    _check_options(target, dim, storage)
    lines = None if texts is None else read_texts(Path(texts))
    teacher = SentenceTransformer(str(model))
    tokenizer = bare_tokenizer(teacher)
    weights = zipf_weights(tokenizer, special=set(teacher.tokenizer.all_special_ids))
    tokens = token_vectors(teacher, len(weights))
    if dim > tokens.shape[1]:
        raise OptionError(f"dim={dim} exceeds the teacher's dimension; choose at most {tokens.shape[1]}")
    if lines is None:
        rows, before, after = initial_rows(tokens, weights, principal_axes(tokens, weights, dim)), None, None
    else:
        rows, before, after = _fitted(teacher, tokenizer, tokens, weights, lines, dim)
    name, count = Path(model).name if Path(model).exists() else str(model), len(lines or ())
    megabytes = write_folder(target, rows, tokenizer, storage, teacher=name, texts=count)
    result = Distilled(target, len(rows), dim, storage, megabytes, count, before, after)
    print(summary(result))
    return result


def read_texts(path: Path) -> list[str]:
    """The lines of a UTF-8 file that are not blank; raises MissingFileError and InputError."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except FileNotFoundError:
        raise MissingFileError(f"{path} does not exist; texts= names a UTF-8 file with one text a line") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}); convert it first, e.g. with iconv") from None
    if len(lines) < 2:
        raise InputError(f"{path} holds {len(lines)} texts; put one text on each line, best tens of thousands")
    return lines


def bare_tokenizer(teacher: Any) -> Tokenizer:
    """The teacher's tokenizer without truncation, padding and special tokens."""
    backend = getattr(teacher.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsupportedModelError(
            f"the teacher's {type(teacher.tokenizer).__name__} is not a fast tokenizer of transformers; first save "
            "a tokenizer.json: transformers.AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)"
        )
    fields = json.loads(backend.to_str())
    return Tokenizer.from_str(json.dumps(fields | {"truncation": None, "padding": None, "post_processor": None}))


def zipf_weights(tokenizer: Tokenizer, special: set[int]) -> Floats:
    """The SIF weight of every token id, shape (vocabulary,); 0 for special and unused tokens.

    Vocabularies are ordered by frequency, so Zipf's law gives a token's probability p from its rank; its weight is
    a / (a + p). Special and unused tokens have no rank, as they would lower the rank of frequent tokens.
    """
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    size = max(vocabulary.values()) + 1
    usable = sorted(i for token, i in vocabulary.items() if i not in special and not UNUSED.fullmatch(token))
    probability = 1 / np.arange(2, len(usable) + 2)
    probability /= probability.sum()
    weights = np.zeros(size, dtype=np.float32)
    weights[usable] = SIF_COEFFICIENT / (SIF_COEFFICIENT + probability)
    return weights


def token_vectors(teacher: Any, size: int, batch: int = 256) -> Floats:
    """The teacher's unit vector of each token id, with special tokens around it; shape (size, teacher's dimension)."""
    tokenizer = teacher.tokenizer
    sequences = [tokenizer.build_inputs_with_special_tokens([token]) for token in range(size)]
    vectors = []
    with torch.inference_mode():
        for start in tqdm(range(0, size, batch), desc="token vectors", unit="batch"):
            features = tokenizer.pad({"input_ids": sequences[start : start + batch]}, return_tensors="pt")
            features = {name: tensor.to(teacher.device) for name, tensor in features.items()}
            vectors.append(teacher(features)["sentence_embedding"].float().cpu().numpy())
    return normalized(np.concatenate(vectors))


def principal_axes(tokens: Floats, weights: Floats, dim: int) -> Floats:
    """The first ``dim`` principal axes of the vectors of tokens with a weight; shape (teacher's dimension, dim)."""
    usable = tokens[weights > 0]
    return top_eigenvectors(usable - usable.mean(axis=0), dim)


def top_eigenvectors(vectors: Floats, dim: int) -> Floats:
    """The ``dim`` eigenvectors of the second moment with the largest eigenvalues, as columns."""
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    return np.ascontiguousarray(axes[:, ::-1][:, :dim])


def initial_rows(tokens: Floats, weights: Floats, axes: Floats) -> Floats:
    """Centred, projected and weighted token vectors, scaled to a mean length of 1; shape (vocabulary, dim)."""
    usable = weights > 0
    rows = (tokens - tokens[usable].mean(axis=0)) @ axes * weights[:, None]
    return rows / np.linalg.norm(rows[usable], axis=1).mean()


def normalized(vectors: Floats) -> Floats:
    """Rows scaled to unit length; zero rows stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def summary(result: Distilled) -> str:
    """A table with one line for each fact."""
    facts = [
        ("folder", str(result.folder)),
        ("vocabulary × dim", f"{result.vocabulary} × {result.dim} ({result.storage})"),
        ("size", f"{result.megabytes:.2f} MB"),
        ("texts", str(result.texts)),
    ]
    if result.cosine_before is not None:
        cosines = f"{result.cosine_before:.4f} before the fit, {result.cosine_after:.4f} after"
        facts.append(("cosine with the teacher", cosines))
    return "\n".join(f"{name:<24}{value}" for name, value in facts)


def _check_options(target: Path, dim: int, storage: str) -> None:
    if storage not in ("int8", "float32"):
        raise OptionError(f"storage={storage!r}; choose 'int8' or 'float32'")
    if dim < 1:
        raise OptionError(f"dim={dim}; choose 1 or more")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OptionError(f"{target} exists already; remove it or choose another folder")


def _fitted(
    teacher: Any, tokenizer: Tokenizer, tokens: Floats, weights: Floats, lines: Sequence[str], dim: int
) -> tuple[Floats, float, float]:
    """The fitted rows, and the mean cosine with the teacher on held-out texts before and after the fit."""
    vectors = teacher.encode(list(lines), normalize_embeddings=True, show_progress_bar=True)
    axes = top_eigenvectors(vectors, dim)
    goals = normalized(vectors @ axes)
    limit = teacher.max_seq_length or None
    ids = [np.asarray(e.ids[:limit], np.int64) for e in tokenizer.encode_batch_fast(lines, add_special_tokens=False)]
    ids = [row[weights[row] > 0] for row in ids]
    held = np.arange(len(ids)) % HELD_OUT_EVERY == 0
    kept = [row for row, out in zip(ids, held, strict=True) if not out]
    start = initial_rows(tokens, weights, axes).astype(np.float32)
    rows = fit_rows(start, kept, goals[~held])

    def mean_cosine(table: Floats) -> float:
        found = normalized(mean_vectors(table, [row for row, out in zip(ids, held, strict=True) if out]))
        return float((found * goals[held]).sum(axis=1).mean())

    return rows, mean_cosine(start), mean_cosine(rows)
