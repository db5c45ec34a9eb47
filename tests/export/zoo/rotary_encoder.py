"""A model that brings its own code: transformers copies this file into the folder that it saves.

An encoder of the kind of NomicBERT and GTE: one projection for queries, keys and values, rotary positions, a gated
feed-forward layer, layer norms after each.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class RotaryConfig(PretrainedConfig):  # type: ignore[misc]
    model_type = "rotary-encoder"

    def __init__(
        self,
        vocab_size: int = 410,
        hidden_size: int = 32,
        num_hidden_layers: int = 2,
        num_attention_heads: int = 4,
        intermediate_size: int = 48,
        max_position_embeddings: int = 8192,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.max_position_embeddings = max_position_embeddings


class Rotations(nn.Module):
    """Cosines and sines of the positions, kept for the longest text so far, as NomicBERT keeps them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.kept = 0
        self.cos = self.sin = torch.empty(0)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        length = states.shape[1]
        if length > self.kept:
            rates = 10000.0 ** (-torch.arange(0, self.size, 2, device=states.device) / self.size)
            angles = torch.arange(length, device=states.device)[:, None] * torch.cat([rates, rates])
            self.kept, self.cos, self.sin = length, angles.cos(), angles.sin()
        return self.cos[:length], self.sin[:length]


class RotaryLayer(nn.Module):
    def __init__(self, config: RotaryConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(hidden, 3 * hidden, bias=False)
        self.out = nn.Linear(hidden, hidden, bias=False)
        self.up_gate = nn.Linear(hidden, 2 * config.intermediate_size, bias=False)
        self.down = nn.Linear(config.intermediate_size, hidden, bias=False)
        self.norms = nn.ModuleList([nn.LayerNorm(hidden), nn.LayerNorm(hidden)])

    def forward(self, states: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, hidden = states.shape
        q, k, v = self.qkv(states).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, mask)
        states = self.norms[0](states + self.out(attended.transpose(1, 2).reshape(batch, length, hidden)))
        up, gate = self.up_gate(states).chunk(2, dim=-1)
        return self.norms[1](states + self.down(up * nn.functional.silu(gate)))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class RotaryModel(PreTrainedModel):  # type: ignore[misc]
    config_class = RotaryConfig
    base_model_prefix = "encoder"

    def __init__(self, config: RotaryConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.token_types = nn.Embedding(2, config.hidden_size)
        self.rotations = Rotations(config.hidden_size // config.num_attention_heads)
        self.layers = nn.ModuleList([RotaryLayer(config) for _ in range(config.num_hidden_layers)])
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **_options: Any,
    ) -> BaseModelOutput:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        states = self.embeddings(input_ids) + self.token_types(types)
        cos, sin = self.rotations(states)
        for layer in self.layers:
            states = layer(states, mask[:, None, None, :].bool(), cos, sin)
        return BaseModelOutput(last_hidden_state=states)


RotaryConfig.register_for_auto_class()
RotaryModel.register_for_auto_class("AutoModel")
