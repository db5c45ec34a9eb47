"""Translation matching: is the nearest sentence in another language the translation?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.vectors.similarity import SimilarityFunction

from .embeddings import EmbeddingEvaluator
from .evaluator import Metrics, check_same_length

_ROWS = 1000
_SHOWN = 5


class TranslationEvaluator(EmbeddingEvaluator):
    """The share of source sentences whose nearest target sentence by cosine is their translation, and vice versa.

    ``target_sentences[i]`` is the translation of ``source_sentences[i]``; so is any other sentence with its text.
    ``print_wrong_matches`` prints the wrong matches. Raises InputError for lists of different lengths. Source:
    sentence-transformers' class of this name.
    """

    def __init__(
        self,
        source_sentences: Sequence[str],
        target_sentences: Sequence[str],
        show_progress_bar: bool = False,
        batch_size: int = 16,
        name: str = "",
        print_wrong_matches: bool = False,
        write_csv: bool = True,
        truncate_dim: int | None = None,
    ) -> None:
        super().__init__(
            "translation_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        check_same_length(source_sentences=source_sentences, target_sentences=target_sentences)
        self.source_sentences, self.target_sentences = source_sentences, target_sentences
        self.print_wrong_matches = print_wrong_matches
        self.csv_headers = ["epoch", "steps", "src2trg", "trg2src"]
        self.primary_metric = "mean_accuracy"

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``src2trg_accuracy``, ``trg2src_accuracy`` and their ``mean_accuracy``."""
        sources = self.embed_inputs(model, self.source_sentences)
        targets = self.embed_inputs(model, self.target_sentences)
        there, back = (float(np.mean(own)) for own in self._matches(sources, targets))
        metrics = {"src2trg_accuracy": there, "trg2src_accuracy": back, "mean_accuracy": (there + back) / 2}
        return self._finish(model, metrics, [there, back], output_path, epoch, steps)

    def _matches(self, sources: Any, targets: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each source is matched with its target (n,), and each target with its source (n,).

        The similarities are computed block by block.
        """
        count = len(self.source_sentences)
        nearest_target, nearest_source = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        best = np.full(count, -np.inf)
        for start in range(0, count, _ROWS):
            block = slice(start, start + _ROWS)
            scores = self._functions[SimilarityFunction.COSINE][0](sources[block], targets)
            nearest_target[block] = scores.argmax(axis=1)
            self._print_wrong(scores, nearest_target[block], start)
            nearer = scores.max(axis=0) > best
            nearest_source[nearer] = scores.argmax(axis=0)[nearer] + start
            best = np.maximum(best, scores.max(axis=0))
        return _same(self.target_sentences, nearest_target), _same(self.source_sentences, nearest_source)

    def _print_wrong(self, scores: NDArray[Any], nearest: NDArray[np.int64], start: int) -> None:
        if not self.print_wrong_matches:
            return
        for place, (row, found) in enumerate(zip(scores, nearest.tolist(), strict=True), start):
            if self.target_sentences[found] == self.target_sentences[place]:
                continue
            print(f"\nIncorrect  : Source {place} is most similar to target {found} instead of target {place}")
            print(f"Source     : {self.source_sentences[place]}")
            print(f"Pred Target: {self.target_sentences[found]} (Score: {row[found]:.4f})")
            print(f"True Target: {self.target_sentences[place]} (Score: {row[place]:.4f})")
            for other in np.argsort(-row, kind="stable")[:_SHOWN].tolist():
                print(f"\t{other} (Score: {row[other]:.4f}) {self.target_sentences[other]}")


def _same(texts: Sequence[str], found: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each text (n,) is equal to the one at the place that was found for it."""
    return np.array([text == texts[place] for text, place in zip(texts, found.tolist(), strict=True)], dtype=bool)
