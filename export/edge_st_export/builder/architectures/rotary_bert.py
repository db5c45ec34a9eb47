"""NomicBERT and GTE: BERT with rotary positions and gated feed-forward layers.

Their first releases bring code of their own (nomic-ai/nomic-bert-2048 and Alibaba-NLP/new-impl on the Hub), newer ones
are written for transformers 5. The weights have the same names in both; the settings do not. Sources: Nussbaum et al.
(arXiv 2402.01613), Zhang et al. (arXiv 2407.19669), their code, transformers' NomicBertModel and GteModel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge_st_runtime.arrays import Floats

from ..attention import mask_bias
from ..heads import Classifier, classified
from ..pieces import Map, Pieces
from ..ports import IDS, MASK, TYPES, Output, hidden_states
from ..rotary import Rotation, attend_rotated, frequencies, read_frequencies, rotation
from ..settings import Settings


@dataclass(frozen=True)
class Names:
    """The names of the weights. Those of a layer follow ``path``, which has its number.

    ``projections`` are one or three maps to queries, keys and values; ``widened`` are one or two maps to what is gated
    and to its gate.
    """

    embedded_norm: str
    path: str
    projections: tuple[str, ...]
    attended: str
    attended_norm: str
    widened: tuple[str, ...]
    narrowed: str
    norm: str


_NOMIC = Names(
    "emb_ln",
    "encoder.layers.{}.",
    ("attn.Wqkv",),
    "attn.out_proj",
    "norm1",
    ("mlp.fc11", "mlp.fc12"),
    "mlp.fc2",
    "norm2",
)
_GTE = Names(
    "embeddings.LayerNorm",
    "encoder.layer.{}.",
    ("attention.qkv_proj",),
    "attention.o_proj",
    "attn_ln",
    ("mlp.up_gate_proj",),
    "mlp.down_proj",
    "mlp_ln",
)


@dataclass(frozen=True)
class RotaryBert:
    """An encoder of ``layers`` whose places turn by the frequencies ``turns``; ``longest`` is the number of places.

    ``gated`` says whether the feed-forward layer has a gate; ``types`` is the number of token types. ``biases`` has the
    names of the maps, as in ``names``, that have a bias.
    """

    prefix: str
    names: Names
    layers: int
    hidden: int
    wide: int
    heads: int
    turns: Floats
    longest: int
    activation: str
    gated: bool
    epsilon: float
    types: int
    biases: frozenset[str]
    classifies: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the graph's inputs."""
        return (IDS, MASK, TYPES) if self.types > 1 else (IDS, MASK)

    def write(self, pieces: Pieces) -> Output:
        """Write all nodes; for a classifier only as much of the last layer as the first token needs."""
        return _Writer(pieces, self).write()


def read_nomic(settings: Settings) -> RotaryBert:
    """Read a NomicBERT; raises UnsupportedModelError for a setting that is not supported."""
    return _read_own_nomic(settings) if "n_embd" in settings.values else _read_nomic(settings)


def _read_nomic(settings: Settings) -> RotaryBert:
    """That of transformers 5."""
    return _read(settings, "nomic_bert.", _NOMIC, 1000.0, frozenset())


#: settings of NomicBERT's own code → what is supported
_OWN_NOMIC: Mapping[str, tuple[Any, ...]] = {
    "prenorm": (False,),
    "causal": (False,),
    "parallel_block": (False,),
    "use_rms_norm": (False,),
    "num_heads_kv": (None,),
    "moe_every_n_layers": (0, None),
    "rotary_emb_fraction": (1,),
    "rotary_emb_interleaved": (False,),
    "rotary_emb_scale_base": (None,),
    "rotary_scaling_factor": (None,),
}
_NOMIC_ACTIVATIONS = {"swiglu": "silu", "geglu": "gelu", "glu": "sigmoid", "gelu": "gelu"}
_MULTIPLE = 256  # the width of its gated feed-forward layers is rounded up to one


def _read_own_nomic(settings: Settings) -> RotaryBert:
    """That of nomic-ai/nomic-bert-2048."""
    for key, supported in _OWN_NOMIC.items():
        settings.choice(key, supported, supported[0])
    kind = settings.choice("activation_function", _NOMIC_ACTIVATIONS, "gelu")
    gated = kind != "gelu"
    hidden, heads = settings.integer("n_embd"), settings.integer("n_head")
    wide = settings.integer("n_inner", int(8 * hidden / 3) if gated else 4 * hidden)
    names = _NOMIC if gated else replace(_NOMIC, widened=("mlp.fc1",))
    maps = {
        "qkv_proj_bias": (*names.projections, names.attended),
        "mlp_fc1_bias": names.widened,
        "mlp_fc2_bias": (names.narrowed,),
    }
    return RotaryBert(
        "bert.",
        names,
        settings.integer("n_layer"),
        hidden,
        -(-wide // _MULTIPLE) * _MULTIPLE if gated else wide,
        heads,
        frequencies(settings.number("rotary_emb_base", 10_000.0), settings.head_size(hidden, heads)),
        settings.longest_text("n_positions", 2048),
        _NOMIC_ACTIVATIONS[kind],
        gated,
        settings.number("layer_norm_epsilon", 1e-5),
        settings.token_types(2),
        frozenset(name for key, named in maps.items() if settings.flag(key, default=True) for name in named),
        settings.classifies,
    )


def read_new(settings: Settings) -> RotaryBert:
    """Read a GTE of Alibaba-NLP/new-impl; raises UnsupportedModelError for a setting that is not supported."""
    return _read_gte(settings, "new.", 10_000.0)


def read_gte(settings: Settings) -> RotaryBert:
    """Read a GTE of transformers 5, or of Snowflake's code; raises UnsupportedModelError as `read_new` does."""
    return _read_gte(settings, "gte.", 160_000.0)


def _read_gte(settings: Settings, prefix: str, base: float) -> RotaryBert:
    settings.choice("position_embedding_type", ("rope",), "rope")
    settings.choice("layer_norm_type", ("layer_norm",), "layer_norm")
    settings.choice("logn_attention_scale", (False,), default=False)
    apart = tuple(f"attention.{each}_proj" for each in "qkv")
    names = _GTE if settings.flag("pack_qkv", default=True) else replace(_GTE, projections=apart)
    return _read(settings, prefix, names, base, frozenset((*names.projections, names.attended, names.narrowed)))


def _read(settings: Settings, prefix: str, names: Names, base: float, biases: frozenset[str]) -> RotaryBert:
    hidden, heads = settings.integer("hidden_size"), settings.integer("num_attention_heads")
    return RotaryBert(
        prefix,
        names,
        settings.integer("num_hidden_layers"),
        hidden,
        settings.integer("intermediate_size"),
        heads,
        read_frequencies(settings, settings.head_size(hidden, heads), base),
        settings.longest_text("max_position_embeddings", 2048),
        settings.activation("hidden_act"),
        True,
        settings.number("layer_norm_eps", 1e-12),
        settings.token_types(0),
        biases,
        settings.classifies,
    )


@dataclass(frozen=True, eq=False)
class _Writer:
    pieces: Pieces
    model: RotaryBert

    def write(self) -> Output:
        pieces, model = self.pieces, self.model
        x, bias = self._embeddings(), mask_bias(pieces)
        turn = rotation(pieces, model.turns, model.longest)
        for number in range(model.layers):
            first_token = model.classifies and number == model.layers - 1
            x = self._layer(x, bias, turn, model.names.path.format(number), first_token=first_token)
        if model.classifies:
            return classified(pieces, x, Classifier("pooler.dense", "classifier"), model.hidden)
        return hidden_states(x, model.hidden)

    def _embeddings(self) -> str:
        pieces, model = self.pieces, self.model
        x = pieces.embedding("embeddings.word_embeddings.weight", IDS, model.hidden)
        if model.types:
            types = TYPES if model.types > 1 else pieces.graph.integers(0)
            types = pieces.embedding("embeddings.token_type_embeddings.weight", types, model.hidden)
            x = pieces.graph.apply("Add", x, types)
        return self._norm(x, model.names.embedded_norm)

    def _layer(self, x: str, bias: str, turn: Rotation, path: str, *, first_token: bool) -> str:
        pieces, model, names = self.pieces, self.model, self.model.names
        queries = pieces.first(x, 1) if first_token else x
        maps = self._maps(path, names.projections, model.hidden, 3)
        attended = attend_rotated(pieces, x, queries, path, maps, model.heads, turn, bias)
        attended = self._linear(attended, path, names.attended, model.hidden)
        x = self._norm(pieces.graph.apply("Add", attended, queries), path + names.attended_norm)
        narrow = self._linear(self._widened(x, path), path, names.narrowed, model.wide)
        return self._norm(pieces.graph.apply("Add", narrow, x), path + names.norm)

    def _widened(self, x: str, path: str) -> str:
        pieces, model = self.pieces, self.model
        maps, name = self._maps(path, model.names.widened, model.wide, 1 + model.gated), f"{path}widened"
        if not model.gated:
            return pieces.activated(pieces.mapped(x, name, maps), model.activation)
        other, gate = maps
        return pieces.gated(x, name, gate, other, model.activation)

    def _maps(self, path: str, names: tuple[str, ...], outputs: int, count: int) -> list[Map]:
        """The ``count`` maps to ``outputs`` that are stored under ``names``, several may share a name."""
        each, model = count // len(names), self.model
        stored = (
            self.pieces.maps(path + name, model.hidden, outputs, each, bias=name in model.biases) for name in names
        )
        return [map_ for maps in stored for map_ in maps]

    def _linear(self, x: str, path: str, name: str, inputs: int) -> str:
        return self.pieces.linear(x, path + name, inputs, self.model.hidden, bias=name in self.model.biases)

    def _norm(self, x: str, name: str) -> str:
        return self.pieces.layer_norm(x, name, self.model.hidden, self.model.epsilon)
