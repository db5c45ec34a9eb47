"""Texts of given lengths, the same in every run: from a file, or sentences of Python's documentation."""

import pydoc_data.topics
import random
import re
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path

from tokenizers import Tokenizer


def sentences(file: Path | None) -> list[str]:
    """The lines of ``file``, or the columns of a .tsv that are not numbers; for None sentences of documentation."""
    if file is None:
        topics = " ".join(text for _, text in sorted(pydoc_data.topics.topics.items()))
        prose = re.sub(r"[^A-Za-z0-9,.;:()' -]+", " ", topics)
        found: Iterable[str] = (text.strip() for text in re.split(r"(?<=\.) ", prose) if 5 <= len(text.split()) <= 40)
    else:
        lines = file.read_text(encoding="utf-8").split("\n")
        cells = (cell for line in lines for cell in (line.split("\t") if file.suffix == ".tsv" else [line]))
        found = (cell.strip() for cell in cells if not re.fullmatch(r"[\d.\s]*", cell))
    return list(dict.fromkeys(found))


def short(source: list[str], count: int) -> list[str]:
    """``count`` of the texts in random order."""
    drawn = random.Random(1).sample(source, min(count, len(source)))
    return [text for text, _ in zip(cycle(drawn), range(count), strict=False)]


def mixed(source: list[str], lengths: Iterable[int], tokenizer_json: Path) -> list[str]:
    """One text for each number of tokens, special tokens included. Texts are joined, then cut between tokens."""
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    supply = cycle(random.Random(2).sample(source, len(source)))
    return [_cut(supply, length, tokenizer) for length in lengths]


def windows(source: list[str], lengths: list[int], tokenizer_json: Path) -> list[str]:
    """A text for each number of tokens, special tokens included: no two begin at the same word of the source."""
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    special, words = tokenizer.num_special_tokens_to_add(False), " ".join(source).split()
    starts = random.Random(5).sample(range(len(words) - max(lengths)), len(lengths))
    whole = [" ".join(words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]
    found = tokenizer.encode_batch(whole, add_special_tokens=False)
    return [
        text[: tokens.offsets[length - special - 1][1]]
        for text, tokens, length in zip(whole, found, lengths, strict=True)
    ]


def even_lengths(count: int, least: int, most: int) -> list[int]:
    """``count`` lengths, uniformly distributed from ``least`` to ``most``."""
    draw = random.Random(3)
    return [draw.randint(least, most) for _ in range(count)]


def lognormal_lengths(count: int, median: float, least: int, most: int) -> list[int]:
    """``count`` lengths with a lognormal distribution: many short, few long."""
    draw = random.Random(4)
    return [min(most, max(least, round(median * draw.lognormvariate(0, 1)))) for _ in range(count)]


def _cut(supply: Iterator[str], length: int, tokenizer: Tokenizer) -> str:
    wanted = length - tokenizer.num_special_tokens_to_add(False)
    text = next(supply)
    while len(ends := tokenizer.encode(text, add_special_tokens=False).offsets) < wanted:
        text = f"{text} {' '.join(next(supply) for _ in range(1 + (wanted - len(ends)) // 40))}"
    return text[: ends[wanted - 1][1]]
