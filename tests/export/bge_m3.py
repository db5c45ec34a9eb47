"""A small random model of BGE-M3's kind, saved with the files that BAAI/bge-m3 has."""

from pathlib import Path

import torch
from sentence_transformers.sentence_transformer.modules import Normalize
from transformers import XLMRobertaConfig

from tests.export.originals import save_original
from tests.export.zoo.building import ROBERTA_SIZES, XLM, XLM_TOKENS, but

#: tokens that the small model reads
POSITIONS = 160


def save_bge_m3(folder: Path, *, hidden: int = 32, colbert: int | None = None, limit: int = POSITIONS) -> Path:
    """The original's folder below ``folder``; ``colbert`` is the width of the token vectors, that of the model else."""
    config = XLMRobertaConfig(**but(ROBERTA_SIZES, hidden_size=hidden, max_position_embeddings=POSITIONS + 2))
    options = but(XLM, config=config, tokens=but(XLM_TOKENS, mask_token="<mask>"))
    original = save_original(folder, Normalize(), pooling="cls", limit=limit, spread=0.2, **options)
    torch.manual_seed(9)
    save_head(original / "sparse_linear.pt", hidden, 1)
    save_head(original / "colbert_linear.pt", hidden, hidden if colbert is None else colbert)
    return original


def save_head(path: Path, width: int, outputs: int) -> Path:
    """A random linear layer, as FlagEmbedding saves its weights."""
    layer = torch.nn.Linear(width, outputs)
    torch.nn.init.normal_(layer.weight, std=width**-0.5)
    torch.save(layer.state_dict(), path)
    return path
