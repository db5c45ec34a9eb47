"""Files that make ``tokenizers`` panic, abort or fill the memory end in a named error."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.tiny_tokenizers import unigram, wordpiece

Change = Callable[[dict[str, Any]], object]
BACKTRACKING = {"Regex": "(x+x+)+y"}


def written(folder: Path, change: Change) -> Path:
    content = json.loads(wordpiece().to_str())
    change(content)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder


def normalizer(*steps: dict[str, Any]) -> Change:
    return lambda content: content.update(normalizer={"type": "Sequence", "normalizers": list(steps)})


def replace(pattern: dict[str, str], by: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": by}


def characters(data: bytes) -> Change:
    return normalizer({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()})


def of_pairs(content: dict[str, Any]) -> None:
    content["post_processor"]["pair"].append({"SpecialToken": {"id": "[NOPE]", "type_id": 0}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["post_processor"]["single"].append({"SpecialToken": {"id": "?", "type_id": 0}}),
         "cannot tokenize .the library tokenizers stopped: no entry found"),
        (characters(b"\xff" * 14), "has a precompiled_charsmap that is cut off or damaged"),
        (characters(b""), "is not a tokenizer "),
        (characters((8).to_bytes(4, "little") + b"\xff" * 10), "is not a tokenizer .the library tokenizers stopped"),
        (normalizer(*[replace({"String": "a"}, "aa")] * 40), "has a normalizer that makes a text such as 'aa?'"),
        (normalizer(*[replace({"Regex": "[b-z]"}, "yy")] * 40), "has a normalizer that makes a text such as "),
        (normalizer(replace({"String": "a"}, "a" * 10**6)), "has a normalizer that makes a text such as 'a"),
        (normalizer(replace({"Regex": "\\x62"}, "b" * 10**6)), "has a normalizer that makes a text such as 'b"),
    ],
    ids=["template", "map", "empty map", "map of odd bytes", "chain", "chain of patterns", "long", "long of patterns"],
)  # fmt: skip
def test_at_load(change: Change, message: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=rf"tokenizer.json {message}"):
        TextTokenizer(written(tmp_path, change))


def test_a_map_whose_name_is_spelled_with_escapes(tmp_path: Path) -> None:
    path = written(tmp_path, characters(b"\xff" * 14)) / "tokenizer.json"
    path.write_text(path.read_text().replace("precompiled_", "\\u0070recompiled_"))
    with pytest.raises(DamagedFileError, match="has a precompiled_charsmap of 14 bytes"):
        TextTokenizer(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        normalizer(replace(BACKTRACKING, "a")),
        lambda content: content.update(
            pre_tokenizer={"type": "Split", "pattern": BACKTRACKING, "behavior": "Isolated", "invert": False}
        ),
    ],
    ids=["normalizer", "pre-tokenizer"],
)
@pytest.mark.parametrize("texts", [["x" * 50], ["a", "x" * 50], [("a", "x" * 50)]], ids=["one", "several", "pair"])
def test_a_pattern_that_goes_back_and_back(change: Change, texts: list[Any], tmp_path: Path) -> None:
    tokenizer = TextTokenizer(written(tmp_path, change))
    with pytest.raises(DamagedFileError, match=r"tokenizer.json cannot tokenize .*retry-limit"):
        tokenizer(texts, 8)


def test_a_template_of_pairs_with_an_unknown_token(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(written(tmp_path, of_pairs))
    with pytest.raises(DamagedFileError, match=r"tokenizer.json cannot tokenize a pair .*no entry found"):
        tokenizer([("a", "b")], 8)


def test_replacements_of_usual_models_are_taken(tmp_path: Path) -> None:
    steps = [replace({"String": "…"}, "..."), replace({"String": "``"}, '"'), replace({"Regex": " {2,}"}, " ")]
    assert len(TextTokenizer(written(tmp_path, normalizer(*steps)))(["the … fox"], None).ids[0]) > 3
    (tmp_path / "tokenizer.json").write_text(unigram().to_str())
    assert TextTokenizer(tmp_path)(["the fox"], None).counts[0] > 2
