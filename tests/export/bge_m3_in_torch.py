"""BGE-M3 in PyTorch and transformers, by the formulas of FlagEmbedding 1.4.2: one text, or one pair, at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

SKIPPED = ("cls_token", "eos_token", "pad_token", "unk_token")


class InTorch:
    """The model in ``folder`` with its two head files."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.transformer = AutoModel.from_pretrained(folder).eval()
        self.sparse, self.colbert = (self._linear(folder / f"{name}_linear.pt") for name in ("sparse", "colbert"))
        self.skipped = {self.tokenizer.convert_tokens_to_ids(getattr(self.tokenizer, name)) for name in SKIPPED}

    @staticmethod
    def _linear(path: Path) -> torch.nn.Linear:
        state = torch.load(path, weights_only=True)
        layer = torch.nn.Linear(state["weight"].shape[1], state["weight"].shape[0])
        layer.load_state_dict(state)
        return layer

    @torch.no_grad()
    def encode(self, text: str, limit: int) -> tuple[Any, dict[str, float], Any]:
        """The dense vector (dim,), the weights by token id and the token vectors (tokens - 1, width)."""
        inputs = self.tokenizer([text], truncation=True, max_length=limit, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        states = self.transformer(**inputs).last_hidden_state
        dense = torch.nn.functional.normalize(states[:, 0], dim=-1)[0]
        weights = torch.relu(self.sparse(states))[0, :, 0].tolist()
        lexical: dict[str, float] = {}
        for token, weight in zip(inputs["input_ids"][0].tolist(), weights, strict=True):
            if token not in self.skipped and weight > lexical.get(str(token), 0):
                lexical[str(token)] = weight
        vectors = torch.nn.functional.normalize(self.colbert(states[:, 1:]), dim=-1)[0]
        return dense.numpy(), lexical, vectors.numpy()

    def scores(self, pair: tuple[str, str], limits: tuple[int, int], weights: Sequence[float]) -> dict[str, float]:
        """The scores of a pair (query, passage), and their means with the ``weights`` of dense, sparse, colbert."""
        q, p = (self.encode(text, limit) for text, limit in zip(pair, limits, strict=True))
        dense = float(q[0] @ p[0])
        sparse = sum(weight * p[1].get(token, 0) for token, weight in q[1].items())
        colbert = float((q[2] @ p[2].T).max(axis=1).sum()) / len(q[2])
        d, s, c = weights
        return {
            "colbert": colbert,
            "sparse": sparse,
            "dense": dense,
            "sparse+dense": (sparse * s + dense * d) / (s + d),
            "colbert+sparse+dense": (colbert * c + sparse * s + dense * d) / (d + s + c),
        }
