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
from tokenizers import Tokenizer
from tqdm import tqdm

from edge_st import SentenceTransformer
from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError, MissingFileError, OptionError, UnsupportedModelError
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER, TASKS

from ..folder.atomic import check_target, new_folder
from ..original.loading import find_source, load_original
from .fit import fit_rows, mean_vectors
from .folder import write_card, write_model
from .quality import Held, Quality, built_in_texts, held_out, measure

Storage = Literal["int8", "float32"]
SIF_COEFFICIENT = 1e-4
UNUSED = re.compile(r"\[unused\d+\]")
_SAMPLE = "a text"
_FEWEST = 10


@dataclass(frozen=True)
class Distilled:
    """What `distill` wrote: the folder, its size, and how near it is to the teacher.

    ``cosine_before`` the fit is the mean over the texts of ``quality``, or None without texts. ``megabytes`` are 10⁶
    bytes.
    """

    folder: Path
    vocabulary: int
    dim: int
    storage: Storage
    megabytes: float
    texts: int
    cosine_before: float | None
    quality: Quality


@dataclass(frozen=True, eq=False)
class _Table:
    """Token vectors, and what they are compared with; ``cosine_before`` the fit, where there was one."""

    rows: Floats
    held: Held
    cosine_before: float | None = None


def distill(
    model: str | Path,
    out: str | Path,
    *,
    dim: int = 256,
    texts: str | Path | None = None,
    storage: Storage = "int8",
    force: bool = False,
) -> Distilled:
    """Distil ``model`` (a Hub name or a folder) into the folder ``out``, in the layout of StaticEmbedding.

    ``texts`` names a UTF-8 file with one text a line, to fit the vectors to; without it they are not fitted. Some of
    the texts are held out of the fit, and the result is compared with the teacher on them; without ``texts``, on
    built-in English ones. The comparison is printed, and kept in distillation.json and README.md. ``storage``
    "float32" can be loaded by sentence-transformers; "int8" is a quarter of its size. ``force`` replaces an existing
    model folder. On one machine, with the same library versions, the same arguments give the same bytes.

    Raises:
        OptionError: ``dim`` or ``storage`` is out of range, or ``out`` exists and may not be replaced.
        MissingFileError, InputError: the file of texts does not exist, is not UTF-8, or holds fewer than ten texts.
        UnsupportedModelError: the teacher has no fast tokenizer, or is no embedding model.
        FolderError, HubError, ExportError: the teacher is not found, or does not load.
    """
    target = Path(out)
    _check_options(target, dim, storage, force=force)
    lines = None if texts is None else read_texts(Path(texts))
    source = find_source(model, None, None, TASKS[SENTENCE_TRANSFORMER])
    teacher = load_original(source, trust_remote_code=False).to(_device())
    tokenizer = bare_tokenizer(teacher)
    weights = zipf_weights(tokenizer, special=set(teacher.tokenizer.all_special_ids))
    tokens = token_vectors(teacher, len(weights))
    if dim > tokens.shape[1]:
        raise OptionError(f"dim={dim} exceeds the teacher's dimension; choose at most {tokens.shape[1]}")
    if lines is None:
        table = _unfitted(teacher, tokens, weights, dim)
    else:
        table = _fitted(teacher, tokenizer, tokens, weights, lines, dim)
    count = len(lines or ())
    with new_folder(target, force=force) as folder:
        write_model(folder, table.rows, tokenizer, storage)
        quality = measure(SentenceTransformer(folder), table.held)
        write_card(folder, table.rows.shape, storage, source.name, count, quality)
        size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    result = Distilled(target, len(table.rows), dim, storage, size, count, table.cosine_before, quality)
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
    if len(lines) < _FEWEST:
        raise InputError(
            f"{path} holds {len(lines)} texts; put one text on each line, {_FEWEST} at least and best tens of thousands"
        )
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
    before, after = special_tokens(tokenizer)
    sequences = [[*before, token, *after] for token in range(size)]
    vectors = []
    with torch.inference_mode():
        for start in tqdm(range(0, size, batch), desc="token vectors", unit="batch"):
            features = tokenizer.pad({"input_ids": sequences[start : start + batch]}, return_tensors="pt")
            features = {name: tensor.to(teacher.device) for name, tensor in features.items()}
            vectors.append(teacher(features)["sentence_embedding"].float().cpu().numpy())
    return normalized(np.concatenate(vectors))


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids of the tokens that the tokenizer puts before and after a text."""
    bare, whole = (tokenizer(_SAMPLE, add_special_tokens=special)["input_ids"] for special in (False, True))
    start = next(place for place in range(len(whole)) if whole[place : place + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


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
    facts += result.quality.facts()
    if result.cosine_before is not None:
        facts.append(("  before the fit", f"{result.cosine_before:.4f}"))
    return "\n".join(f"{name:<28}{value}" for name, value in facts)


def _device() -> str:
    """The fastest device for the teacher."""
    from sentence_transformers.util import get_device_name

    return str(get_device_name())


def _check_options(target: Path, dim: int, storage: str, *, force: bool) -> None:
    if storage not in ("int8", "float32"):
        raise OptionError(f"storage={storage!r}; choose 'int8' or 'float32'")
    if dim < 1:
        raise OptionError(f"dim={dim}; choose 1 or more")
    check_target(target, force=force)


def _unfitted(teacher: Any, tokens: Floats, weights: Floats, dim: int) -> _Table:
    """The initial rows, to be compared on the built-in texts."""
    rows, texts = initial_rows(tokens, weights, principal_axes(tokens, weights, dim)), built_in_texts()
    return _Table(rows, Held(texts, _encoded(teacher, texts), None))


def _fitted(
    teacher: Any, tokenizer: Tokenizer, tokens: Floats, weights: Floats, lines: Sequence[str], dim: int
) -> _Table:
    """The rows fitted to most of the texts, to be compared on the others."""
    vectors = _encoded(teacher, lines)
    axes = top_eigenvectors(vectors, dim)
    goals = normalized(vectors @ axes)
    limit = teacher.max_seq_length or None
    ids = [np.asarray(e.ids[:limit], np.int64) for e in tokenizer.encode_batch_fast(lines, add_special_tokens=False)]
    ids = [row[weights[row] > 0] for row in ids]
    held = held_out(len(ids))
    kept = [row for row, out in zip(ids, held, strict=True) if not out]
    start = initial_rows(tokens, weights, axes).astype(np.float32)
    found = normalized(mean_vectors(start, [row for row, out in zip(ids, held, strict=True) if out]))
    before = float((found * goals[held]).sum(axis=1).mean())
    texts = [line for line, out in zip(lines, held, strict=True) if out]
    return _Table(fit_rows(start, kept, goals[~held]), Held(texts, vectors[held], goals[held]), before)


def _encoded(teacher: Any, texts: Sequence[str]) -> Floats:
    return teacher.encode(list(texts), normalize_embeddings=True, show_progress_bar=True)
