"""The zoo's tokenizers and limits."""

from collections.abc import Mapping

from tokenizers import AddedToken, Tokenizer, normalizers, processors
from transformers import RobertaConfig

from tests.export.originals import BERT_TOKENS
from tests.export.zoo.building import (
    ROBERTA,
    ROBERTA_SIZES,
    TRANSFORMER_FILE,
    XLM,
    Case,
    but,
    edit,
    pad_and_cut,
    saved,
    slow_tokenizer,
    write_sentencepiece,
    write_vocab_json,
    write_vocab_txt,
)
from tests.support.tiny_tokenizers import byte_bpe, wordpiece

ALL_INPUTS = ["input_ids", "token_type_ids", "attention_mask"]


def cased() -> Tokenizer:
    """A tokenizer that leaves capitals as they are, and so knows none of them."""
    tokenizer = wordpiece()
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    return tokenizer


def with_added_tokens() -> Tokenizer:
    tokenizer = wordpiece()
    tokenizer.add_tokens(["guitar", AddedToken("report", single_word=True), AddedToken(" the ", normalized=True)])
    tokenizer.add_special_tokens([AddedToken("@", special=True)])
    return tokenizer


def with_template() -> Tokenizer:
    tokenizer = wordpiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] [MASK] $A [SEP] [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3), ("[MASK]", 4)]
    )
    return tokenizer


def with_types() -> Tokenizer:
    """As RoBERTa's, but the text is of the second token type."""
    tokenizer = byte_bpe()
    tokenizer.post_processor = processors.TemplateProcessing(
        "<s> $A:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


TOKENIZERS: Mapping[str, Case] = {
    "vocab-txt": Case("BERT, vocab.txt", "mean", saved(slow_tokenizer("BertTokenizer", write_vocab_txt))),
    "vocab-json": Case(
        "RoBERTa, vocab.json and merges.txt",
        "mean",
        saved(slow_tokenizer("RobertaTokenizer", write_vocab_json), **ROBERTA),
    ),
    "sentencepiece": Case(
        "XLM-RoBERTa, sentencepiece.bpe.model",
        "mean",
        saved(slow_tokenizer("XLMRobertaTokenizer", write_sentencepiece), **XLM),
    ),
    "padding-and-truncation": Case("BERT, a tokenizer.json that pads and truncates", "mean", saved(pad_and_cut)),
    "lower-case": Case(
        "BERT, do_lower_case for a cased tokenizer",
        "mean",
        saved(edit(TRANSFORMER_FILE, do_lower_case=True), tokenizer=cased),
    ),
    "tokenizer-lower-case": Case(
        "BERT, do_lower_case of BertTokenizer against tokenizer.json",
        "mean",
        saved(edit("tokenizer_config.json", tokenizer_class="BertTokenizer", do_lower_case=False)),
    ),
    "added-tokens": Case("BERT, added tokens", "mean", saved(tokenizer=with_added_tokens)),
    "template": Case("BERT, special tokens of its own", "mean", saved(tokenizer=with_template)),
    "truncation-left": Case(
        "BERT, truncated on the left", "mean", saved(tokens=BERT_TOKENS | {"truncation_side": "left"})
    ),
    "tokenizer-args": Case(
        "BERT, the limit in tokenizer_args",
        "mean",
        saved(edit(TRANSFORMER_FILE, tokenizer_args={"model_max_length": 20}), limit=None),
    ),
    "processor-kwargs": Case(
        "BERT, the limit in processor_kwargs",
        "mean",
        saved(edit(TRANSFORMER_FILE, processor_kwargs={"model_max_length": 20}), limit=None),
    ),
    "tokenizer-limit": Case(
        "BERT, the limit in tokenizer_config.json",
        "mean",
        saved(tokens=BERT_TOKENS | {"model_max_length": 20}, limit=None),
    ),
    "position-limit": Case("BERT, limited by its positions", "mean", saved(limit=None)),
    "roberta-types": Case(
        "RoBERTa with token types",
        "mean",
        saved(**but(ROBERTA, tokenizer=with_types, tokens={**ROBERTA["tokens"], "model_input_names": ALL_INPUTS})),
    ),
    "roberta-514": Case(
        "RoBERTa with 514 positions and max_seq_length 514",
        "mean",
        saved(
            edit(TRANSFORMER_FILE, max_seq_length=514),
            **but(ROBERTA, config=RobertaConfig(**but(ROBERTA_SIZES, max_position_embeddings=514))),
            limit=512,
        ),
    ),
}
