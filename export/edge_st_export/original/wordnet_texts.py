"""Texts to fit a static embedding to, from WordNet 3.0: its example sentences, and paragraphs made of its glosses.

WordNet's licence allows use, copying and modification for any purpose. Its files (``data.noun`` ...) come with Debian's
package wordnet-base: ``apt-get download wordnet-base && dpkg -x wordnet-base_*.deb wordnet``, then
``python -m edge_st_export.original.wordnet_texts wordnet/usr/share/wordnet texts.txt``.
The format is documented in wndb(5WN).
"""

import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_st_runtime.errors import MissingFileError

PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
PARAGRAPHS = 40_000
MOST_RELATED = 6
SEED = 0


@dataclass(frozen=True)
class Synset:
    """One meaning: its first word, definition and example sentences, and the keys of related synsets."""

    word: str
    definition: str
    examples: tuple[str, ...]
    related: tuple[tuple[str, str], ...]


def wordnet_texts(folder: Path) -> list[str]:
    """All example sentences, and paragraphs: "Word: definition. Examples." for a synset and some related ones."""
    synsets = {key: synset for part in PARTS for key, synset in _synsets(folder, part)}
    draw = random.Random(SEED)  # noqa: S311 - a reproducible sample, nothing secret
    texts = dict.fromkeys(example for synset in synsets.values() for example in synset.examples)
    for key in draw.sample(list(synsets), min(PARAGRAPHS, len(synsets))):
        related = [other for other in synsets[key].related if other in synsets]
        chosen = draw.sample(related, min(len(related), draw.randint(0, MOST_RELATED)))
        texts[" ".join(_sentence(synsets[other]) for other in (key, *chosen))] = None
    return list(texts)


def main(arguments: list[str]) -> int:
    """Write the texts of the WordNet in the first argument to the file in the second, one a line."""
    if len(arguments) != 2:
        print("usage: python -m edge_st_export.original.wordnet_texts WORDNET_FOLDER OUT.txt", file=sys.stderr)
        return 2
    texts = wordnet_texts(Path(arguments[0]))
    Path(arguments[1]).write_text("\n".join(texts) + "\n", encoding="utf-8")
    print(f"{len(texts)} texts")
    return 0


def _synsets(folder: Path, part: str) -> Iterator[tuple[tuple[str, str], Synset]]:
    file = folder / f"data.{part}"
    if not file.is_file():
        raise MissingFileError(f"{file} is not there; name the folder that holds WordNet's data.noun, data.verb, ...")
    for line in file.read_text(encoding="latin-1").split("\n"):
        if line and not line.startswith("  "):  # the licence stands in lines that begin with two blanks
            yield (line[:8], PARTS[part]), _parse(line)


def _parse(line: str) -> Synset:
    fields, _, gloss = line.partition("|")
    words = fields.split()
    pointers = 4 + 2 * int(words[3], 16)
    related = tuple(
        (words[at + 1], words[at + 2].replace("s", "a"))
        for at in range(pointers + 1, pointers + 1 + 4 * int(words[pointers]), 4)
    )
    definition, *quoted = re.split(r';\s*(?=")', gloss.strip())
    examples = (re.sub(r'"\s*-.*$', "", example).strip('" ') for example in quoted)
    word = words[4].split("(")[0].replace("_", " ")
    return Synset(word, definition.strip(), tuple(example for example in examples if example), related)


def _sentence(synset: Synset) -> str:
    sentences = (f"{synset.word}: {synset.definition}", *synset.examples)
    return " ".join(text[:1].upper() + text[1:] + ("" if text[-1] in ".?!" else ".") for text in sentences)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
