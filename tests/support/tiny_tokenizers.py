"""Real tokenizers of a few hundred tokens, trained on the spot."""

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

WORDS = [
    *("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "seven", "small", "boats", "sail"),
    *(
        "across",
        "cold",
        "northern",
        "sea",
        "and",
        "nobody",
        "remembers",
        "who",
        "painted",
        "green",
        "door",
        "of",
        "old",
    ),
    *("library", "or", "why", "search", "engines", "embed", "sentences", "Zürich", "café", "naïve", "日本語", "مرحبا"),
    *("😀", "don't", "re-read", "3.14", "unbelievably"),
]
NASTY = [
    "",
    " ",
    "\t\n",
    "😀👍🏽",
    "日本語のテキスト",
    "مرحبا بالعالم",
    "a\x00b\x07c",
    "[SEP] [CLS] </s>",
    "é́",
    "x" * 300,
]


def random_texts(count: int, longest: int = 40, seed: int = 0) -> list[str]:
    """Texts of 0 to ``longest`` words."""
    random_source = random.Random(seed)
    return [" ".join(random_source.choices(WORDS, k=random_source.randint(0, longest))) for _ in range(count)]


def wordpiece() -> Tokenizer:
    """As BERT's: lower-casing WordPiece with [CLS] and [SEP], type 1 for the second text of a pair."""
    return Tokenizer.from_str(_wordpiece())


def byte_bpe() -> Tokenizer:
    """As RoBERTa's: byte-level BPE with <s> and </s>, two of them between the texts of a pair, all of type 0."""
    return Tokenizer.from_str(_byte_bpe())


def closing_bpe() -> Tokenizer:
    """As Qwen3-Embedding's: byte-level BPE that only closes a text with <eos>."""
    tokenizer = byte_bpe()
    tokenizer.add_special_tokens([AddedToken("<eos>", special=True)])
    eos = tokenizer.token_to_id("<eos>")
    assert eos is not None
    tokenizer.post_processor = processors.TemplateProcessing("$A <eos>", "$A $B:1 <eos>:1", [("<eos>", eos)])
    return tokenizer


def unigram(
    specials: tuple[str, ...] = ("<s>", "<pad>", "</s>", "<unk>"),
    template: str = "<s> $A </s>",
    pair: str = "$A:0 $B:1",
) -> Tokenizer:
    """As XLM-RoBERTa's, T5's and ALBERT's: Unigram over words that begin with ▁; ``specials`` are the first ids.

    ``template`` says what is put around a text, ``pair`` around two, with no special tokens that a text does not get.
    """
    tokenizer = Tokenizer.from_str(_unigram(specials))
    numbered = [(token, i) for i, token in enumerate(specials) if token in template.split()]
    tokenizer.post_processor = processors.TemplateProcessing(template, pair, numbered)
    return tokenizer


def clip_bpe() -> Tokenizer:
    """As CLIP's: lower-casing BPE that marks the end of a word; <|endoftext|> is the highest id."""
    return Tokenizer.from_str(_clip_bpe())


def save_tokenizer(folder: Path, tokenizer: Tokenizer, **config: Any) -> Path:
    """Write tokenizer.json, with padding and truncation to 3 tokens, and tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@cache
def _wordpiece() -> str:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    learning = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learning.normalizer = normalizers.BertNormalizer(lowercase=True)
    learning.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner = sorted({f"##{letter}" for word in _words_met(learning) for letter in word[1:]})
    learning.train_from_iterator(
        WORDS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=[*specials, *inner], show_progress=False)
    )
    tokenizer = _with_model_of(learning)
    tokenizer.add_special_tokens(specials)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer.to_str()


def _words_met(learning: Tokenizer) -> list[str]:
    """What a trainer is given of WORDS."""
    normalized = [learning.normalizer.normalize_str(word) for word in WORDS]
    return [piece for word in normalized for piece, _ in learning.pre_tokenizer.pre_tokenize_str(word)]


def _with_model_of(learning: Tokenizer) -> Tokenizer:
    """The trained tokenizer without its special tokens.

    A trainer numbers the letters within and at the end of words as it meets them, in an order that differs from process
    to process, and merges depend on the numbers. So these letters are special tokens while it trains.
    """
    tokenizer = Tokenizer(learning.model)
    tokenizer.normalizer = learning.normalizer
    tokenizer.pre_tokenizer = learning.pre_tokenizer
    return tokenizer


@cache
def _byte_bpe() -> str:
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        WORDS,
        trainers.BpeTrainer(vocab_size=400, special_tokens=specials, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)]
    )
    return tokenizer.to_str()


@cache
def _unigram(specials: tuple[str, ...]) -> str:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    unknown = next(token for token in specials if "unk" in token.lower())
    tokenizer.train_from_iterator(
        WORDS,
        trainers.UnigramTrainer(vocab_size=300, special_tokens=list(specials), unk_token=unknown, show_progress=False),
    )
    return _in_order(tokenizer, len(specials))


def _in_order(tokenizer: Tokenizer, specials: int) -> str:
    """The trained Unigram's pieces by score and text: sums and places differ from process to process."""
    content = json.loads(tokenizer.to_str())
    pieces = [(piece, round(score, 1)) for piece, score in content["model"]["vocab"]]
    pieces[specials:] = sorted(pieces[specials:], key=lambda piece: (-piece[1], piece[0]))
    content["model"]["vocab"] = pieces
    return json.dumps(content)


@cache
def _clip_bpe() -> str:
    start, end = "<|startoftext|>", "<|endoftext|>"
    pieces = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    learning = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>"))
    learning.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    learning.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pieces, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    learning.train_from_iterator(
        WORDS,
        trainers.BpeTrainer(
            vocab_size=400,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=sorted({f"{word[-1]}</w>" for word in _words_met(learning)}),
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    content = json.loads(_with_model_of(learning).to_str())
    size = len(content["model"]["vocab"])
    content["model"]["vocab"] |= {start: size, end: size + 1}
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([start, end])
    tokenizer.post_processor = processors.RobertaProcessing(
        (end, size + 1), (start, size), trim_offsets=False, add_prefix_space=False
    )
    return tokenizer.to_str()
