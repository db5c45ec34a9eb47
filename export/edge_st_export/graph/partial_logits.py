"""Language models that compute only part of their logits.

`Splade` needs the largest logit of each word over all tokens, `LastLogits` the logits of two words after the last
token. Both take the output projection, which gives a logit for every token and word, out of the transformer.
"""

from typing import Any

import torch
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sparse_encoder.modules import SpladePooling

from ..builder.words import words_at_once

Features = dict[str, torch.Tensor]


def without_projection(transformer: Any) -> torch.nn.Linear | None:
    """Remove the output projection from ``transformer`` and return it; the transformer then gives its input.

    Returns None and changes nothing where anything but its bias comes after the projection.
    """
    model = transformer.auto_model
    projection = model.get_output_embeddings()
    places = [
        (parent, name) for parent in model.modules() for name, child in parent.named_children() if child is projection
    ]
    if not isinstance(projection, torch.nn.Linear) or len(places) != 1:
        return None
    (parent, name), probe = places[0], _probe(transformer)
    wanted = transformer(dict(probe))[transformer.module_output_name]
    setattr(parent, name, torch.nn.Identity())
    found = transformer(dict(probe))[transformer.module_output_name]
    if found.shape[-1] == projection.in_features and torch.equal(projection(found), wanted):
        return projection
    setattr(parent, name, projection)
    return None


def _probe(transformer: Any) -> Features:
    ids = torch.arange(2, 10).unsqueeze(0) % transformer.config.get_text_config().vocab_size
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


class Splade(torch.nn.Module):  # type: ignore[misc]  # torch is not seen by the type checker
    """A transformer with a masked language model's head, and its ``pooling``.

    The largest logit is found before the logarithm is taken. Where there are many positions it is found for one part
    of the vocabulary after the other, so that memory does not grow with the text. There is no loop over tokens: in
    OpenVINO 2026.4 such a loop gave wrong weights, some of them NaN, for a longer batch after shorter ones.
    """

    def __init__(self, transformer: Any, projection: torch.nn.Linear, pooling: SpladePooling) -> None:
        super().__init__()
        words = words_at_once(transformer.config.to_dict())
        starts = range(0, projection.out_features, words)
        self.transformer = transformer
        self.parts = torch.nn.ModuleList(_rows(projection, slice(at, at + words)) for at in starts)
        self.largest = pooling.pooling_strategy == "max"
        self.logarithms = 2 if pooling.activation_function == "log1p_relu" else 1

    def forward(self, features: Features) -> Features:
        """Add ``sentence_embedding``."""
        hidden, mask = self.transformer(features)[self.transformer.module_output_name], features["attention_mask"]
        pooled = self._maxima if self.largest else self._sums
        return {**features, "sentence_embedding": pooled(hidden, mask.unsqueeze(-1).to(hidden.dtype))}

    def _maxima(self, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """The largest weights (batch, words). A text's first token replaces its padding, so no logit is masked."""
        first = attended.argmax(dim=1, keepdim=True).expand(-1, 1, hidden.shape[-1])
        filled = torch.where(attended > 0, hidden, hidden.gather(1, first))
        largest = torch.cat([part(filled).amax(dim=1) for part in self.parts], dim=-1)
        return self._weights(largest * attended.amax(dim=1))

    def _sums(self, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        return torch.cat([self._weights(part(hidden) * attended).sum(dim=1) for part in self.parts], dim=-1)

    def _weights(self, logits: torch.Tensor) -> torch.Tensor:
        weights = torch.relu(logits)
        for _ in range(self.logarithms):
            weights = torch.log1p(weights)
        return weights


class LastLogits(torch.nn.Module):  # type: ignore[misc]
    """A causal language model that gives the logit of a "yes" token, and maybe of a "no", after a text's last token."""

    def __init__(self, transformer: Any, projection: torch.nn.Linear, score: LogitScore) -> None:
        super().__init__()
        words = [word for word in (score.true_token_id, score.false_token_id) if word is not None]
        self.transformer, self.rows = transformer, _rows(projection, words)

    def forward(self, features: Features) -> Features:
        """Add ``scores``: the logit of yes, less that of no if there is one. The batch may be padded on either side."""
        hidden, mask = self.transformer(features)[self.transformer.module_output_name], features["attention_mask"]
        places = torch.arange(mask.shape[1]).unsqueeze(0) * mask
        last = places.argmax(dim=1).view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])
        logits = self.rows(hidden.gather(1, last).squeeze(1))
        scores = logits[:, :1] - logits[:, 1:] if logits.shape[1] > 1 else logits
        return {**features, "scores": scores}


def _rows(projection: torch.nn.Linear, words: Any) -> torch.nn.Linear:
    """The part of the projection that gives the logits of ``words``."""
    weight = projection.weight[words]
    rows = torch.nn.Linear(projection.in_features, len(weight), bias=projection.bias is not None)
    rows.weight = torch.nn.Parameter(weight)
    if projection.bias is not None:
        rows.bias = torch.nn.Parameter(projection.bias[words])
    return rows
