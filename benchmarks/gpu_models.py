"""The models of the GPU checks: folders that are given, or models of random weights made on the spot."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st_export.original.texts import ALL, ranked_pairs
from edge_st_runtime.model.classes import CROSS_ENCODER, SENTENCE_TRANSFORMER, SPARSE_ENCODER

#: by the class of model: the task of its export
TASKS = {
    SENTENCE_TRANSFORMER: "sentence-embedding",
    CROSS_ENCODER: "cross-encoder",
    SPARSE_ENCODER: "sparse-encoder",
}
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_WORDS = 2000


@dataclass(frozen=True)
class Size:
    """The size of a random BERT, and how far its weights spread: texts are to give different scores."""

    hidden: int
    layers: int
    heads: int
    spread: float


SMALL, BASE = Size(32, 2, 4, 0.4), Size(768, 12, 12, 0.05)


def random_model(kind: str, folder: Path, size: Size) -> Path:
    """A BERT of random weights for the class ``kind``, with a tokenizer trained on the comparison texts."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

    tokenizer = _tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.hidden,
        max_position_embeddings=512,
        initializer_range=size.spread,
        num_labels=1,
    )
    torch.manual_seed(7)
    makers = {
        SENTENCE_TRANSFORMER: BertModel,
        CROSS_ENCODER: BertForSequenceClassification,
        SPARSE_ENCODER: BertForMaskedLM,
    }
    makers[kind](config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = [*ALL, *(text for pair in ranked_pairs() for text in pair)]
    made.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=_WORDS, special_tokens=_SPECIAL))
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=512,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True)),
    )
