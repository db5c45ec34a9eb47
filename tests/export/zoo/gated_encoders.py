"""Models that bring their own code, as NomicBERT and GTE do: transformers copies this file into the folder it saves.

Settings and names of weights are those of nomic-ai/nomic-bert-2048 and Alibaba-NLP/new-impl.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

NOMIC_GATES = {"swiglu": functional.silu, "geglu": functional.gelu, "glu": torch.sigmoid}
NEW_GATES = {"gelu": functional.gelu, "silu": functional.silu}


class NomicConfig(PretrainedConfig):  # type: ignore[misc]
    model_type = "nomic_bert"

    def __init__(self, **said: Any) -> None:
        for name, value in {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_inner": 300, "n_positions": 8192}.items():
            setattr(self, name, said.pop(name, value))
        self.vocab_size, self.type_vocab_size = said.pop("vocab_size", 410), said.pop("type_vocab_size", 2)
        self.activation_function = said.pop("activation_function", "swiglu")
        self.rotary_emb_base, self.rotary_emb_fraction = said.pop("rotary_emb_base", 1000), 1.0
        self.layer_norm_epsilon = said.pop("layer_norm_epsilon", 1e-12)
        for name in ("qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias"):
            setattr(self, name, said.pop(name, False))
        super().__init__(**{"pad_token_id": 0, **said})
        self.hidden_size = self.n_embd


class NewConfig(PretrainedConfig):  # type: ignore[misc]
    model_type = "new"

    def __init__(self, **said: Any) -> None:
        sizes = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 48}
        others = {"vocab_size": 410, "type_vocab_size": 0, "max_position_embeddings": 4096, "rope_theta": 20000.0}
        rest = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "pack_qkv": True, "rope_scaling": None}
        for name, value in {**sizes, **others, **rest}.items():
            setattr(self, name, said.pop(name, value))
        super().__init__(**{"pad_token_id": 0, **said})


def turned(x: Tensor, rates: Tensor) -> Tensor:
    """Rotate (batch, tokens, heads, size) by place."""
    angles = torch.arange(x.shape[1], dtype=torch.float32)[:, None, None] * torch.cat([rates, rates])
    left, right = x.chunk(2, dim=-1)
    return x * angles.cos().to(x.dtype) + torch.cat([-right, left], dim=-1) * angles.sin().to(x.dtype)


def rates_of(base: float, size: int) -> Tensor:
    return 1.0 / base ** (torch.arange(0, size, 2).float() / size)


def attended(parts: list[Tensor], mask: Tensor, heads: int, rates: Tensor) -> Tensor:
    batch, tokens, width = parts[0].shape
    q, k, v = (part.view(batch, tokens, heads, width // heads) for part in parts)
    q, k, v = (each.transpose(1, 2) for each in (turned(q, rates), turned(k, rates), v))
    scores = (q @ k.transpose(2, 3) / math.sqrt(width // heads)).masked_fill(mask[:, None, None, :] == 0, -1e30)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width)


class NomicAttention(nn.Module):
    def __init__(self, config: NomicConfig) -> None:
        super().__init__()
        width, bias = config.n_embd, config.qkv_proj_bias
        self.heads, self.base = config.n_head, config.rotary_emb_base
        self.Wqkv, self.out_proj = nn.Linear(width, 3 * width, bias), nn.Linear(width, width, bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        parts = list(self.Wqkv(x).chunk(3, dim=-1))
        return self.out_proj(attended(parts, mask, self.heads, rates_of(self.base, x.shape[-1] // self.heads)))


class NomicFeedForward(nn.Module):
    def __init__(self, config: NomicConfig) -> None:
        super().__init__()
        width, wide, biases = config.n_embd, config.n_inner, (config.mlp_fc1_bias, config.mlp_fc2_bias)
        self.gate = NOMIC_GATES.get(config.activation_function)
        if self.gate is None:
            self.fc1 = nn.Linear(width, wide, biases[0])
        else:
            wide = -(-wide // 256) * 256
            self.fc11, self.fc12 = nn.Linear(width, wide, biases[0]), nn.Linear(width, wide, biases[0])
        self.fc2 = nn.Linear(wide, width, biases[1])

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.gelu(self.fc1(x)) if self.gate is None else self.fc11(x) * self.gate(self.fc12(x))
        return self.fc2(wide)


class NomicLayer(nn.Module):
    def __init__(self, config: NomicConfig) -> None:
        super().__init__()
        self.attn, self.mlp = NomicAttention(config), NomicFeedForward(config)
        self.norm1, self.norm2 = (nn.LayerNorm(config.n_embd, config.layer_norm_epsilon) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(self.attn(x, mask) + x)
        return self.norm2(self.mlp(x) + x)


class NewAttention(nn.Module):
    def __init__(self, config: NewConfig) -> None:
        super().__init__()
        width, self.heads = config.hidden_size, config.num_attention_heads
        self.base, self.factor = config.rope_theta, (config.rope_scaling or {}).get("factor", 1)
        self.packed = config.pack_qkv
        if self.packed:
            self.qkv_proj = nn.Linear(width, 3 * width)
        else:
            self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.o_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        names = ("qkv_proj",) if self.packed else ("q_proj", "k_proj", "v_proj")
        parts = [part for name in names for part in getattr(self, name)(x).chunk(3 // len(names), dim=-1)]
        size = x.shape[-1] // self.heads
        rates = rates_of(self.base * self.factor, size) / self.factor ** (2 / size)
        return self.o_proj(attended(parts, mask, self.heads, rates))


class NewFeedForward(nn.Module):
    def __init__(self, config: NewConfig) -> None:
        super().__init__()
        self.up_gate_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)
        self.gate = NEW_GATES[config.hidden_act]

    def forward(self, x: Tensor) -> Tensor:
        up, gate = self.up_gate_proj(x).chunk(2, dim=-1)
        return self.down_proj(self.gate(gate) * up)


class NewLayer(nn.Module):
    def __init__(self, config: NewConfig) -> None:
        super().__init__()
        self.attention, self.mlp = NewAttention(config), NewFeedForward(config)
        self.attn_ln, self.mlp_ln = (nn.LayerNorm(config.hidden_size, config.layer_norm_eps) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attn_ln(x + self.attention(x, mask))
        return self.mlp_ln(x + self.mlp(x))


class Embeddings(nn.Module):
    def __init__(self, config: PretrainedConfig, width: int, norm: nn.Module | None) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        if config.type_vocab_size:
            self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.types = config.type_vocab_size
        if norm is not None:
            self.LayerNorm = norm

    def forward(self, ids: Tensor, types: Tensor | None) -> Tensor:
        x = self.word_embeddings(ids)
        if self.types:
            x = x + self.token_type_embeddings(torch.zeros_like(ids) if types is None else types)
        return self.LayerNorm(x) if hasattr(self, "LayerNorm") else x


class Pooler(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x[:, 0]).tanh()


class NomicModel(PreTrainedModel):  # type: ignore[misc]
    config_class = NomicConfig
    base_model_prefix = "model"

    def __init__(self, config: NomicConfig) -> None:
        super().__init__(config)
        self.embeddings = Embeddings(config, config.n_embd, None)
        self.emb_ln = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([NomicLayer(config) for _ in range(config.n_layer)])
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **_options: Any
    ) -> BaseModelOutput:
        x = self.emb_ln(self.embeddings(input_ids, token_type_ids))
        for layer in self.encoder.layers:
            x = layer(x, attention_mask)
        return BaseModelOutput(last_hidden_state=x)


class NewModel(PreTrainedModel):  # type: ignore[misc]
    config_class = NewConfig
    base_model_prefix = "new"

    def __init__(self, config: NewConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.embeddings = Embeddings(config, width, nn.LayerNorm(width, config.layer_norm_eps))
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList([NewLayer(config) for _ in range(config.num_hidden_layers)])
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **_options: Any
    ) -> BaseModelOutput:
        x = self.embeddings(input_ids, token_type_ids)
        for layer in self.encoder.layer:
            x = layer(x, attention_mask)
        return BaseModelOutput(last_hidden_state=x)


class NomicForSequenceClassification(PreTrainedModel):  # type: ignore[misc]
    config_class = NomicConfig
    base_model_prefix = "bert"

    def __init__(self, config: NomicConfig) -> None:
        super().__init__(config)
        self.bert = NomicModel(config)
        self.bert.pooler = Pooler(config.n_embd)
        self.classifier = nn.Linear(config.n_embd, config.num_labels)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **_options: Any
    ) -> SequenceClassifierOutput:
        found = self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state
        return SequenceClassifierOutput(logits=self.classifier(self.bert.pooler(found)))


class NewForSequenceClassification(PreTrainedModel):  # type: ignore[misc]
    config_class = NewConfig
    base_model_prefix = "new"

    def __init__(self, config: NewConfig) -> None:
        super().__init__(config)
        self.new = NewModel(config)
        self.new.pooler = Pooler(config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None, **_options: Any
    ) -> SequenceClassifierOutput:
        found = self.new(input_ids, attention_mask, token_type_ids).last_hidden_state
        return SequenceClassifierOutput(logits=self.classifier(self.new.pooler(found)))


for config_class in (NomicConfig, NewConfig):
    config_class.register_for_auto_class()
for model_class in (NomicModel, NewModel):
    model_class.register_for_auto_class("AutoModel")
for head_class in (NomicForSequenceClassification, NewForSequenceClassification):
    head_class.register_for_auto_class("AutoModelForSequenceClassification")
