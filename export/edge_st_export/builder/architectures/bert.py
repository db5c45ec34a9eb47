"""BERT and its like: absolute positions, and normalization after attention and after the feed-forward layer."""

from dataclasses import dataclass

import numpy as np

from ..attention import attend, distances, heads_of, mask_bias, projections, scaled
from ..heads import classified
from ..pieces import Pieces
from ..ports import IDS, MASK, TYPES, Output, hidden_states
from ..relative_positions import bias_by_distance
from ..settings import Settings
from ..words import Splade, WordHead, sparse
from .bert_kinds import KINDS, Kind, LayerNames

_WORDS, _POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"
_DEFAULT_PADDING, _DEFAULT_EPSILON = 1, 1e-12


@dataclass(frozen=True)
class Bert:
    """An encoder of ``kind``: ``paths`` begin the names of the weights of its layers.

    ``types`` is how many types of tokens it tells apart; with 1 every token is of the first. ``embedded`` is the width
    of the embeddings, ``hidden`` that of the layers, ``wide`` that of the feed-forward layer. ``padding`` is the id of
    the padding token, from which some kinds count positions. ``classifies`` says whether its classification head is in
    the graph, ``splade`` how a masked language model's is pooled there; ``tied`` says that this head's words are the
    embeddings.
    """

    kind: Kind
    paths: tuple[str, ...]
    types: int
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
        return (IDS, MASK, TYPES) if self.types > 1 else (IDS, MASK)

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
    hidden, heads = settings.integer(keys.hidden), settings.integer(keys.heads)
    padding = _DEFAULT_PADDING if kind.relative else settings.integer("pad_token_id", _DEFAULT_PADDING)
    return Bert(
        kind,
        _paths(kind, settings),
        0 if kind.token_types is None else settings.token_types(kind.token_types, unsaid=kind.token_types > 1),
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
        rows = pieces.checkpoint.first_of(head.words, *((_WORDS,) if bert.tied else ()))
        biases = pieces.checkpoint.first_of(*head.biases)
        return sparse(pieces, self._norm(x, head.norm, bert.embedded), rows, biases, bert.embedded, splade)

    def _embeddings(self) -> str:
        pieces, bert = self.pieces, self.bert
        x = pieces.embedding(_WORDS, IDS, bert.embedded)
        if bert.types > 1:
            x = pieces.graph.apply("Add", x, pieces.embedding(_TYPES, TYPES, bert.embedded))
        x = self._norm(pieces.graph.apply("Add", x, self._positions()), "embeddings.LayerNorm", bert.embedded)
        if bert.embedded == bert.hidden and not bert.kind.shares_layers:
            return x
        return pieces.linear(x, bert.kind.project, bert.embedded, bert.hidden)

    def _positions(self) -> str:
        """The embedding of each position, plus that of the first token type where the graph takes no token_type_ids."""
        graph, checkpoint, bert = self.pieces.graph, self.pieces.checkpoint, self.bert
        values = checkpoint.get(_POSITIONS, (checkpoint.rows(_POSITIONS), bert.embedded))
        if bert.types == 1:
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
