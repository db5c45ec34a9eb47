"""The upper limit of texts per second on a machine: its speed of matrix multiplication over a model's operations."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from harness import Setup, start
from tokenizers import Tokenizer


@dataclass(frozen=True)
class Limits:
    """The largest number of operations per second by precision, and the operations per token of the model."""

    rates: dict[str, float]
    per_token: float

    def texts(self, precision: str, tokens: float) -> float:
        """The limit of texts per second, for texts of so many tokens."""
        return self.rates[precision] / (self.per_token * tokens)

    def or_better(self, other: Self) -> Self:
        """With the higher of both rates: disturbances only make them lower."""
        return replace(self, rates={name: max(rate, other.rates[name]) for name, rate in self.rates.items()})


def measured(common: Setup, clock: str) -> Limits:
    """Measure the limits with workers/limits.py on the cores of ``common``. Raises RuntimeError where that fails.

    ``clock`` is that of `harness.in_turn`.
    """
    process = start(common, "edge-st onnx", "limits.py", str(len(common.cores)), clock)
    answer, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("workers/limits.py failed; run again with BENCH_VERBOSE=1 to see why")
    return Limits(json.loads(answer), per_token(common.folder))


def per_token(folder: Path) -> float:
    """The operations per token with a BERT-like model's weights, without the multiplications within attention."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width, inner = config["hidden_size"], config["intermediate_size"]
    return 2.0 * config["num_hidden_layers"] * (4 * width * width + 2 * width * inner)


def mean_tokens(texts: list[str], folder: Path) -> float:
    """The mean number of tokens of a text, special tokens included."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts)) / len(texts)
