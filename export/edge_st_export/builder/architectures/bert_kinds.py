"""How the weights and settings of BERT and its like are called."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..heads import Classifier
from ..words import WordHead


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
    projected. ``token_types`` is the default of type_vocab_size, None where there are none; with several, tokenizers
    give them unless they say otherwise. ``counted_from_padding`` says whether positions begin after the id of the
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
    token_types: int | None = None
    counted_from_padding: bool = False
    relative: str | None = None
    activation: str = "gelu"
    words: WordHead | None = None


_LM_HEAD = WordHead(
    "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder.weight", ("lm_head.decoder.bias", "lm_head.bias"), "gelu"
)
_ROBERTA = Kind(
    "roberta.",
    Classifier("classifier.dense", "classifier.out_proj"),
    token_types=1,
    counted_from_padding=True,
    words=_LM_HEAD,
)
#: by model_type in config.json
KINDS: Mapping[str, Kind] = {
    "bert": Kind(
        "bert.",
        Classifier("pooler.dense", "classifier"),
        token_types=2,
        words=WordHead(
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
            "cls.predictions.decoder.weight",
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
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
        token_types=2,
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
        token_types=2,
        activation="gelu_new",
        words=WordHead(
            "predictions.dense",
            "predictions.LayerNorm",
            "predictions.decoder.weight",
            ("predictions.decoder.bias", "predictions.bias"),
        ),
    ),
}
