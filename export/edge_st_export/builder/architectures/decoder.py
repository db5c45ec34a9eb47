"""Qwen3 and Gemma 3: rotary positions, grouped queries, and normalization before each part of a layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_st_runtime.arrays import Floats

from ..attention import attend, causal_bias, heads_of, mask_bias, repeated, window_bias
from ..heads import Answers, answered, projected
from ..pieces import Pieces
from ..ports import IDS, MASK, Output, hidden_states
from ..rotary import Rotation, read_frequencies, rotated, rotation
from ..settings import Settings

_FULL, _SLIDING = "full_attention", "sliding_attention"
_WORDS, _PROJECTION = "embed_tokens.weight", "lm_head.weight"
_POSITIONS, _EPSILON = 32768, 1e-6


@dataclass(frozen=True)
class Kind:
    """A model_type of this shape.

    ``activation`` is a key of config.json and its default. ``before`` names the normalization before the feed-forward
    layer, ``after`` those of what the attention and the feed-forward layer give, if there are any. ``shift`` is added
    to the weights of normalizations. ``scaled`` says that embeddings are multiplied by the root of their width.
    ``tied`` is the default of tie_word_embeddings.
    """

    activation: tuple[str, str]
    before: str
    after: tuple[str, str] | None = None
    shift: float = 0
    scaled: bool = False
    tied: bool = False


_QWEN3 = Kind(("hidden_act", "silu"), "post_attention_layernorm")
_GEMMA3 = Kind(
    ("hidden_activation", "gelu_pytorch_tanh"),
    "pre_feedforward_layernorm",
    ("post_attention_layernorm", "post_feedforward_layernorm"),
    shift=1,
    scaled=True,
    tied=True,
)


@dataclass(frozen=True, eq=False)
class Sight:
    """What the tokens in a type of layer see.

    ``turns`` are the frequencies of the rotation. A token sees those before it; with ``ahead`` those after it, too;
    with a ``window`` only those less than so many tokens away.
    """

    turns: Floats
    ahead: bool
    window: int | None = None


@dataclass(frozen=True, eq=False)
class Decoder:
    """A decoder of ``kind`` with layers of ``types``, each of which has one of the ``sights``.

    ``hidden`` is the width of the layers, ``wide`` that of the feed-forward layer. The ``heads`` of queries, of width
    ``size``, share the ``groups`` of keys and values. Queries are multiplied by ``scale``. ``biased`` says whether the
    maps of the attention have biases. ``longest`` is the most tokens of a text. ``padding`` is the id of the padding
    token where there is a classification head. ``answers`` are what a language model's head is read for; ``tied`` says
    that its weights are the embeddings.
    """

    kind: Kind
    types: tuple[str, ...]
    sights: Mapping[str, Sight]
    hidden: int
    wide: int
    heads: int
    groups: int
    size: int
    scale: float
    activation: str
    epsilon: float
    biased: bool
    longest: int
    padding: int | None
    answers: Answers | None
    tied: bool

    @property
    def prefix(self) -> str:
        """What models with a head put before the names of the weights."""
        return "model."

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the graph's inputs."""
        return IDS, MASK

    def write(self, pieces: Pieces) -> Output:
        """Write all nodes; a head reads the last token alone."""
        return _Writer(pieces, self).write()


def read_qwen3(settings: Settings) -> Decoder:
    """Read the architecture; raises UnsupportedModelError for a setting that is not supported."""
    layers, size = settings.integer("num_hidden_layers"), settings.integer("head_dim", 128)
    window = settings.integer("sliding_window", 0) if settings.flag("use_sliding_window") else 0
    slides = settings.integer("max_window_layers", 28) if window else layers
    types = settings.each_layer("layer_types", [_FULL if place < slides else _SLIDING for place in range(layers)])
    ahead = not settings.flag("is_causal", default=True)
    sights = {_FULL: Sight(read_frequencies(settings, size, 1e4), ahead)}
    if window and not ahead:
        sights[_SLIDING] = Sight(sights[_FULL].turns, ahead, window)
    return _read(settings, _QWEN3, types, sights, size, size)


def read_gemma3(settings: Settings) -> Decoder:
    """Read the architecture; raises UnsupportedModelError for a setting that is not supported.

    A window to both sides is stored as the width of both, without the token itself.
    """
    settings.choice("attn_logit_softcapping", (None,))
    settings.choice("is_causal", (True,), default=True)
    layers, size = settings.integer("num_hidden_layers"), settings.integer("head_dim", 256)
    pattern = settings.integer("sliding_window_pattern", 6)
    types = settings.each_layer(
        "layer_types", [_SLIDING if place % pattern else _FULL for place in range(1, layers + 1)]
    )
    ahead, window = settings.flag("use_bidirectional_attention"), settings.integer("sliding_window", 4096)
    sights = {
        _FULL: Sight(read_frequencies(settings, size, 1e6, kind=_FULL), ahead),
        _SLIDING: Sight(
            read_frequencies(settings, size, 1e4, key="rope_local_base_freq", kind=_SLIDING, scaled_in_4=False),
            ahead,
            window // 2 + 1 if ahead else window,
        ),
    }
    return _read(settings, _GEMMA3, types, sights, size, settings.number("query_pre_attn_scalar", 256))


def _read(
    settings: Settings,
    kind: Kind,
    types: tuple[str, ...],
    sights: Mapping[str, Sight],
    size: int,
    divisor: float,
) -> Decoder:
    """The decoder whose queries are divided by the root of ``divisor``."""
    unknown = sorted(set(types) - set(sights))
    if unknown:
        raise settings.refusal(f"layer_types has {unknown[0]!r}", " and ".join(map(repr, sights)))
    heads = settings.integer("num_attention_heads")
    return Decoder(
        kind,
        types,
        sights,
        settings.integer("hidden_size"),
        settings.integer("intermediate_size"),
        heads,
        settings.integer("num_key_value_heads", heads),
        size,
        divisor**-0.5,
        settings.activation(*kind.activation),
        settings.number("rms_norm_eps", _EPSILON),
        settings.flag("attention_bias"),
        settings.longest_text("max_position_embeddings", _POSITIONS),
        _padding(settings) if settings.classifies else None,
        settings.answers,
        settings.flag("tie_word_embeddings", default=kind.tied),
    )


def _padding(settings: Settings) -> int:
    """The id of the padding token, by which a classification head finds the last token of a text."""
    if settings.get("pad_token_id") is None:
        raise settings.refusal("pad_token_id is None", "classification heads with the id of the padding token")
    return settings.integer("pad_token_id")


@dataclass(frozen=True, eq=False)
class _Writer:
    pieces: Pieces
    decoder: Decoder

    def write(self) -> Output:
        pieces, decoder = self.pieces, self.decoder
        x = pieces.embedding(_WORDS, IDS, decoder.hidden)
        if decoder.kind.scaled:
            x = pieces.graph.apply("Mul", x, pieces.graph.number(decoder.hidden**0.5))
        seen = {name: self._seen(decoder.sights[name]) for name in dict.fromkeys(decoder.types)}
        for place, name in enumerate(decoder.types):
            x = self._layer(x, f"layers.{place}.", *seen[name])
        return self._output(x)

    def _output(self, x: str) -> Output:
        pieces, decoder = self.pieces, self.decoder
        if decoder.padding is not None:
            x = self._norm(pieces.last(x, self._other_than(decoder.padding)), "norm")
            return projected(pieces, x, "score", decoder.hidden, bias=False)
        if decoder.answers is not None:
            rows = pieces.checkpoint.first_of(_PROJECTION, *((_WORDS,) if decoder.tied else ()))
            return answered(pieces, self._norm(pieces.last(x, MASK), "norm"), rows, decoder.hidden, decoder.answers)
        return hidden_states(self._norm(x, "norm"), decoder.hidden)

    def _other_than(self, token: int) -> str:
        """1 for every token but this one, (batch, tokens)."""
        graph = self.pieces.graph
        return graph.cast(graph.apply("Not", graph.apply("Equal", IDS, graph.integers(token))), np.int64)

    def _seen(self, sight: Sight) -> tuple[str, Rotation]:
        """What is added to the attention, (batch, 1, 1 or tokens, tokens), and how queries and keys turn."""
        bias = mask_bias(self.pieces)
        bias = bias if sight.ahead else causal_bias(self.pieces, bias)
        if sight.window is not None:
            bias = window_bias(self.pieces, bias, sight.window - 1)
        return bias, rotation(self.pieces, sight.turns, self.decoder.longest)

    def _layer(self, x: str, path: str, bias: str, turn: Rotation) -> str:
        kind = self.decoder.kind
        attended_norm, fed_norm = kind.after or (None, None)
        attended = self._attention(self._norm(x, f"{path}input_layernorm"), f"{path}self_attn.", bias, turn)
        x = self._added(x, attended, attended_norm and path + attended_norm)
        fed = self._feed_forward(self._norm(x, path + kind.before), f"{path}mlp.")
        return self._added(x, fed, fed_norm and path + fed_norm)

    def _attention(self, x: str, path: str, bias: str, turn: Rotation) -> str:
        pieces, decoder = self.pieces, self.decoder
        heads, groups, size = decoder.heads, decoder.groups, decoder.size
        widths = {"q_proj": heads * size, "k_proj": groups * size, "v_proj": groups * size}
        maps = [pieces.map(path + name, decoder.hidden, width, bias=decoder.biased) for name, width in widths.items()]
        packed = pieces.mapped(x, f"{path}query_key_value", maps)
        split = pieces.graph.node("Split", packed, pieces.graph.integers(*widths.values()), outputs=3, axis=-1)
        q, k, v = (
            heads_of(pieces, each, count, size) for each, count in zip(split, (heads, groups, groups), strict=True)
        )
        q = rotated(pieces, self._norm(q, f"{path}q_norm", size, decoder.scale), turn)
        k = rotated(pieces, self._norm(k, f"{path}k_norm", size), turn)
        k, v = (repeated(pieces, each, groups, heads, size) for each in (k, v))
        mixed = attend(pieces, q, k, v, bias, heads * size)
        return pieces.linear(mixed, f"{path}o_proj", heads * size, decoder.hidden, bias=decoder.biased)

    def _feed_forward(self, x: str, path: str) -> str:
        pieces, decoder = self.pieces, self.decoder
        gate, up = (
            pieces.map(path + name, decoder.hidden, decoder.wide, bias=False) for name in ("gate_proj", "up_proj")
        )
        wide = pieces.gated(x, f"{path}gate_up", gate, up, decoder.activation)
        return pieces.linear(wide, f"{path}down_proj", decoder.wide, decoder.hidden, bias=False)

    def _added(self, x: str, more: str, norm: str | None) -> str:
        return self.pieces.graph.apply("Add", x, more if norm is None else self._norm(more, norm))

    def _norm(self, x: str, name: str, width: int | None = None, scale: float = 1) -> str:
        decoder = self.decoder
        return self.pieces.rms_norm(
            x, name, width or decoder.hidden, decoder.epsilon, shift=decoder.kind.shift, scale=scale
        )
