"""The encoder of T5 and mT5: relative positions in buckets, division by the root mean square, no biases."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..activations import ACTIVATIONS
from ..attention import attend, distances, heads_of, mask_bias, projections
from ..pieces import Pieces
from ..ports import IDS, MASK, Output, hidden_states
from ..relative_positions import bias_by_distance
from ..settings import Settings

_SHARED, _OWN = "shared.weight", "encoder.embed_tokens.weight"
#: the default of feed_forward_proj, by model_type in config.json
KINDS: Mapping[str, str] = {"t5": "relu", "mt5": "gated-gelu"}


@dataclass(frozen=True)
class T5:
    """An encoder: ``hidden`` is the width of its layers, ``wide`` that of the feed-forward layer, ``size`` of a head.

    ``activation`` is that of the feed-forward layer, whose result is multiplied by another map where it is ``gated``.
    Distances between tokens fall into ``buckets``, those of at least ``farthest`` into the last one of each side.
    """

    layers: int
    hidden: int
    wide: int
    heads: int
    size: int
    activation: str
    gated: bool
    epsilon: float
    buckets: int
    farthest: int

    @property
    def prefix(self) -> str:
        """What models with a head put before the names of the weights."""
        return "transformer."

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the graph's inputs."""
        return IDS, MASK

    def write(self, pieces: Pieces) -> Output:
        """Write all nodes."""
        return _Writer(pieces, self).write()


def read_t5(settings: Settings) -> T5:
    """Read the architecture; raises UnsupportedModelError for a setting that is not supported."""
    said = str(settings.get("feed_forward_proj", KINDS[settings.values["model_type"]]))
    activation = said.removeprefix("gated-")
    if activation not in ACTIVATIONS:
        raise settings.refusal(
            f"feed_forward_proj is {said!r}", f"{', '.join(ACTIVATIONS)}, or gated- and one of these"
        )
    return T5(
        settings.integer("num_layers"),
        settings.integer("d_model"),
        settings.integer("d_ff"),
        settings.integer("num_heads"),
        settings.integer("d_kv"),
        "gelu_new" if said == "gated-gelu" else activation,
        said.startswith("gated-"),
        settings.number("layer_norm_epsilon", 1e-6),
        settings.integer("relative_attention_num_buckets", 32),
        settings.integer("relative_attention_max_distance", 128),
    )


@dataclass(frozen=True, eq=False)
class _Writer:
    pieces: Pieces
    t5: T5

    def write(self) -> Output:
        t5 = self.t5
        x = self.pieces.embedding(self.pieces.checkpoint.first_of(_SHARED, _OWN), IDS, t5.hidden)
        bias = self.pieces.graph.apply("Add", mask_bias(self.pieces), self._relative_bias())
        for number in range(t5.layers):
            x = self._layer(x, bias, f"encoder.block.{number}.layer.")
        return hidden_states(self._norm(x, "encoder.final_layer_norm"), t5.hidden)

    def _relative_bias(self) -> str:
        """The learned bias of every distance between tokens, (heads, tokens, tokens)."""
        graph, t5 = self.pieces.graph, self.t5
        name = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        learned = self.pieces.checkpoint.get(name, (t5.buckets, t5.heads))
        table = bias_by_distance(learned, t5.farthest + 1, t5.farthest)
        places = graph.apply("Add", distances(self.pieces), graph.scalar(t5.farthest))
        near = graph.apply("Clip", places, graph.scalar(0), graph.scalar(2 * t5.farthest))
        return graph.apply("Gather", graph.weight(name, table), near, axis=1)

    def _layer(self, x: str, bias: str, path: str) -> str:
        graph = self.pieces.graph
        attended = self._attention(self._norm(x, f"{path}0.layer_norm"), bias, f"{path}0.SelfAttention.")
        x = graph.apply("Add", x, attended)
        fed = self._feed_forward(self._norm(x, f"{path}1.layer_norm"), f"{path}1.DenseReluDense.")
        return graph.apply("Add", x, fed)

    def _attention(self, x: str, bias: str, path: str) -> str:
        pieces, t5 = self.pieces, self.t5
        width = t5.heads * t5.size
        maps = [pieces.map(path + name, t5.hidden, width, bias=False) for name in "qkv"]
        q, k, v = (heads_of(pieces, each, t5.heads, t5.size) for each in projections(pieces, x, x, path, maps))
        return pieces.linear(attend(pieces, q, k, v, bias, width), f"{path}o", width, t5.hidden, bias=False)

    def _feed_forward(self, x: str, path: str) -> str:
        pieces, t5 = self.pieces, self.t5
        if t5.gated:
            gate, other = (pieces.map(path + name, t5.hidden, t5.wide, bias=False) for name in ("wi_0", "wi_1"))
            wide = pieces.gated(x, f"{path}wi", gate, other, t5.activation)
        else:
            wide = pieces.activated(pieces.linear(x, f"{path}wi", t5.hidden, t5.wide, bias=False), t5.activation)
        return pieces.linear(wide, f"{path}wo", t5.wide, t5.hidden, bias=False)

    def _norm(self, x: str, name: str) -> str:
        return self.pieces.rms_norm(x, name, self.t5.hidden, self.t5.epsilon)
