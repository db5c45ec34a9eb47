"""The families of BERT-like encoders: the names of their settings and weights in transformers."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Keys of config.json; ``epsilon`` is None where the value is always 1e-12."""

    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    activation: str = "hidden_act"
    epsilon: str | None = "layer_norm_eps"


@dataclass(frozen=True)
class LayerNames:
    """The names of a layer's linear maps and normalizations, which follow ``path`` with the layer's number."""

    path: str = "encoder.layer.{}."
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    attended: str = "attention.output.dense"
    attended_norm: str = "attention.output.LayerNorm"
    widened: str = "intermediate.dense"
    narrowed: str = "output.dense"
    norm: str = "output.LayerNorm"

    def of(self, number: int) -> "LayerNames":
        """The full names for the layer of this number."""
        path = self.path.format(number)
        names = {field: path + name for field, name in vars(self).items() if field != "path"}
        return LayerNames(path=path, **names)


@dataclass(frozen=True)
class Classifier:
    """The classification head, which computes logits from the first token: dense, activation, projection."""

    dense: str = "classifier.dense"
    activation: str = "tanh"
    projection: str = "classifier.out_proj"


@dataclass(frozen=True)
class Family:
    """An architecture of encoders.

    ``prefix`` stands before the encoder's weights in models with a head. ``token_types`` says whether the graph takes
    token_type_ids; that of a RoBERTa with several types does where its tokenizer gives them. ``counted_from_padding``
    says whether positions begin after the id of the padding token and do not count padding. ``relative`` names the
    weights, if any, that are added to the attention by distance.
    """

    prefix: str
    classifier: Classifier
    layer: LayerNames = LayerNames()
    settings: Settings = Settings()
    token_types: bool = False
    counted_from_padding: bool = False
    relative: str | None = None

    @property
    def first_type(self) -> bool:
        """Whether every token gets the embedding of the first token type."""
        return self.counted_from_padding and self.relative is None and not self.token_types


_ROBERTA = Family("roberta.", Classifier(), counted_from_padding=True)
#: by model_type in config.json
FAMILIES: Mapping[str, Family] = {
    "bert": Family("bert.", Classifier(dense="pooler.dense", projection="classifier"), token_types=True),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Family(
        "distilbert.",
        Classifier(dense="pre_classifier", activation="relu", projection="classifier"),
        LayerNames(
            path="transformer.layer.{}.",
            query="attention.q_lin",
            key="attention.k_lin",
            value="attention.v_lin",
            attended="attention.out_lin",
            attended_norm="sa_layer_norm",
            widened="ffn.lin1",
            narrowed="ffn.lin2",
            norm="output_layer_norm",
        ),
        Settings(layers="n_layers", heads="n_heads", activation="activation", epsilon=None),
    ),
    "mpnet": Family(
        "mpnet.",
        Classifier(),
        LayerNames(
            query="attention.attn.q",
            key="attention.attn.k",
            value="attention.attn.v",
            attended="attention.attn.o",
            attended_norm="attention.LayerNorm",
        ),
        counted_from_padding=True,
        relative="encoder.relative_attention_bias.weight",
    ),
    "electra": Family("electra.", Classifier(activation="gelu"), token_types=True),
}
