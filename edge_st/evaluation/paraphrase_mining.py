"""Paraphrase mining: does a model find the pairs of sentences that mean the same?"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge_st.mining.paraphrases import paraphrase_mining

from .embeddings import EmbeddingEvaluator
from .evaluator import Metrics
from .statistics import last_of_equal

Duplicates: TypeAlias = dict[str, dict[str, bool]]
_COLUMNS = ("precision", "recall", "f1", "threshold", "average_precision")


class ParaphraseMiningEvaluator(EmbeddingEvaluator):
    """Average precision of the mined pairs, and the best F1 at any cosine threshold.

    ``sentences_map`` holds sentences by id. Two of them are duplicates if their ids are a pair in ``duplicates_list``,
    or if ``duplicates_dict[id1][id2]`` is true. ``add_transitive_closure`` makes duplicates of duplicates duplicates,
    too. Pairs with equal scores count together. The other arguments are those of `edge_st.util.paraphrase_mining`.
    Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        sentences_map: Mapping[str, str],
        duplicates_list: Iterable[tuple[str, str]] | None = None,
        duplicates_dict: Mapping[str, Mapping[str, bool]] | None = None,
        add_transitive_closure: bool = False,
        query_chunk_size: int = 5000,
        corpus_chunk_size: int = 100000,
        max_pairs: int = 500000,
        top_k: int = 100,
        show_progress_bar: bool = False,
        batch_size: int = 16,
        name: str = "",
        write_csv: bool = True,
        truncate_dim: int | None = None,
    ) -> None:
        super().__init__(
            "paraphrase_mining_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        self.ids, self.sentences = list(sentences_map), list(sentences_map.values())
        self.query_chunk_size, self.corpus_chunk_size = query_chunk_size, corpus_chunk_size
        self.max_pairs, self.top_k = max_pairs, top_k
        self.duplicates = _as_duplicates(sentences_map, duplicates_list, duplicates_dict)
        self._closed = add_transitive_closure
        if add_transitive_closure:
            self.duplicates = self.add_transitive_closure(self.duplicates)
        known = {
            frozenset((one, other))
            for one, others in self.duplicates.items()
            for other, same in others.items()
            if same and one in sentences_map and other in sentences_map
        }
        self._known = known
        self.total_num_duplicates = len(known)
        self.csv_headers = ["epoch", "steps", *_COLUMNS]
        self.primary_metric = "average_precision"

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``average_precision``, ``f1``, ``precision``, ``recall`` and ``threshold``."""
        pairs = paraphrase_mining(
            model,
            self.sentences,
            show_progress_bar=self.show_progress_bar,
            batch_size=self.batch_size,
            query_chunk_size=self.query_chunk_size,
            corpus_chunk_size=self.corpus_chunk_size,
            max_pairs=self.max_pairs,
            top_k=self.top_k,
            truncate_dim=self.truncate_dim,
        )
        metrics = self._measures(pairs)
        return self._finish(model, metrics, [metrics[name] for name in _COLUMNS], output_path, epoch, steps)

    def _measures(self, pairs: list[list[float | int]]) -> Metrics:
        names = ("average_precision", "f1", "precision", "recall", "threshold")
        right = np.array(
            [frozenset((self.ids[int(i)], self.ids[int(j)])) in self._known for _, i, j in pairs], dtype=bool
        )
        if not right.any():
            return dict.fromkeys(names, 0.0)
        ends = last_of_equal(np.array([score for score, _, _ in pairs]))
        found = np.cumsum(right)[ends]
        gained = np.diff(found, prepend=0)
        precision, recall = found / (ends + 1), found / self.total_num_duplicates
        f1 = np.where(gained, 2 * precision * recall / np.where(gained, precision + recall, 1), 0)
        best = int(np.argmax(f1))
        threshold = (pairs[ends[best]][0] + pairs[min(ends[best] + 1, len(pairs) - 1)][0]) / 2
        average = (precision * gained).sum() / self.total_num_duplicates
        return dict(
            zip(names, (float(average), *(float(x[best]) for x in (f1, precision, recall)), threshold), strict=True)
        )

    @staticmethod
    def add_transitive_closure(graph: Duplicates) -> Duplicates:
        """Mark every two ids that are connected through others as duplicates, in place; return ``graph``."""
        visited: set[str] = set()
        for start in list(graph):
            if start in visited:
                continue
            group, ahead = {start: None}, [other for other, same in graph[start].items() if same]
            while ahead:
                node = ahead.pop()
                if node not in group:
                    group[node] = None
                    ahead += [other for other, same in graph.get(node, {}).items() if same]
            visited |= group.keys()
            for one in group:
                graph.setdefault(one, {}).update((other, True) for other in group if other != one)
        return graph

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        own = {"add_transitive_closure": self._closed, "max_pairs": self.max_pairs, "top_k": self.top_k}
        return {**own, **super().get_config_dict()}


def _as_duplicates(
    sentences: Mapping[str, str],
    pairs: Iterable[tuple[str, str]] | None,
    table: Mapping[str, Mapping[str, bool]] | None,
) -> Duplicates:
    """Pairs and table of duplicates in one table. Pairs with an unknown id are left out."""
    found: Duplicates = defaultdict(dict, {one: dict(others) for one, others in (table or {}).items()})
    for one, other in pairs or ():
        if one in sentences and other in sentences:
            found[one][other] = found[other][one] = True
    return found
