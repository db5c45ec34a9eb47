"""BERT and its like: absolute positions, and normalization after attention and after the feed-forward layer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..attention import attend, distances, heads_of, mask_bias, projections, scaled
from ..heads import Classifier, classified
from ..pieces import Pieces
from ..ports import IDS, MASK, TYPES, Output, hidden_states
from ..relative_positions import bias_by_distance
from ..settings import Settings
from ..words import Splade, WordHead, sparse

_WORDS, _POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"
_DEFAULT_PADDING, _DEFAULT_EPSILON = 1, 1e-12


@dataclass(frozen=True)
class Keys:
    """Keys of config.json; ``epsilon`` is None where the value is always 1e-12."""

    hidden: str = "hidden_size"
    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    wide: str = "intermediate_size"
    activation: str = "hidden_act"
    epsilon: str | None = "layer_norm_eps"


@dataclass(frozen=True)
class LayerNames:
    """The names of a layer's linear maps and normalizations."""

    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    attended: str = "attention.output.dense"
    attended_norm: str = "attention.output.LayerNorm"
    widened: str = "intermediate.dense"
    narrowed: str = "output.dense"
    norm: str = "output.LayerNorm"

    def below(self, path: str) -> "LayerNames":
        """The full names of the layer whose weights' names begin with ``path``."""
        return LayerNames(*(path + name for name in vars(self).values()))


@dataclass(frozen=True)
class Kind:
    """A model_type of this shape: how its weights and settings are called.

    ``path``, with the number of a layer, begins the names of its weights. ``project`` is the map from embeddings to
    the width of the layers. ``shares_layers`` says that groups of layers share weights, and that embeddings are always
    projected. ``token_types`` says whether the graph takes token_type_ids; that of a RoBERTa with several types
    does where its tokenizer gives them. ``counted_from_padding`` says whether positions begin after the id of the
    padding token and do not count padding. ``relative`` names the weights, if any, that are added to the attention by
    distance. ``activation`` is the default. ``words`` is the head of a masked language model.
    """

    prefix: str
    classifier: Classifier
    names: LayerNames = LayerNames()
    path: str = "encoder.layer.{}."
    keys: Keys = Keys()
    project: str = "embeddings_project"
    shares_layers: bool = False
    token_types: bool = False
    counted_from_padding: bool = False
    relative: str | None = None
    activation: str = "gelu"
    words: WordHead | None = None

    @property
    def first_type(self) -> bool:
        """Whether every token gets the embedding of the first token type."""
        return self.counted_from_padding and self.relative is None and not self.token_types


_LM_HEAD = WordHead(
    "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder.weight", ("lm_head.bias", "lm_head.decoder.bias"), "gelu"
)
_ROBERTA = Kind(
    "roberta.", Classifier("classifier.dense", "classifier.out_proj"), counted_from_padding=True, words=_LM_HEAD
)
#: by model_type in config.json
KINDS: Mapping[str, Kind] = {
    "bert": Kind(
        "bert.",
        Classifier("pooler.dense", "classifier"),
        token_types=True,
        words=WordHead(
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
            "cls.predictions.decoder.weight",
            ("cls.predictions.bias", "cls.predictions.decoder.bias"),
        ),
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Kind(
        "distilbert.",
        Classifier("pre_classifier", "classifier", "relu"),
        LayerNames(
            query="attention.q_lin",
            key="attention.k_lin",
            value="attention.v_lin",
            attended="attention.out_lin",
            attended_norm="sa_layer_norm",
            widened="ffn.lin1",
            narrowed="ffn.lin2",
            norm="output_layer_norm",
        ),
        "transformer.layer.{}.",
        Keys("dim", "n_layers", "n_heads", "hidden_dim", "activation", None),
        words=WordHead("vocab_transform", "vocab_layer_norm", "vocab_projector.weight", ("vocab_projector.bias",)),
    ),
    "mpnet": Kind(
        "mpnet.",
        Classifier("classifier.dense", "classifier.out_proj"),
        LayerNames(
            query="attention.attn.q",
            key="attention.attn.k",
            value="attention.attn.v",
            attended="attention.attn.o",
            attended_norm="attention.LayerNorm",
        ),
        counted_from_padding=True,
        relative="encoder.relative_attention_bias.weight",
        words=_LM_HEAD,
    ),
    "electra": Kind(
        "electra.",
        Classifier("classifier.dense", "classifier.out_proj", "gelu"),
        token_types=True,
        words=WordHead(
            "generator_predictions.dense",
            "generator_predictions.LayerNorm",
            "generator_lm_head.weight",
            ("generator_lm_head.bias",),
            "gelu",
        ),
    ),
    "albert": Kind(
        "albert.",
        Classifier("pooler", "classifier"),
        LayerNames(
            query="attention.query",
            key="attention.key",
            value="attention.value",
            attended="attention.dense",
            attended_norm="attention.LayerNorm",
            widened="ffn",
            narrowed="ffn_output",
            norm="full_layer_layer_norm",
        ),
        "encoder.albert_layer_groups.{}.albert_layers.{}.",
        project="encoder.embedding_hidden_mapping_in",
        shares_layers=True,
        token_types=True,
        activation="gelu_new",
        words=WordHead(
            "predictions.dense",
            "predictions.LayerNorm",
            "predictions.decoder.weight",
            ("predictions.bias", "predictions.decoder.bias"),
        ),
    ),
}


@dataclass(frozen=True)
class Bert:
    """An encoder of ``kind``: ``paths`` begin the names of the weights of its layers.

    ``embedded`` is the width of the embeddings, ``hidden`` that of the layers, ``wide`` that of the feed-forward layer.
    ``padding`` is the id of the padding token, from which some kinds count positions. ``classifies`` says whether its
    classification head is in the graph, ``splade`` how a masked language model's is pooled there; ``tied`` says that
    this head's words are the embeddings.
    """

    kind: Kind
    paths: tuple[str, ...]
    embedded: int
    hidden: int
    wide: int
    heads: int
    size: int
    activation: str
    epsilon: float
    padding: int
    classifies: bool
    splade: Splade | None
    tied: bool

    @property
    def prefix(self) -> str:
        """What models with a head put before the names of the weights."""
        return self.kind.prefix

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the graph's inputs."""
        return (IDS, MASK, TYPES) if self.kind.token_types else (IDS, MASK)

    def write(self, pieces: Pieces) -> Output:
        """Write all nodes.

        A classifier reads the first token only, so the last layer is computed for that token only; it still attends to
        all tokens.
        """
        return _Writer(pieces, self).write()


def read_bert(settings: Settings) -> Bert:
    """Read the architecture; raises UnsupportedModelError for a setting that is not supported."""
    kind = KINDS[settings.values["model_type"]]
    settings.choice("position_embedding_type", ("absolute",), "absolute")
    keys = kind.keys
    if kind.first_type and settings.integer("type_vocab_size", 1) > 1 and TYPES in settings.tokenizer_inputs:
        kind = replace(kind, token_types=True)
    hidden, heads = settings.integer(keys.hidden), settings.integer(keys.heads)
    padding = _DEFAULT_PADDING if kind.relative else settings.integer("pad_token_id", _DEFAULT_PADDING)
    return Bert(
        kind,
        _paths(kind, settings),
        settings.integer("embedding_size", hidden),
        hidden,
        settings.integer(keys.wide),
        heads,
        settings.head_size(hidden, heads),
        settings.activation(keys.activation, kind.activation),
        settings.number(keys.epsilon or "", _DEFAULT_EPSILON),
        padding,
        settings.classifies,
        settings.splade,
        settings.flag("tie_word_embeddings", default=True),
    )


def _paths(kind: Kind, settings: Settings) -> tuple[str, ...]:
    """What begins the names of each layer's weights; ALBERT's layers share weights in groups of several layers."""
    layers = settings.integer(kind.keys.layers)
    if not kind.shares_layers:
        return tuple(kind.path.format(number) for number in range(layers))
    groups, inner = settings.integer("num_hidden_groups", 1), settings.integer("inner_group_num", 1)
    return tuple(
        kind.path.format(int(number / (layers / groups)), place) for number in range(layers) for place in range(inner)
    )


@dataclass(frozen=True, eq=False)
class _Writer:
    pieces: Pieces
    bert: Bert

    def write(self) -> Output:
        bert = self.bert
        x, bias = self._embeddings(), self._bias()
        for place, path in enumerate(bert.paths, 1):
            x = self._layer(x, bias, path, first_token=bert.classifies and place == len(bert.paths))
        if bert.classifies:
            return classified(self.pieces, x, bert.kind.classifier, bert.hidden)
        if bert.splade is not None and bert.kind.words is not None:
            return self._weighed(x, bert.kind.words, bert.splade)
        return hidden_states(x, bert.hidden)

    def _weighed(self, x: str, head: WordHead, splade: Splade) -> Output:
        """The weights of all words."""
        pieces, bert = self.pieces, self.bert
        x = pieces.activated(
            pieces.linear(x, head.dense, bert.hidden, bert.embedded), head.activation or bert.activation
        )
        names = (head.words, _WORDS) if bert.tied else (head.words,)
        rows, biases = pieces.checkpoint.first_of(*names), pieces.checkpoint.first_of(*head.biases)
        return sparse(pieces, self._norm(x, head.norm, bert.embedded), rows, biases, bert.embedded, splade)

    def _embeddings(self) -> str:
        pieces, bert = self.pieces, self.bert
        x = pieces.embedding(_WORDS, IDS, bert.embedded)
        if bert.kind.token_types:
            x = pieces.graph.apply("Add", x, pieces.embedding(_TYPES, TYPES, bert.embedded))
        x = self._norm(pieces.graph.apply("Add", x, self._positions()), "embeddings.LayerNorm", bert.embedded)
        if bert.embedded == bert.hidden and not bert.kind.shares_layers:
            return x
        return pieces.linear(x, bert.kind.project, bert.embedded, bert.hidden)

    def _positions(self) -> str:
        """The embedding of each position, plus that of the first token type where the kind has no token_type_ids."""
        graph, checkpoint, bert = self.pieces.graph, self.pieces.checkpoint, self.bert
        values = checkpoint.get(_POSITIONS, (checkpoint.rows(_POSITIONS), bert.embedded))
        if bert.kind.first_type:
            values = values + checkpoint.get(_TYPES, (checkpoint.rows(_TYPES), bert.embedded))[0]
        table = graph.weight(_POSITIONS, values)
        if not bert.kind.counted_from_padding:
            return graph.apply("Slice", table, graph.integers(0), self.pieces.tokens(), graph.integers(0))
        padding = graph.integers(bert.padding)
        text = graph.cast(graph.apply("Not", graph.apply("Equal", IDS, padding)), np.int64)
        counted = graph.apply("Mul", graph.apply("CumSum", text, graph.integers(1)), text)
        return graph.apply("Gather", table, graph.apply("Add", counted, padding))

    def _bias(self) -> str:
        """What is added to the attention, (batch, 1 or heads, 1 or tokens, tokens)."""
        bias, name = mask_bias(self.pieces), self.bert.kind.relative
        return bias if name is None else self.pieces.graph.apply("Add", bias, self._relative_bias(name))

    def _relative_bias(self, name: str) -> str:
        """The learned bias of every distance between tokens, (heads, tokens, tokens)."""
        graph, checkpoint = self.pieces.graph, self.pieces.checkpoint
        longest, buckets = checkpoint.rows(_POSITIONS), checkpoint.rows(name)
        table = graph.weight(name, bias_by_distance(checkpoint.get(name, (buckets, self.bert.heads)), longest))
        return graph.apply(
            "Gather", table, graph.apply("Add", distances(self.pieces), graph.integers(longest - 1)), axis=1
        )

    def _layer(self, x: str, bias: str, path: str, *, first_token: bool) -> str:
        pieces, bert = self.pieces, self.bert
        names = bert.kind.names.below(path)
        queries = pieces.first(x, 1) if first_token else x
        attended = self._attention(x, queries, pieces.first(bias, 2) if first_token else bias, path, names)
        attended = pieces.linear(attended, names.attended, bert.hidden, bert.hidden)
        x = self._norm(pieces.graph.apply("Add", attended, queries), names.attended_norm, bert.hidden)
        wide = pieces.activated(pieces.linear(x, names.widened, bert.hidden, bert.wide), bert.activation)
        narrow = pieces.linear(wide, names.narrowed, bert.wide, bert.hidden)
        return self._norm(pieces.graph.apply("Add", narrow, x), names.norm, bert.hidden)

    def _attention(self, x: str, queries: str, bias: str, path: str, names: LayerNames) -> str:
        """The attention of ``queries`` to all tokens; (batch, queries, hidden)."""
        pieces, bert = self.pieces, self.bert
        query, *others = (pieces.map(each, bert.hidden, bert.hidden) for each in (names.query, names.key, names.value))
        found = projections(pieces, x, queries, path, [scaled(query, bert.size), *others])
        q, k, v = (heads_of(pieces, each, bert.heads, bert.size) for each in found)
        return attend(pieces, q, k, v, bias, bert.hidden)

    def _norm(self, x: str, name: str, width: int) -> str:
        return self.pieces.layer_norm(x, name, width, self.bert.epsilon)
