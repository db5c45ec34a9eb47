"""A route through a model: its first module, with settings and limits, and the modules after it.

A model without a Router has one route.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..engines.backend import Pooled
from ..engines.signature import SCORES, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import UnsupportedModelError
from ..files.reading import read_optional_json, reading, section, whole_number, wrong
from ..modules.heads import Head
from ..modules.sparse import SpladePooling
from ..modules.specs import InGraph, Module, Normalize, Pooling, WordWeights

TRANSFORMER, STATIC, WORDS, BAG = "Transformer", "StaticEmbedding", "WordEmbeddings", "BoW"
CLIP, SPARSE_STATIC = "CLIPModel", "SparseStaticEmbedding"
MASKED = "MLMTransformer"
#: first modules that take texts of any length
TABLES = (STATIC, WORDS, BAG)
FIRST = (TRANSFORMER, CLIP, *TABLES, SPARSE_STATIC, MASKED)
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_SIZES = {"input_ids": "vocab_size", "token_type_ids": "type_vocab_size"}
_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer", "data2vec-text"}


@dataclass(frozen=True, eq=False)
class Route:
    """A first module of class ``kind``, stored in the folder ``path``, and the ``modules`` after it.

    ``prefix`` is the path from the model folder to the first module's files: "" or a folder with a slash.
    ``transformer`` is the content of its ``transformer_file``, ``config`` that of its config.json.
    """

    kind: str
    path: Path
    prefix: str
    modules: tuple[Module, ...]
    transformer: Mapping[str, Any]
    transformer_file: str
    config: Mapping[str, Any]

    @property
    def needs_graph(self) -> bool:
        """Whether an engine runs a graph for its first module; NumPy computes the others."""
        return self.kind in (TRANSFORMER, CLIP) or self.modules_in_graph > 0

    @property
    def modules_in_graph(self) -> int:
        """How many of ``modules`` only an exported graph can compute: those up to the last `InGraph`, such as LSTM."""
        return self._up_to(InGraph)

    @property
    def modules_exported(self) -> int:
        """How many of ``modules`` edge-st's exporter puts into the graph: SpladePooling too, though NumPy can do it."""
        return self._up_to((InGraph, SpladePooling))

    def _up_to(self, kinds: type | tuple[type, ...]) -> int:
        return max((place for place, module in enumerate(self.modules, 1) if isinstance(module, kinds)), default=0)

    @property
    def graph_output(self) -> str:
        """The output that a graph with ``modules_in_graph`` gives."""
        inside = self.modules[: self.modules_in_graph]
        return next((module.output for module in reversed(inside) if isinstance(module, InGraph)), self.output)

    @property
    def head_outputs(self) -> tuple[str, ...]:
        """The outputs to take of a graph with several heads, that of its last `Head` first; else ()."""
        found = [module.output for module in self.modules if isinstance(module, Head)]
        return tuple(dict.fromkeys([*found[::-1], SENTENCE_EMBEDDING])) if found else ()

    @property
    def gives_scores(self) -> bool:
        """Whether the graph gives scores of pairs of texts."""
        return self.graph_output == SCORES

    @property
    def output(self) -> str:
        """The output of the first module: "token_embeddings", or "sentence_embedding" where it pools by itself."""
        if self.kind in (STATIC, BAG, SPARSE_STATIC):
            return SENTENCE_EMBEDDING
        usual = SENTENCE_EMBEDDING if self.kind == CLIP else TOKEN_EMBEDDINGS
        return str(self.transformer.get("module_output_name") or usual)

    @property
    def messages(self) -> Mapping[str, Any] | None:
        """The settings by which texts become messages of a chat; None where they do not."""
        found = section(self.transformer, "modality_config")
        return None if found.get("message") is None else section(found, "message")

    @property
    def template_arguments(self) -> Mapping[str, Any]:
        """The arguments of the chat template, apart from the messages."""
        return section(section(self.transformer, "processing_kwargs"), "chat_template")

    @property
    def model2vec(self) -> bool:
        """Whether it is a static model in a folder without modules.json, which Model2Vec reads by its own rules."""
        return self.kind == STATIC and self.transformer.get("reader") == "model2vec"

    @property
    def lower_case(self) -> bool:
        """Whether texts are lower-cased before they are tokenized."""
        return bool(self.transformer.get("do_lower_case"))

    @property
    def rows(self) -> Mapping[str, int]:
        """How many ids the transformer has embeddings for, by its input; without those that config.json does not say.

        A type_vocab_size of 0 says that there is no table (DeBERTa).
        """
        sizes = {name: _text_config(self.config).get(key) for name, key in _SIZES.items()}
        return {name: size for name, size in sizes.items() if isinstance(size, int) and size > 0}

    def max_seq_length(self, tokenizer_limit: int | None) -> int | None:
        """The limit in tokens, special tokens included; None for no limit.

        As in sentence-transformers, the module's own configuration comes before ``tokenizer_limit``, the tokenizer's
        model_max_length. It is never more than `positions`: older folders say 514 for RoBERTa, which has 512. Source:
        sentence-transformers' Transformer.
        """
        own = whole_number(self._tokenizer_arguments[1], "model_max_length")
        own = whole_number(self.transformer, "max_seq_length") if own is None else own
        limits = [tokenizer_limit if own is None else own, self.positions]
        return min((limit for limit in limits if limit is not None), default=None)

    def with_limit(self, limit: int | None) -> dict[str, dict[str, Any]]:
        """The change that makes ``limit`` the model's own: the file name → the keys to set, with their values."""
        if self.model2vec:
            return {f"{self.prefix}config.json": {"max_length": limit}}
        if self.kind == STATIC:
            cut = {"direction": "Right", "max_length": limit, "strategy": "LongestFirst", "stride": 0}
            return {f"{self.prefix}tokenizer.json": {"truncation": None if limit is None else cut}}
        key, arguments = self._tokenizer_arguments
        if "model_max_length" in arguments:
            return {self.transformer_file: {key: {**arguments, "model_max_length": limit}}}
        return {self.transformer_file: {"max_seq_length": limit}}

    @property
    def _tokenizer_arguments(self) -> tuple[str, Mapping[str, Any]]:
        found = ((key, section(self.transformer, key)) for key in ("tokenizer_args", "processor_kwargs"))
        return next(((key, value) for key, value in found if value), ("", {}))

    @property
    def positions(self) -> int | None:
        """The longest input in tokens that the transformer has positions for; see `longest_input`."""
        return longest_input(self.config)

    def graph_names(self) -> list[str]:
        """Names, relative to ``path``, of every graph file in it."""
        return graph_names(self.path)


def pooled_by(route: Route) -> Pooled | None:
    """The pooling and normalization that follow the graph of ``route`` at once; None where the first is no pooling.

    Pooling that is weighted by words is left out.
    """
    modules = route.modules[route.modules_in_graph :]
    weighted = any(isinstance(module, WordWeights) for module in route.modules)
    if not modules or not isinstance(modules[0], Pooling) or weighted:
        return None
    return Pooled(modules[0].modes, normalize=len(modules) > 1 and isinstance(modules[1], Normalize))


def graph_names(folder: Path) -> list[str]:
    """Names, relative to ``folder``, of every graph file of a module in it."""
    found = [path for pattern in ("*", "onnx/*", "openvino/*") for path in folder.glob(pattern)]
    return [path.relative_to(folder).as_posix() for path in found if path.suffix in (".onnx", ".xml")]


def longest_input(config: Mapping[str, Any]) -> int | None:
    """The most tokens, special tokens included, that a transformer with this config.json has positions for.

    None where the configuration does not say.
    """
    text = _text_config(config)
    positions = text.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return None
    offset = text.get("model_type") in _OFFSET_POSITIONS
    if not offset:
        return positions
    padding = text.get("pad_token_id", 1)
    if not isinstance(padding, int):
        raise wrong("pad_token_id", padding, "a whole number")
    return positions - padding - 1


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a multi-modal model's config.json that is about text, else all of it."""
    return section(config, "text_config") or config


def read_route(
    root: Path, kind: str, path: Path, modules: tuple[Module, ...], defaults: Mapping[str, Any] = MappingProxyType({})
) -> Route:
    """The route that begins with the module ``kind`` in ``path``, below the model folder ``root``.

    Raises UnsupportedModelError for a first module that is not known.
    """
    if kind not in FIRST:
        raise UnsupportedModelError(f"{root}: the first module is {kind}; expected one of {', '.join(FIRST)}")
    file, own = transformer_config(path)
    transformer = {**defaults, **own}
    if kind == MASKED:
        kind, transformer = TRANSFORMER, {"transformer_task": "fill-mask", **transformer}
    config = read_optional_json(path / "config.json")
    with reading(path / file):
        if not _gives_all_layers(config, transformer):
            modules = tuple(each for each in modules if not (isinstance(each, InGraph) and each.needs_all_layers))
    prefix = name_prefix(path.relative_to(root).as_posix())
    route = Route(kind, path, prefix, modules, transformer, f"{prefix}{file}", config)
    with reading(path / "config.json"):
        longest_input(config)
    with reading(path / file):
        route.max_seq_length(None)
        _ = route.messages, route.template_arguments
    return route


def name_prefix(folder: str) -> str:
    """The path from the model folder to files in ``folder``: "" or ``folder`` with a slash.

    "" and "." are the model folder itself.
    """
    return "" if folder in ("", ".") else f"{folder}/"


def _gives_all_layers(config: Mapping[str, Any], transformer: Mapping[str, Any]) -> bool:
    """Whether the transformer gives the hidden states of all layers.

    Where it does not, sentence-transformers skips the modules that need them.
    """
    own = section(transformer, "config_args") or section(transformer, "config_kwargs")
    return bool(own.get("output_hidden_states", config.get("output_hidden_states")))


def transformer_config(folder: Path) -> tuple[str, dict[str, Any]]:
    """The name and the content of the first configuration file that is not empty.

    Where there is none: the name of the one to write, and an empty dictionary.
    """
    found = ((name, read_optional_json(folder / name)) for name in _TRANSFORMER_CONFIGS)
    return next(((name, config) for name, config in found if config), (_TRANSFORMER_CONFIGS[0], {}))
