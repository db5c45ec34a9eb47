"""What becomes a graph: a transformer alone, or the first modules of a route together."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import CNN, LSTM, Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import PretrainedConfig

from edge_st_runtime.files.weights import read_safetensors
from edge_st_runtime.model.fingerprint import graph_digest, weights_digest
from edge_st_runtime.model.route import BAG, Route

from ..original.loading import parameters
from .partial_logits import LastLogits, Splade, without_projection

_ENDINGS = ("", "_reverse")
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_ALONE = ("last_hidden_state", "logits")


@dataclass(frozen=True, eq=False)
class Head:
    """The first ``modules`` of ``route``, before they ran; the graph goes into the folder ``path``."""

    path: Path
    modules: Sequence[Any]
    route: Route

    @property
    def alone(self) -> bool:
        """Whether it is a transformer of which only the last layer, or a classifier's logits, are wanted."""
        plain = self._settings.get("method") == "forward" and self._settings.get("method_output_name") in _ALONE
        return len(self.modules) == 1 and plain and isinstance(self.modules[0], Transformer)

    @property
    def classifies(self) -> bool:
        """Whether it is a transformer that gives a logit for each label."""
        return self.alone and self._settings["method_output_name"] == "logits"

    @property
    def prunes(self) -> bool:
        """Whether the graph is to give a sparse embedding's largest weights alone, too."""
        return isinstance(self.modules[-1], SpladePooling)

    @property
    def _settings(self) -> Mapping[str, Any]:
        found = getattr(self.modules[0], "modality_config", {})
        return found.get("text") or found.get("message") or {}

    def model(self) -> Any:
        """A new module of PyTorch to trace, with a ``config``."""
        modules = unused_copies(self.modules)
        return modules[0].auto_model if self.alone else Composed(modules, self.output, self.config)

    @property
    def output(self) -> str:
        """The name of the graph's output.

        "last_hidden_state" or "logits" of a transformer alone; "token_embeddings", "sentence_embedding" or "scores" of
        more.
        """
        if self.alone:
            return str(self._settings["method_output_name"])
        last = self.modules[-1]
        if isinstance(last, SpladePooling | LogitScore):
            return "scores" if isinstance(last, LogitScore) else "sentence_embedding"
        return getattr(self.modules[0], "module_output_name", "token_embeddings")

    @property
    def config(self) -> Any:
        """The transformer's configuration; of word vectors one that tells the size of the vocabulary."""
        first = self.modules[0]
        if not isinstance(first, Transformer):
            return PretrainedConfig(vocab_size=len(first.emb_layer.weight))
        return first.config.get_text_config()

    @property
    def input_names(self) -> list[str]:
        """What the tokenizer gives and the first module takes."""
        names = getattr(self.modules[0].tokenizer, "model_input_names", ["input_ids", "attention_mask"])
        return [name for name in names if name in self.accepted]

    @property
    def accepted(self) -> set[str]:
        """What the first module takes."""
        if isinstance(self.modules[0], Transformer):
            return set(self.modules[0].model_forward_params)
        return {"input_ids", "attention_mask"}


def unused_copies(modules: Sequence[Any]) -> list[Any]:
    """Copies that share the parameters, but nothing that a run leaves behind.

    Some models keep tables for the longest text so far; in a graph these would be constants, too short for longer ones.
    """
    shared = {id(parameter): parameter for module in modules for parameter in module.parameters()}
    return [deepcopy(module, dict(shared)) for module in modules]


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
    """The modules, those with a form that is better traced or computed less in that form."""
    first, *others = (Unpacked(module) if isinstance(module, LSTM) else module for module in modules)
    if others and isinstance(others[0], SpladePooling | LogitScore):
        projection = without_projection(first)
        if projection is not None:
            kind = Splade if isinstance(others[0], SpladePooling) else LastLogits
            return [kind(first, projection, others[0]), *others[1:]]
    return [first, *others]


class Unpacked(torch.nn.Module):  # type: ignore[misc]
    """The layers of an ``LSTM`` over padded batches: OpenVINO ignores the lengths of packed ones on the way back."""

    def __init__(self, lstm: LSTM) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleList(_one_way(lstm.encoder, layer, ending) for ending in _ENDINGS[: 1 + lstm.bidirectional])
            for layer in range(lstm.num_layers)
        )

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Run over ``token_embeddings``; backwards over each text's own tokens, turned round within its length."""
        tokens, mask = features["token_embeddings"], features["attention_mask"].unsqueeze(-1)
        lengths, places = mask.sum(dim=1), torch.arange(tokens.shape[1]).unsqueeze(0)
        turned = torch.where(places < lengths, lengths - 1 - places, places).unsqueeze(-1)
        for ways in self.layers:
            found = [ways[0](tokens)[0], *(_at(way(_at(tokens, turned))[0], turned) for way in ways[1:])]
            tokens = torch.cat(found, dim=-1)
        return {**features, "token_embeddings": tokens * mask}


def _one_way(encoder: torch.nn.LSTM, layer: int, ending: str) -> torch.nn.LSTM:
    """One layer of ``encoder`` in one direction, as an LSTM of its own."""
    own = {name: getattr(encoder, f"{name}_l{layer}{ending}") for name in _WEIGHTS}
    way = torch.nn.LSTM(own["weight_ih"].shape[1], encoder.hidden_size, batch_first=True)
    way.load_state_dict({f"{name}_l0": weight for name, weight in own.items()})
    return way


def _at(tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return tokens.gather(1, places.expand(-1, -1, tokens.shape[-1]))


def digest_of_route(route: Route, modules: Sequence[Any]) -> str:
    """A digest of the weights that the first module, and those in its graph, have."""
    if route.needs_graph:
        transformer = modules[0].auto_model if isinstance(modules[0], Transformer) else modules[0]
        return weights_digest(parameters([transformer, *modules[1:]]))
    file = route.path / ("config.json" if route.kind == BAG else "model.safetensors")
    return graph_digest(file) if route.kind == BAG else weights_digest(read_safetensors(file))
