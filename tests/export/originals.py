"""Small random models, saved by sentence-transformers itself."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from edge_st_export.original.texts import ALL
from tests.support.tiny_tokenizers import wordpiece

HIDDEN = 32
SIZES = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 410,
}
BERT_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
}


def bert(**changes: Any) -> BertConfig:
    return BertConfig(**SIZES, max_position_embeddings=64, **changes)


def save_original(
    folder: Path,
    *modules: Any,
    pooling: str | tuple[str, ...] | None = "mean",
    include_prompt: bool = True,
    limit: int | None = 48,
    prompts: Mapping[str, str] | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> Path:
    """A transformer with pooling and ``modules`` after it, below ``folder``; ``options`` are `save_transformer`'s.

    ``pooling`` None leaves the pooling away, for transformers that pool by themselves.
    """
    trust = {"trust_remote_code": trust_remote_code}
    first = Transformer(
        str(save_transformer(folder, **options)),
        model_kwargs={**trust},
        processor_kwargs={**trust},
        config_kwargs={**trust},
        max_seq_length=limit,
    )
    pool = [Pooling(first.get_embedding_dimension(), pooling, include_prompt)] if pooling else []
    original = folder / "original"
    model = SentenceTransformer(modules=[first, *pool, *modules], device="cpu", prompts=dict(prompts or {}))
    model.save_pretrained(str(original), create_model_card=False)
    return original


def save_transformer(
    folder: Path,
    *,
    config: PretrainedConfig | None = None,
    model_class: Callable[[PretrainedConfig], PreTrainedModel] = AutoModel.from_config,
    tokenizer: Callable[[], Tokenizer] = wordpiece,
    tokens: Mapping[str, Any] = BERT_TOKENS,
    processor: Callable[[Tokenizer], Any] | None = None,
    spread: float = 0.1,
    half: bool = False,
) -> Path:
    """A transformer alone, below ``folder``; its weights are far from initial.

    ``processor`` makes what prepares its input out of the tokenizer, where that is more than a tokenizer with
    ``tokens``; ``spread`` is the deviation that is added to the weights, ``half`` stores them in float16.
    """
    torch.manual_seed(7)
    transformer = model_class(config or bert())
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_(torch.randn_like(parameter) * spread)
    parts = folder / "transformer"
    (transformer.half() if half else transformer).save_pretrained(parts)
    processor = processor or partial(_fast_tokenizer, tokens=tokens)
    processor(tokenizer()).save_pretrained(parts)
    return parts


def _fast_tokenizer(tokenizer: Tokenizer, tokens: Mapping[str, Any]) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens)


def load_original(folder: Path, *, trust_remote_code: bool = False) -> SentenceTransformer:
    """The original as its users load it."""
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=trust_remote_code)


def cosine_min(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """The worst cosine of the rows with each other, in float64; the same rows must be zero in both."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    filled = b.any(axis=1)
    assert np.array_equal(a.any(axis=1), filled)
    lengths = np.linalg.norm(a[filled], axis=1) * np.linalg.norm(b[filled], axis=1)
    return float(((a[filled] * b[filled]).sum(axis=1) / lengths).min())


def many_texts(count: int = 440) -> list[str]:
    """The difficult texts, and ``count`` sentences and paragraphs of 1 to 320 words, each one different."""
    random = np.random.default_rng(20)
    lengths = np.concatenate([np.arange(count * 3 // 4) % 30 + 1, random.integers(30, 320, count - count * 3 // 4)])
    return [*ALL, *(_sentences(random, int(length), i) for i, length in enumerate(lengths))]


def _sentences(random: np.random.Generator, words: int, number: int) -> str:
    chosen = random.choice(_WORDS, words).tolist()
    for place in range(7, words, 9):
        chosen[place] = f"{chosen[place]}{random.choice(_MARKS)}"
    return f"{' '.join(chosen).capitalize()} {number}."


_MARKS: Sequence[str] = (".", ",", ";", "?", "!", " -", ":", ")")
_WORDS: Sequence[str] = """
a the this no every some one two three hundred man woman child dog cat horse bird river mountain city village
street house kitchen garden window door table bridge train boat engine computer network password account invoice
contract court judge teacher student hospital doctor patient medicine vaccine protein cell energy temperature
pressure market price interest bank loan tax election minister parliament treaty border army peace football
match team goal coach recipe flour butter salt sugar oven soup bread wine coffee song guitar violin film actor
novel poet is was has been will would can could should may must runs walks plays eats drinks writes reads says
asks answers buys sells opens closes breaks repairs builds paints measures rises falls grows waits sleeps
travels arrives leaves red green blue old young new cold warm quick slow heavy light quiet loud happy sad
strange famous cheap expensive public private in on under behind between without about against during after
before because although while if when where how why what who not never often again together alone yesterday
today tomorrow north south Paris Nairobi Lisbon Osaka NATO DNA CPU 3.5 1999 42 km % don't it's re-opened
well-known naïve café Zürich
""".split()  # noqa: SIM905 - a list of so many words is hard to read
