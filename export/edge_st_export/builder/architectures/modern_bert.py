"""ModernBERT: rotary positions, attention that is local in most layers, normalization before each part of a layer.

Source: Warner et al. (arXiv 2412.13663), as transformers' ModernBertModel computes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.files.reading import wrong

from ..attention import mask_bias, window_bias
from ..heads import projected
from ..pieces import Pieces
from ..ports import IDS, MASK, Output, hidden_states
from ..rotary import Rotation, attend_rotated, read_frequencies, rotation
from ..settings import Settings
from ..words import Splade, sparse

_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
#: kind of layer → the key and the default of its rotation's base in transformers 4
_BASES = {_GLOBAL: ("global_rope_theta", 160_000.0), _LOCAL: ("local_rope_theta", 10_000.0)}
_POOLINGS = ("cls", "mean")
_EMBEDDINGS, _WORDS = "embeddings.tok_embeddings.weight", "decoder.weight"


@dataclass(frozen=True)
class Head:
    """A head: how it pools tokens for a classification, its activation, and whether its first map has a bias."""

    pooling: str
    activation: str
    bias: bool


@dataclass(frozen=True)
class ModernBert:
    """A ModernBERT of ``layers``, the kinds of attention; ``turns`` are the frequencies of each kind.

    ``reach`` is how many tokens away local attention reads; ``longest`` the number of places. The biases are whether
    maps and normalizations have one. ``head`` is None where hidden states are wanted; ``splade`` says how a masked
    language model's is pooled, ``tied`` that its words are the embeddings, ``words_bias`` that they have biases.
    """

    layers: tuple[str, ...]
    hidden: int
    wide: int
    heads: int
    turns: Mapping[str, Floats]
    reach: int
    longest: int
    activation: str
    epsilon: float
    attention_bias: bool
    wide_bias: bool
    norm_bias: bool
    head: Head | None
    splade: Splade | None
    tied: bool
    words_bias: bool
    prefix: str = "model."
    inputs: tuple[str, ...] = (IDS, MASK)

    def write(self, pieces: Pieces) -> Output:
        """Write all nodes; for a classifier of the first token only as much of the last layer as it reads."""
        return _Writer(pieces, self).write()


def read_modern_bert(settings: Settings) -> ModernBert:
    """Read the architecture; raises UnsupportedModelError for a setting that is not supported."""
    hidden, heads = settings.integer("hidden_size"), settings.integer("num_attention_heads")
    size = settings.head_size(hidden, heads)
    return ModernBert(
        _layers(settings),
        hidden,
        settings.integer("intermediate_size"),
        heads,
        {kind: read_frequencies(settings, size, base, key=key, kind=kind) for kind, (key, base) in _BASES.items()},
        settings.integer("local_attention", 128) // 2,
        settings.longest_text("max_position_embeddings", 8192),
        settings.activation("hidden_activation"),
        settings.number("norm_eps", 1e-5),
        settings.flag("attention_bias"),
        settings.flag("mlp_bias"),
        settings.flag("norm_bias"),
        _head(settings) if settings.classifies or settings.splade else None,
        settings.splade,
        settings.flag("tie_word_embeddings", default=True),
        settings.flag("decoder_bias", default=True),
    )


def _layers(settings: Settings) -> tuple[str, ...]:
    """The kind of attention of each layer, as transformers 5 or 4 says it."""
    count = settings.integer("num_hidden_layers")
    every = settings.integer("global_attn_every_n_layers", 3)
    layers = settings.get("layer_types") or [_LOCAL if number % every else _GLOBAL for number in range(count)]
    if len(layers) != count or not set(layers) <= set(_BASES):
        raise wrong("layer_types", layers, f"{count} of {', '.join(_BASES)}")
    return tuple(layers)


def _head(settings: Settings) -> Head:
    pooling = settings.choice("classifier_pooling", _POOLINGS, "cls")
    return Head(pooling, settings.activation("classifier_activation"), settings.flag("classifier_bias"))


@dataclass(frozen=True, eq=False)
class _Writer:
    pieces: Pieces
    model: ModernBert

    def write(self) -> Output:
        pieces, model = self.pieces, self.model
        x = self._norm(pieces.embedding(_EMBEDDINGS, IDS, model.hidden), "embeddings.norm")
        turns = {kind: rotation(pieces, model.turns[kind], model.longest) for kind in dict.fromkeys(model.layers)}
        bias = mask_bias(pieces)
        biases = {_GLOBAL: bias}
        if _LOCAL in model.layers:
            biases[_LOCAL] = window_bias(pieces, bias, model.reach)
        reads_first = model.head is not None and model.splade is None and model.head.pooling == "cls"
        for number, kind in enumerate(model.layers):
            first_token = reads_first and number == len(model.layers) - 1
            x = self._layer(x, number, turns[kind], biases[kind], first_token=first_token)
        x = self._norm(x, "final_norm")
        if model.head is None:
            return hidden_states(x, model.hidden)
        return self._classified(x, model.head) if model.splade is None else self._weighed(x, model.head, model.splade)

    def _layer(self, x: str, number: int, turn: Rotation, bias: str, *, first_token: bool) -> str:
        pieces, model = self.pieces, self.model
        path = f"layers.{number}."
        normed = self._norm(x, f"{path}attn_norm") if number else x  # the embeddings are normalized already
        queries = pieces.first(normed, 1) if first_token else normed
        maps = pieces.maps(f"{path}attn.Wqkv", model.hidden, model.hidden, 3, bias=model.attention_bias)
        bias = pieces.first(bias, 2) if first_token else bias
        attended = attend_rotated(pieces, normed, queries, f"{path}attn.", maps, model.heads, turn, bias)
        attended = pieces.linear(attended, f"{path}attn.Wo", model.hidden, model.hidden, bias=model.attention_bias)
        x = pieces.graph.apply("Add", attended, pieces.first(x, 1) if first_token else x)
        gate, other = pieces.maps(f"{path}mlp.Wi", model.hidden, model.wide, 2, bias=model.wide_bias)
        wide = pieces.gated(self._norm(x, f"{path}mlp_norm"), f"{path}mlp.Wi", gate, other, model.activation)
        narrow = pieces.linear(wide, f"{path}mlp.Wo", model.wide, model.hidden, bias=model.wide_bias)
        return pieces.graph.apply("Add", narrow, x)

    def _classified(self, x: str, head: Head) -> Output:
        pieces, model = self.pieces, self.model
        pooled = self._mean(x) if head.pooling == "mean" else pieces.graph.apply("Squeeze", x, pieces.graph.integers(1))
        return projected(pieces, self._dense(pooled, head), "classifier", model.hidden)

    def _weighed(self, x: str, head: Head, splade: Splade) -> Output:
        """The weights of all words."""
        pieces, model = self.pieces, self.model
        rows = pieces.checkpoint.first_of(_WORDS, *((_EMBEDDINGS,) if model.tied else ()))
        biases = "decoder.bias" if model.words_bias else None
        return sparse(pieces, self._dense(x, head), rows, biases, model.hidden, splade)

    def _dense(self, x: str, head: Head) -> str:
        pieces, hidden = self.pieces, self.model.hidden
        dense = pieces.linear(x, "head.dense", hidden, hidden, bias=head.bias)
        return self._norm(pieces.activated(dense, head.activation), "head.norm")

    def _mean(self, x: str) -> str:
        """The mean of the tokens that the mask shows, (batch, hidden)."""
        graph = self.pieces.graph
        axis, mask = graph.integers(1), graph.cast(MASK, np.float32)
        shown = graph.apply("Mul", x, graph.apply("Unsqueeze", mask, graph.integers(2)))
        total = graph.apply("ReduceSum", shown, axis, keepdims=0)
        return graph.apply("Div", total, graph.apply("ReduceSum", mask, axis, keepdims=1))

    def _norm(self, x: str, name: str) -> str:
        return self.pieces.layer_norm(x, name, self.model.hidden, self.model.epsilon, bias=self.model.norm_bias)
