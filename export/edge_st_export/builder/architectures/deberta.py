"""DeBERTa in its second and third version: attention to what a token is and, apart from that, to where it is.

Source: He et al. (arXiv 2006.03654, 2111.09543), as transformers' DebertaV2Model computes it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge_st_runtime.arrays import Floats, Ids

from ..attention import distances, heads_of, mask_bias, mixed, projections, scaled
from ..heads import Classifier, classified
from ..pieces import Pieces
from ..ports import IDS, MASK, TYPES, Output, hidden_states
from ..relative_positions import logarithmic
from ..settings import Settings

_TO_PLACE, _FROM_PLACE = "c2p", "p2c"


@dataclass(frozen=True)
class Places:
    """How the distance between two tokens counts.

    ``span`` is half the number of the embeddings of distances, whose places are ``table`` by distance; all distances
    beyond the table count like its last. ``shares`` says whether places have the maps of tokens, ``normed`` whether
    their embeddings are normalized.
    """

    span: int
    table: Ids
    shares: bool
    normed: bool


@dataclass(frozen=True)
class Convolution:
    """What is added after the first layer: a convolution over ``width`` tokens in ``groups``, and its activation."""

    width: int
    groups: int
    activation: str


@dataclass(frozen=True)
class Deberta:
    """A DeBERTa; ``embedded`` is the width of the embeddings, ``hidden`` that of the layers, ``wide`` that between.

    ``positions`` says whether positions are embedded, ``types`` is the number of token types. Attention has the
    ``terms`` "c2p", from tokens to places, and "p2c", from places to tokens. ``pooling`` is the
    activation of the classification head, None for a model without.
    """

    layers: int
    embedded: int
    hidden: int
    wide: int
    heads: int
    size: int
    activation: str
    epsilon: float
    positions: bool
    types: int
    terms: frozenset[str]
    places: Places | None
    convolution: Convolution | None
    pooling: str | None
    prefix: str = "deberta."

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the graph's inputs."""
        return (IDS, MASK, TYPES) if self.types > 1 else (IDS, MASK)

    @property
    def shared(self) -> int:
        """By whose square root each term of the attention is divided: the size of a head times the number of terms."""
        return self.size * (1 + len(self.terms))

    def write(self, pieces: Pieces) -> Output:
        """Write all nodes; for a classifier only as much of the last layer as the first token needs."""
        return _Writer(pieces, self).write()


def read_deberta(settings: Settings) -> Deberta:
    """Read the architecture; raises UnsupportedModelError for a setting that is not supported."""
    hidden, heads = settings.integer("hidden_size"), settings.integer("num_attention_heads")
    size = settings.head_size(hidden, heads)
    settings.choice("attention_head_size", (size,), size)
    convolution = None
    if settings.integer("conv_kernel_size", 0):
        width = settings.integer("conv_kernel_size")
        convolution = Convolution(width, settings.integer("conv_groups", 1), settings.activation("conv_act", "tanh"))
    return Deberta(
        settings.integer("num_hidden_layers"),
        settings.integer("embedding_size", hidden),
        hidden,
        settings.integer("intermediate_size"),
        heads,
        size,
        settings.activation("hidden_act"),
        settings.number("layer_norm_eps", 1e-7),
        settings.flag("position_biased_input", default=True),
        settings.token_types(0),
        _read_terms(settings),
        _read_places(settings) if settings.flag("relative_attention") else None,
        convolution,
        settings.activation("pooler_hidden_act") if settings.classifies else None,
    )


def _read_terms(settings: Settings) -> frozenset[str]:
    said = settings.get("pos_att_type", [])
    terms = frozenset(_parts(said) if isinstance(said, str) else said)
    if not terms <= {_TO_PLACE, _FROM_PLACE}:
        raise settings.refusal(f"pos_att_type is {said!r}", f"{_TO_PLACE!r} and {_FROM_PLACE!r}")
    return terms


def _parts(said: str) -> list[str]:
    return said.lower().replace(" ", "").split("|")


def _read_places(settings: Settings) -> Places:
    farthest = settings.integer("max_relative_positions", -1)
    farthest = settings.integer("max_position_embeddings", 512) if farthest < 1 else farthest
    buckets = settings.integer("position_buckets", -1)
    apart = np.arange(-farthest, farthest + 1)
    span = buckets if buckets > 0 else farthest
    places = logarithmic(apart, buckets, farthest) if buckets > 0 else apart
    normed = "layer_norm" in _parts(settings.get("norm_rel_ebd", "none"))
    return Places(span, np.clip(places + span, 0, 2 * span - 1), settings.flag("share_att_key"), normed)


@dataclass(frozen=True, eq=False)
class _Places:
    """What all layers share: names of the place of each token, as seen from each other.

    ``by_query`` is (batch, heads, queries, keys) int32, ``by_key`` (batch, heads, keys, queries). ``embeddings`` are
    those of the places, (2·span, hidden).
    """

    said: Places
    by_query: str
    by_key: str
    embeddings: Floats


@dataclass(frozen=True, eq=False)
class _Writer:
    pieces: Pieces
    model: Deberta

    def write(self) -> Output:
        pieces, model = self.pieces, self.model
        embedded = x = self._embeddings()
        bias = mask_bias(pieces)
        places = None if model.places is None else self._places(model.places)
        for number in range(model.layers):
            last = number == model.layers - 1 and not (model.convolution and number == 0)
            first_token = model.pooling is not None and last
            x = self._layer(x, bias, places, f"encoder.layer.{number}.", first_token=first_token)
            if model.convolution and number == 0:
                x = self._convolved(model.convolution, embedded, x)
        if model.pooling is None:
            return hidden_states(x, model.hidden)
        x = x if model.layers > 1 or not model.convolution else pieces.first(x, 1)
        return classified(pieces, x, Classifier("pooler.dense", "classifier", model.pooling), model.hidden)

    def _embeddings(self) -> str:
        pieces, model = self.pieces, self.model
        x = pieces.embedding("embeddings.word_embeddings.weight", IDS, model.embedded)
        if model.positions:
            x = pieces.graph.apply("Add", x, self._positions("embeddings.position_embeddings.weight"))
        if model.types:
            types = TYPES if model.types > 1 else pieces.graph.integers(0)
            types = pieces.embedding("embeddings.token_type_embeddings.weight", types, model.embedded)
            x = pieces.graph.apply("Add", x, types)
        if model.embedded != model.hidden:
            x = pieces.linear(x, "embeddings.embed_proj", model.embedded, model.hidden, bias=False)
        x = self._norm(x, "embeddings.LayerNorm")
        return self._masked(x) if model.convolution else x

    def _positions(self, name: str) -> str:
        graph, checkpoint = self.pieces.graph, self.pieces.checkpoint
        table = graph.weight(name, checkpoint.get(name, (checkpoint.rows(name), self.model.embedded)))
        return graph.apply("Slice", table, graph.integers(0), self.pieces.tokens(), graph.integers(0))

    def _places(self, places: Places) -> _Places:
        pieces, graph = self.pieces, self.pieces.graph
        farthest = len(places.table) // 2
        apart = graph.apply("Clip", distances(pieces), graph.scalar(-farthest), graph.scalar(farthest))
        table = graph.weight("places_by_distance", places.table[::-1].astype(np.int32))  # from query to key here
        found = graph.apply("Gather", table, graph.apply("Add", apart, graph.scalar(farthest)))
        batch = graph.apply("Shape", IDS, start=0, end=1)
        shape = graph.apply("Concat", batch, graph.integers(self.model.heads, 1, 1), axis=0)
        by_query, by_key = (
            graph.apply("Expand", each, shape) for each in (found, graph.apply("Transpose", found, perm=[1, 0]))
        )
        embeddings = pieces.checkpoint.get("encoder.rel_embeddings.weight", (2 * places.span, self.model.hidden))
        if places.normed:
            embeddings = self._normed(embeddings, "encoder.LayerNorm")
        return _Places(places, by_query, by_key, embeddings)

    def _normed(self, x: Floats, name: str) -> Floats:
        """Layer normalization of constants."""
        scale, shift = (self.pieces.checkpoint.get(f"{name}.{end}", (x.shape[1],)) for end in ("weight", "bias"))
        wide = x.astype(np.float64)
        centred = wide - wide.mean(axis=1, keepdims=True)
        deviation = np.sqrt(wide.var(axis=1, keepdims=True) + self.model.epsilon)
        return (centred / deviation * scale + shift).astype(np.float32)

    def _layer(self, x: str, bias: str, places: _Places | None, path: str, *, first_token: bool) -> str:
        pieces, model = self.pieces, self.model
        queries = pieces.first(x, 1) if first_token else x
        bias = pieces.first(bias, 2) if first_token else bias
        attended = self._attention(x, queries, bias, places, path)
        attended = pieces.linear(attended, f"{path}attention.output.dense", model.hidden, model.hidden)
        x = self._norm(pieces.graph.apply("Add", attended, queries), f"{path}attention.output.LayerNorm")
        wide = pieces.linear(x, f"{path}intermediate.dense", model.hidden, model.wide)
        narrow = pieces.linear(
            pieces.activated(wide, model.activation), f"{path}output.dense", model.wide, model.hidden
        )
        return self._norm(pieces.graph.apply("Add", narrow, x), f"{path}output.LayerNorm")

    def _attention(self, x: str, queries: str, bias: str, places: _Places | None, path: str) -> str:
        """Softmax of the sum of all terms, times V; (batch, queries, hidden)."""
        pieces, model, graph = self.pieces, self.model, self.pieces.graph
        path = f"{path}attention.self."
        query, *others = (
            pieces.map(f"{path}{name}_proj", model.hidden, model.hidden) for name in ("query", "key", "value")
        )
        found = projections(pieces, x, queries, path, [scaled(query, model.shared), *others])
        q, k, v = (heads_of(pieces, part, model.heads, model.size) for part in found)
        q, keys = graph.apply("Transpose", q, perm=[0, 2, 1, 3]), graph.apply("Transpose", k, perm=[0, 2, 3, 1])
        if places is not None:
            k = graph.apply("Transpose", k, perm=[0, 2, 1, 3])
            for term in self._terms(places, path, q, k, first_token=queries is not x):
                bias = graph.apply("Add", bias, term)
        return mixed(pieces, graph.apply("MatMul", q, keys), v, bias, model.hidden)

    def _terms(self, places: _Places, path: str, q: str, k: str, *, first_token: bool) -> Iterator[str]:
        """What places add to the attention, (batch, heads, queries, tokens) each.

        ``q`` and ``k`` are (batch, heads, tokens, size). The maps of the places' embeddings are constants.
        """
        pieces, said = self.pieces, places.said
        if _TO_PLACE in self.model.terms:
            name = f"{path}key_proj" if said.shares else f"{path}pos_key_proj"
            chosen = pieces.first(places.by_query, 2) if first_token else places.by_query
            yield self._picked(q, self._mapped_places(places, name, 1), chosen)
        if _FROM_PLACE in self.model.terms:
            name = f"{path}query_proj" if said.shares else f"{path}pos_query_proj"
            chosen = pieces.first(places.by_key, 3) if first_token else places.by_key
            picked = self._picked(k, self._mapped_places(places, name, 1 / math.sqrt(self.model.shared)), chosen)
            yield pieces.graph.apply("Transpose", picked, perm=[0, 1, 3, 2])

    def _mapped_places(self, places: _Places, name: str, scale: float) -> str:
        """The places' embeddings after the map called ``name``, times ``scale``: (heads, size, 2·span)."""
        model = self.model
        matrix = self.pieces.checkpoint.get(f"{name}.weight", (model.hidden, model.hidden))
        shift = self.pieces.checkpoint.get(f"{name}.bias", (model.hidden,))
        found = (places.embeddings @ matrix.T + shift) * np.float32(scale)
        found = found.reshape(-1, model.heads, model.size).transpose(1, 2, 0)
        return self.pieces.graph.weight(f"{name}.places", found)

    def _picked(self, x: str, places: str, chosen: str) -> str:
        """The products of ``x`` with those of the ``places`` that are ``chosen``, (batch, heads, tokens, …)."""
        return self.pieces.graph.apply("GatherElements", self.pieces.graph.apply("MatMul", x, places), chosen, axis=3)

    def _convolved(self, convolution: Convolution, embedded: str, x: str) -> str:
        """``x``, the output of the first layer, plus a convolution of the embeddings."""
        pieces, graph, hidden = self.pieces, self.pieces.graph, self.model.hidden
        shape = {"conv.weight": (hidden, hidden // convolution.groups, convolution.width), "conv.bias": (hidden,)}
        weights = [
            graph.weight(f"encoder.conv.{name}", pieces.checkpoint.get(f"encoder.conv.{name}", each))
            for name, each in shape.items()
        ]
        pads = [(convolution.width - 1) // 2] * 2
        found = graph.apply(
            "Conv", graph.apply("Transpose", embedded, perm=[0, 2, 1]), *weights, pads=pads, group=convolution.groups
        )
        found = self._masked(graph.apply("Transpose", found, perm=[0, 2, 1]))
        total = graph.apply("Add", x, pieces.activated(found, convolution.activation))
        return self._masked(self._norm(total, "encoder.conv.LayerNorm"))

    def _masked(self, x: str) -> str:
        """``x``, zero where the mask is."""
        graph = self.pieces.graph
        mask = graph.cast(graph.apply("Unsqueeze", MASK, graph.integers(2)), np.float32)
        return graph.apply("Mul", x, mask)

    def _norm(self, x: str, name: str) -> str:
        return self.pieces.layer_norm(x, name, self.model.hidden, self.model.epsilon)
