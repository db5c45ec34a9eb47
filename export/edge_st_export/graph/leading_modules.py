"""The leading modules of a route, which together become its graph."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import PretrainedConfig

from edge_st_runtime.files.weights import read_safetensors
from edge_st_runtime.model.fingerprint import graph_digest, joined_digest, weights_digest
from edge_st_runtime.model.folder import ModelFolder
from edge_st_runtime.model.route import BAG, Route

from ..builder.heads import Answers
from ..original.head_files import HeadWeights
from ..original.loading import declared_inputs, parameters, torch_routes
from .composed import Composed

_PLAIN_OUTPUTS = ("last_hidden_state", "logits")


@dataclass(frozen=True, eq=False)
class LeadingModules:
    """The ``modules`` that ``route`` begins with, before they have run. Their graph goes into the folder ``path``.

    ``heads`` are added to it behind the transformer.
    """

    path: Path
    modules: Sequence[Any]
    route: Route
    heads: HeadWeights | None = None

    @property
    def transformer_only(self) -> bool:
        """Whether it is a single transformer of which the last layer or a classifier's logits are wanted."""
        plain = self._settings.get("method") == "forward" and self._settings.get("method_output_name") in _PLAIN_OUTPUTS
        return len(self.modules) == 1 and plain and isinstance(self.modules[0], Transformer)

    @property
    def classifies(self) -> bool:
        """Whether it is a transformer that gives a logit for each label."""
        return self.transformer_only and self._settings["method_output_name"] == "logits"

    @property
    def prunes(self) -> bool:
        """Whether the graph can also give just the largest weights of a sparse embedding: see `pruning`."""
        return isinstance(self.modules[-1], SpladePooling)

    @property
    def _settings(self) -> Mapping[str, Any]:
        found = getattr(self.modules[0], "modality_config", {})
        return found.get("text") or found.get("message") or {}

    def model(self) -> Any:
        """A new PyTorch module to trace; it has a ``config``."""
        modules = unused_copies(self.modules)
        return modules[0].auto_model if self.transformer_only else Composed(modules, self.output, self.config)

    def transformer(self) -> Any:
        """The transformer, a new PyTorch module with any head that it has."""
        return unused_copies(self.modules[:1])[0].auto_model

    @property
    def answers(self) -> Answers | None:
        """The tokens by whose logits a LogitScore scores texts, if there is one."""
        last = self.modules[-1]
        return Answers(last.true_token_id, last.false_token_id) if isinstance(last, LogitScore) else None

    @property
    def output(self) -> str:
        """The name of the graph's output.

        "last_hidden_state" or "logits" for a transformer only, else "token_embeddings", "sentence_embedding" or
        "scores".
        """
        if self.transformer_only:
            return str(self._settings["method_output_name"])
        last = self.modules[-1]
        if isinstance(last, SpladePooling | LogitScore):
            return "scores" if isinstance(last, LogitScore) else "sentence_embedding"
        return getattr(self.modules[0], "module_output_name", "token_embeddings")

    @property
    def config(self) -> Any:
        """The transformer's configuration; for word vectors one that gives the size of the vocabulary."""
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
    def needed_names(self) -> set[str]:
        """Those of the inputs that change what it gives: token types only where it knows more than one."""
        one_type = (getattr(self.config, "type_vocab_size", 0) or 0) < 2
        return set(self.input_names) - ({"token_type_ids"} if one_type else set())

    @property
    def accepted(self) -> set[str]:
        """What the first module declares to take."""
        if isinstance(self.modules[0], Transformer):
            return set(declared_inputs(self.modules[0]))
        return {"input_ids", "attention_mask"}


def find_leading_modules(original: Any, layout: ModelFolder, heads: HeadWeights | None = None) -> list[LeadingModules]:
    """Those of every route that needs a graph; routes that share a folder share its graph.

    A model with ``heads`` has one route.
    """
    modules = torch_routes(original)
    found = {
        route.path: LeadingModules(route.path, unused_copies(_leading(modules[name], route)), route, heads)
        for name, route in layout.routes.items()
        if route.needs_graph
    }
    return list(found.values())


def weights_digest_of(original: Any, layout: ModelFolder) -> str:
    """A digest of the weights that the first module of each route has, and the modules in its graph.

    The weights of later modules are not in it: they are in the model folder, and the fingerprint reads them there.
    """
    modules = torch_routes(original)
    digests = {
        route.path: _route_digest(route, _leading(modules[name], route)) for name, route in layout.routes.items()
    }
    return joined_digest(digests.values())


def _leading(modules: Sequence[Any], route: Route) -> Sequence[Any]:
    return modules[: 1 + route.modules_exported]


def _route_digest(route: Route, leading: Sequence[Any]) -> str:
    if route.needs_graph:
        transformer = leading[0].auto_model if isinstance(leading[0], Transformer) else leading[0]
        return weights_digest(parameters([transformer, *leading[1:]]))
    if route.kind == BAG:
        return graph_digest(route.path / "config.json")
    return weights_digest(read_safetensors(route.path / "model.safetensors"))


def unused_copies(modules: Sequence[Any]) -> list[Any]:
    """Copies that share the parameters, but nothing that a run leaves behind.

    Some models cache tables for the longest text so far. In a graph these would be constants, and too short for longer
    texts.
    """
    shared = {id(parameter): parameter for module in modules for parameter in module.parameters()}
    return [deepcopy(module, dict(shared)) for module in modules]
