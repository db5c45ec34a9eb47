"""What the zoo's cases are made of: builders, changes to saved folders, and options that several cases share."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.model import BaseModel
from sentence_transformers.base.modules import Transformer
from tokenizers import Tokenizer
from torch import nn
from transformers import Qwen3Config, RobertaConfig, XLMRobertaConfig

from tests.export.originals import HIDDEN, SIZES, load_original, save_original, save_transformer
from tests.support.tiny_tokenizers import WORDS, byte_bpe, closing_bpe, unigram

Step = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """What ``build`` saves below a folder, in words; it returns the original's path.

    ``engines`` are those that run it; ``task`` is the exporter's, for a transformer that may become several models.
    ``long_text`` is one more text to compare, longer than any of the usual ones, of which then only short ones are.
    """

    architecture: str
    modules: str
    build: Callable[[Path], Path]
    engines: tuple[str, ...] = ("onnx", "openvino")
    long_text: str | None = None
    trust_remote_code: bool = False
    task: str | None = None


def but(options: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """These options, with changes."""
    return {**options, **changes}


IDS_AND_MASK = {"model_input_names": ["input_ids", "attention_mask"]}
TOKENS = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
BPE_TOKENS = {**TOKENS, **IDS_AND_MASK}
XLM_TOKENS = {**BPE_TOKENS, "cls_token": "<s>", "sep_token": "</s>"}
GEMMA_TOKENS = {"bos_token": "<bos>", "pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>", **IDS_AND_MASK}
T5_TOKENS = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", **IDS_AND_MASK}
EOS_TOKENS = {"pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>", **IDS_AND_MASK}
LEFT, RIGHT = {"padding_side": "left"}, {"padding_side": "right"}
ROBERTA_SIZES = {**SIZES, "max_position_embeddings": 66, "pad_token_id": 1}
DECODER_SIZES = {**SIZES, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}
#: DeBERTa's attention, and that of its third version
DISENTANGLED = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}
DISENTANGLED_V3 = {
    **DISENTANGLED,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
}
NO_POOLING_MODE = {
    "word_embedding_dimension": HIDDEN,
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": False,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
}
CHAT = "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }}</s>{% endfor %}"
SPREAD = 0.4
#: of vectors for words, and for tokens
WIDTH = 12
#: the engines of a case that has no graph
NUMPY = ("numpy",)
TRANSFORMER_FILE, POOLING_FILE = "sentence_bert_config.json", "1_Pooling/config.json"
SETTINGS_FILE = "config_sentence_transformers.json"


def saved(
    *steps: Step,
    modules: Callable[[], Iterable[nn.Module]] = tuple,
    only_transformer: bool = False,
    spread: float = SPREAD,
    **options: Any,
) -> Callable[[Path], Path]:
    """The builder of `save_original` with these options, after which ``steps`` change the saved folder."""

    def build(folder: Path) -> Path:
        torch.manual_seed(5)
        original = save_original(folder, *modules(), spread=spread, **options)
        original = folder / "transformer" if only_transformer else original
        for step in steps:
            step(original)
        return original

    return build


def composed(
    modules: Callable[[Path], Iterable[nn.Module]],
    *steps: Step,
    model_class: type[BaseModel] = SentenceTransformer,
    **options: Any,
) -> Callable[[Path], Path]:
    """The builder of a model of these ``modules``, made with a folder at hand; ``steps`` change what was saved.

    ``options`` are the class's.
    """

    def build(folder: Path) -> Path:
        torch.manual_seed(5)
        original = folder / "original"
        model = model_class(modules=list(modules(folder)), device="cpu", **options)
        model.save_pretrained(str(original), create_model_card=False)
        for step in steps:
            step(original)
        return original

    return build


def plain(*steps: Step, **options: Any) -> Callable[[Path], Path]:
    """The builder of a transformer without modules.json, as `save_transformer` makes it with these options."""

    def build(folder: Path) -> Path:
        original = save_transformer(folder, **{"spread": SPREAD, **options})
        for step in steps:
            step(original)
        return original

    return build


def transformer(
    folder: Path, task: str = "feature-extraction", name: str = "part", limit: int | None = 48, **options: Any
) -> Transformer:
    """A transformer with the head of ``task``, as `save_transformer` makes it; ``name`` keeps several apart."""
    path = save_transformer(folder / name, **{"spread": SPREAD, **options})
    return Transformer(str(path), transformer_task=task, max_seq_length=limit)


def bert_part(folder: Path, name: str = "part", **options: Any) -> Transformer:
    """A transformer alone; ``name`` keeps several apart."""
    return load_original(saved(**options)(folder / name))[0]


def edit(file: str, **changes: Any) -> Step:
    """Change keys of a JSON file, or write it."""

    def step(folder: Path) -> None:
        path = folder / file
        old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        path.write_text(json.dumps({**old, **changes}), encoding="utf-8")

    return step


def replace(file: str, **content: Any) -> Step:
    """Write a JSON file anew."""
    return lambda folder: (folder / file).write_text(json.dumps(content), encoding="utf-8")


def pickle_modules(folder: Path) -> None:
    """Keep the small modules' weights in pytorch_model.bin only."""
    model = load_original(folder)
    for path in folder.glob("[1-9]_*/model.safetensors"):
        torch.save(model[int(path.parent.name[0])].state_dict(), path.with_name("pytorch_model.bin"))
        path.unlink()


def halve(folder: Path) -> None:
    """Store every weight in float16."""
    load_original(folder).half().save_pretrained(str(folder), create_model_card=False)


def pad_and_cut(folder: Path) -> None:
    """A tokenizer.json that pads and truncates by itself."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(length=20, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(10)
    tokenizer.save(str(folder / "tokenizer.json"))


def into_subfolder(kind: str) -> Step:
    """As sentence-transformers 1 saved: the first module, of class ``kind``, in a folder of its own."""

    def step(folder: Path) -> None:
        target = folder / f"0_{kind}"
        target.mkdir()
        (folder / TRANSFORMER_FILE).unlink()
        kept = {"modules.json", "config_sentence_transformers.json"}
        for path in [path for path in folder.iterdir() if path.is_file() and path.name not in kept]:
            shutil.move(path, target / path.name)
        entries = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [kind, *(entry["type"].rpartition(".")[2] for entry in entries[1:])]
        paths = [target.name, *(entry["path"] for entry in entries[1:])]
        old = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
            for i, (path, name) in enumerate(zip(paths, kinds, strict=True))
        ]
        (folder / "modules.json").write_text(json.dumps(old), encoding="utf-8")

    return step


def dense_first(folder: Path) -> None:
    """Exchange a Pooling and the module after it."""
    entries = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    entries[1:3] = entries[2], entries[1]
    (folder / "modules.json").write_text(json.dumps(entries), encoding="utf-8")


def slow_tokenizer(name: str, write: Step) -> Step:
    """Leave only the files of the tokenizer class ``name``, which ``write`` makes out of tokenizer.json."""

    def step(folder: Path) -> None:
        write(folder)
        for file in ("tokenizer.json", "special_tokens_map.json"):
            (folder / file).unlink(missing_ok=True)  # transformers 5 writes no special_tokens_map.json
        replace("tokenizer_config.json", tokenizer_class=name, model_max_length=48)(folder)

    return step


def write_vocab_txt(folder: Path) -> None:
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), encoding="utf-8")


def write_vocab_json(folder: Path) -> None:
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(" ".join(pair) for pair in model["merges"]), encoding="utf-8")


def xlm_unigram() -> Tokenizer:
    """XLM-RoBERTa's."""
    return unigram(pair="<s> $A </s> </s> $B </s>")


def write_sentencepiece(folder: Path) -> None:
    import sentencepiece

    with (folder / "sentencepiece.bpe.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(WORDS),
            model_writer=file,
            vocab_size=300,
            hard_vocab_limit=False,
            control_symbols=["[CLS]", "[SEP]"],
            minloglevel=2,
        )


ROBERTA: dict[str, Any] = {"config": RobertaConfig(**ROBERTA_SIZES), "tokenizer": byte_bpe, "tokens": BPE_TOKENS}
XLM: dict[str, Any] = {"config": XLMRobertaConfig(**ROBERTA_SIZES), "tokenizer": xlm_unigram, "tokens": XLM_TOKENS}
QWEN3: dict[str, Any] = {
    "config": Qwen3Config(**DECODER_SIZES),
    "tokenizer": closing_bpe,
    "tokens": EOS_TOKENS | LEFT,
    "pooling": "lasttoken",
}
PROMPTS: dict[str, Any] = {"include_prompt": False, "prompts": {"query": "the quick search: ", "document": ""}}
MERGING: dict[str, Any] = {"include_prompt": False, "prompts": {"query": "the quick search"}}
