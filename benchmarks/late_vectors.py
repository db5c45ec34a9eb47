"""Token vectors to measure late-interaction search with: any number of passages around those of real texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge_st import SentenceTransformer
from edge_st_runtime.arrays import Floats
from edge_st_runtime.vectors.dense import normalize

#: the length of the noise that is added to a vector of length 1; the cosine to the real vector is then 0.9
NOISE = 0.48


@dataclass(frozen=True, eq=False)
class LateVectors:
    """Passages of ``tokens`` vectors each around ``texts``, queries of ``query_tokens`` around ``questions``.

    Both hold the token vectors (tokens, dim) of real texts, of unit length.
    """

    texts: Sequence[Floats]
    questions: Sequence[Floats]
    tokens: int = 60
    query_tokens: int = 32

    def passages(self, count: int, seed: int = 0, at_once: int = 1000) -> Iterator[Floats]:
        """``count`` passages (n, tokens, dim), up to ``at_once`` at a time: a part of a text each, with noise."""
        generator = np.random.default_rng(seed)
        for start in range(0, count, at_once):
            places = generator.integers(len(self.texts), size=min(at_once, count - start))
            parts = [_part(self.texts[place], self.tokens, generator) for place in places.tolist()]
            yield _noisy(np.stack(parts), generator)

    def queries(self, count: int, seed: int = 1) -> list[Floats]:
        """``count`` queries (query_tokens, dim): the tokens of a question, some of them several times, with noise."""
        generator = np.random.default_rng(seed)
        found = []
        for place in generator.integers(len(self.questions), size=count).tolist():
            question = self.questions[place]
            found.append(_noisy(question[np.arange(self.query_tokens) % len(question)], generator))
        return found


def late_vectors(
    model: SentenceTransformer, texts: Sequence[str], questions: Sequence[str], dim: int = 128, tokens: int = 60
) -> LateVectors:
    """The token vectors that ``model`` gives, in the ``dim`` directions in which those of the texts differ most."""
    long, short = (
        model.encode(list(each), output_value="token_embeddings", convert_to_numpy=False) for each in (texts, questions)
    )
    enough = [vectors for vectors in long if len(vectors) >= tokens]
    sample = np.concatenate(enough)[:: max(1, sum(map(len, enough)) // 50_000)]
    directions = np.linalg.eigh(sample.T @ sample)[1][:, -dim:]
    return LateVectors(
        [normalize(vectors @ directions) for vectors in enough],
        [normalize(vectors @ directions) for vectors in short],
        tokens,
    )


def _part(vectors: Floats, tokens: int, generator: np.random.Generator) -> Floats:
    start = int(generator.integers(len(vectors) - tokens + 1))
    return vectors[start : start + tokens]


def _noisy(vectors: Floats, generator: np.random.Generator) -> Floats:
    noise = generator.standard_normal(vectors.shape, dtype=np.float32)
    noise *= np.float32(NOISE / np.sqrt(vectors.shape[-1]))
    return normalize(vectors + noise)
