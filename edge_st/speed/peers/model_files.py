"""What peers without sentence-transformers' settings must be told of a model: read from the original's folder."""

import json
from pathlib import Path
from typing import Any


def limit(original: Path) -> int:
    """The largest number of tokens of a text that the model takes."""
    files = {"sentence_bert_config.json": "max_seq_length", "tokenizer_config.json": "model_max_length"}
    found = (_read(original / file).get(key) for file, key in files.items() if (original / file).is_file())
    return next(int(value) for value in found if value)


def pools_first(original: Path) -> bool:
    """Whether the model pools with the first token; otherwise with the mean of all tokens."""
    config = _read(original / "1_Pooling" / "config.json")
    return bool(config.get("pooling_mode_cls_token")) or config.get("pooling_mode") == "cls"


def hidden_size(original: Path) -> int:
    """The dimension of the model's token vectors."""
    return int(_read(original / "config.json")["hidden_size"])


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
