"""Several modules as one, in the form that is traced to a graph."""

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import CNN, LSTM
from sentence_transformers.sparse_encoder.modules import SpladePooling

from .partial_logits import LastLogits, Splade, without_projection

#: how PyTorch ends the names of an LSTM's weights, by direction
_DIRECTIONS = ("", "_reverse")
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Composed(torch.nn.Module):  # type: ignore[misc]  # torch is not seen by the type checker
    """Several modules as one, from token ids to the feature ``output``."""

    def __init__(self, modules: Sequence[Any], output: str, config: Any) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList(_parts(modules))
        self.output, self.config = output, config

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """The feature ``output`` of a batch; CNN sees zeros beyond a text's own tokens, as at run time."""
        features = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            features["token_type_ids"] = token_type_ids
        for part in self.parts:
            if isinstance(part, CNN):
                features["token_embeddings"] = features["token_embeddings"] * attention_mask.unsqueeze(-1)
            features = part(features)
        return {self.output: features[self.output]}


def _parts(modules: Sequence[Any]) -> list[Any]:
    """The modules, each in the form that traces best: LSTM unpacked, language models with partial logits."""
    first, *others = (Unpacked(module) if isinstance(module, LSTM) else module for module in modules)
    if others and isinstance(others[0], SpladePooling | LogitScore):
        projection = without_projection(first)
        if projection is not None:
            kind = Splade if isinstance(others[0], SpladePooling) else LastLogits
            return [kind(first, projection, others[0]), *others[1:]]
    return [first, *others]


class Unpacked(torch.nn.Module):  # type: ignore[misc]
    """The layers of an ``LSTM`` over padded batches, since OpenVINO ignores the lengths of packed ones backwards."""

    def __init__(self, lstm: LSTM) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleList(
                _one_direction(lstm.encoder, layer, ending) for ending in _DIRECTIONS[: 1 + lstm.bidirectional]
            )
            for layer in range(lstm.num_layers)
        )

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Run over ``token_embeddings``; the second direction sees each text's own tokens in reverse order."""
        tokens, mask = features["token_embeddings"], features["attention_mask"].unsqueeze(-1)
        lengths, places = mask.sum(dim=1), torch.arange(tokens.shape[1]).unsqueeze(0)
        reverse = torch.where(places < lengths, lengths - 1 - places, places).unsqueeze(-1)
        for forward, *backward in self.layers:
            found = [forward(tokens)[0], *(_at(lstm(_at(tokens, reverse))[0], reverse) for lstm in backward)]
            tokens = torch.cat(found, dim=-1)
        return {**features, "token_embeddings": tokens * mask}


def _one_direction(encoder: torch.nn.LSTM, layer: int, ending: str) -> torch.nn.LSTM:
    """One layer of ``encoder`` in one direction, as an LSTM of its own."""
    own = {name: getattr(encoder, f"{name}_l{layer}{ending}") for name in _WEIGHTS}
    lstm = torch.nn.LSTM(own["weight_ih"].shape[1], encoder.hidden_size, batch_first=True)
    lstm.load_state_dict({f"{name}_l0": weight for name, weight in own.items()})
    return lstm


def _at(tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return tokens.gather(1, places.expand(-1, -1, tokens.shape[-1]))
