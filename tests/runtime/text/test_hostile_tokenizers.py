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
A, B = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
CLS = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
SPLIT = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
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


def pre_tokenizer(*steps: dict[str, Any]) -> Change:
    return lambda content: content.update(pre_tokenizer={"type": "Sequence", "pretokenizers": list(steps)})


def metaspace(replacement: str) -> dict[str, Any]:
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": "always", "split": True}


def template(single: list[dict[str, Any]], ids: int = 1) -> Change:
    special = {"[CLS]": {"id": "[CLS]", "ids": [2] * ids, "tokens": ["[CLS]"] * ids}}
    return lambda content: content["post_processor"].update(single=single, pair=[A, B], special_tokens=special)


def doubling_with_an_added_token(content: dict[str, Any]) -> None:
    """``tokenizers`` normalizes the added token as it reads the file."""
    normalizer(*[replace({"String": "a"}, "aa")] * 60)(content)
    content["added_tokens"].append({**content["added_tokens"][0], "id": 999, "content": "a", "normalized": True})


def of_pairs(content: dict[str, Any]) -> None:
    content["post_processor"]["pair"].append({"SpecialToken": {"id": "[NOPE]", "type_id": 0}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["post_processor"]["single"].append({"SpecialToken": {"id": "?", "type_id": 0}}),
         "cannot tokenize .the library tokenizers stopped: no entry found"),
        (characters(b"\xff" * 14), "has a precompiled_charsmap of 14 bytes that says it holds 4294967295"),
        (lambda content: content.update(
            normalizer={"type": "Precompiled", "precompiled_charsmap": "/" * 40, "normalizers": []}),
         "has a precompiled_charsmap of 30 bytes that says it holds 4294967295"),
        (characters(b""), "has a precompiled_charsmap of 0 bytes"),
        (characters((8).to_bytes(4, "little") + b"\xff" * 10), "is not a tokenizer .the library tokenizers stopped"),
        (normalizer(*[replace({"String": "a"}, "aa")] * 40), "has a normalizer that makes a text such as 'aa?'"),
        (normalizer(*[replace({"Regex": "[b-z]"}, "yy")] * 40), "has a normalizer that makes a text such as "),
        (normalizer(replace({"String": "a"}, "a" * 10**6)), "has a normalizer that makes a text such as 'a"),
        (normalizer(replace({"Regex": "\\x62"}, "b" * 10**6)), "has a normalizer that makes a text such as 'b"),
        (normalizer(*[{"type": "Prepend", "prepend": "x" * 10**5}] * 9), "has a normalizer that makes a text such as "),
        (normalizer(*[{"type": "Prepend", "prepend": "xyzuvw"}] * 1000), "has a normalizer that makes a text such as "),
        (normalizer(*[{"type": "ByteLevel"}] * 60), "has a normalizer that makes a text such as 'a é'"),
        (normalizer(*[{"type": "Lowercase"}] * 1025), "has a normalizer of 1025 steps; expected at most 1024"),
        (characters(bytes(4) + b"y" * 5000 + b"\0"), "has a precompiled_charsmap that makes a character 5000 bytes"),
        (normalizer(*[{"prepend": "x" * 10**5}] * 9), "has a normalizer that makes a text such as 'a é'"),
        (doubling_with_an_added_token, "has a normalizer that makes a text such as 'a'"),
        (pre_tokenizer(*[BYTES] * 60), "has a pre_tokenizer that makes a text such as 'a é'"),
        (pre_tokenizer(*[SPLIT, metaspace("x"), SPLIT, metaspace("y")] * 20), "has a pre_tokenizer that makes a text"),
        (template([A] * 10**4), "has a post_processor of 10000 pieces"),
        (template([A, *[CLS] * 100], 10**5), "has a post_processor of 101 pieces, with up to 10100000 tokens"),
    ],
    ids=[
        "template", "map", "map with steps", "empty map", "map of odd bytes", "chain", "chain of patterns", "long",
        "long of patterns", "prepended", "short ones prepended", "bytes", "steps", "map to long texts",
        "without a type", "added token", "bytes of pieces", "pieces", "text repeated", "long lists around a text",
    ],
)  # fmt: skip
def test_at_load(change: Change, message: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=rf"tokenizer.json {message}"):
        TextTokenizer(written(tmp_path, change))


@pytest.mark.parametrize("spelled", ["normalizer", "n\\u006frmalizer"])
def test_a_normalizer_after_the_model(spelled: str, tmp_path: Path) -> None:
    path = written(tmp_path, lambda content: content.pop("normalizer")) / "tokenizer.json"
    last = json.dumps({"type": "Prepend", "prepend": "x" * 10**5})
    path.write_text(f'{path.read_text()[:-1]}, "{spelled}": {last}}}')
    with pytest.raises(DamagedFileError, match="has a normalizer that makes a text such as 'a é'"):
        TextTokenizer(tmp_path)


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
    steps = [
        {"type": "Prepend", "prepend": "▁"},
        replace({"String": "…"}, "..."),
        replace({"String": "``"}, '"'),
        replace({"Regex": " {2,}"}, " "),
    ]
    assert len(TextTokenizer(written(tmp_path, normalizer(*steps)))(["the … fox"], None).ids[0]) > 3
    (tmp_path / "tokenizer.json").write_text(unigram().to_str())
    assert TextTokenizer(tmp_path)(["the fox"], None).counts[0] > 2
