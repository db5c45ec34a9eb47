"""Changes of what a tokenizer.json is made of: its parts, its vocabulary and the ids in it."""

import json
import random
from pathlib import Path
from typing import Any

_IDS = (-1, 0, 499, 500, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 1.0, "3", None)
_MAPS = ("", "AAAA", "!", "/" * 400, "AAAAAAAA" * 50)
_REGEX = ("(x+x+)+y", "(?:a|a)*b", "(", "", "\\p{Nope}", "(?<=x)", "x" * 5000, ".{1000}{1000}")


def _split(chance: random.Random) -> dict[str, Any]:
    pattern = {chance.choice(["Regex", "String"]): chance.choice(_REGEX)}
    behavior = chance.choice(["Removed", "Isolated", "MergedWithNext", "Contiguous", "Nope"])
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": chance.random() < 0.5}


def _normalizer(chance: random.Random) -> Any:
    replace = {
        "type": "Replace",
        "pattern": {"Regex": chance.choice(_REGEX)},
        "content": "x" * chance.choice([0, 1, 900]),
    }
    return chance.choice(
        [
            None,
            replace,
            {"type": "Sequence", "normalizers": [replace] * chance.choice([0, 1, 50])},
            {
                "type": "Precompiled",
                "precompiled_charsmap": chance.choice(_MAPS),
            },
            {"type": "Prepend", "prepend": "x" * chance.choice([0, 5000])},
            {"type": "Strip", "strip_left": True, "strip_right": True},
            {"type": "Nope"},
        ]
    )


def _post_processor(chance: random.Random) -> Any:
    pieces = [
        {"SpecialToken": {"id": chance.choice(["[CLS]", "[NOPE]", ""]), "type_id": chance.choice([0, 1, 2**31, -1])}},
        {"Sequence": {"id": chance.choice(["A", "B", "C"]), "type_id": 0}},
    ]
    known = {"id": "[CLS]", "ids": [chance.choice(_IDS)] * chance.choice([0, 1, 3]), "tokens": ["[CLS]"]}
    template = {"type": "TemplateProcessing", "single": pieces, "pair": pieces * 2, "special_tokens": {"[CLS]": known}}
    bert = {"type": "BertProcessing", "sep": ["[SEP]", chance.choice(_IDS)], "cls": ["[CLS]", chance.choice(_IDS)]}
    return chance.choice([None, template, {**template, "special_tokens": {}}, bert, {"type": "Nope"}])


def _model(found: dict[str, Any], chance: random.Random) -> None:
    model = found["model"]
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict) and vocabulary:
        token = chance.choice(list(vocabulary))
        vocabulary[chance.choice([token, "fox", "the", "new"])] = chance.choice(_IDS)
        if chance.random() < 0.3:
            vocabulary.clear()
    elif isinstance(vocabulary, list) and vocabulary:
        vocabulary[chance.randrange(len(vocabulary))] = chance.choice([["x", 1e400], ["", -1.0], ["x"], [1, 2], None])
        model["unk_id"] = chance.choice(_IDS)
    name = chance.choice(["type", "unk_token", "max_input_chars_per_word", "merges", "dropout", "byte_fallback"])
    model[name] = chance.choice(["BPE", "Unigram", "WordLevel", "x", "", None, 0, 1.0, True, [["x", "y"]], ["a b c"]])


def change_tokenizer(path: Path, chance: random.Random) -> None:
    """Change a part of the tokenizer in ``path``."""
    found = json.loads(path.read_text(encoding="utf-8", errors="replace"), strict=False)
    kind = chance.randrange(6)
    if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
        return
    if kind == 0:
        found["normalizer"] = _normalizer(chance)
    elif kind == 1:
        found["pre_tokenizer"] = chance.choice(
            [None, _split(chance), {"type": "Sequence", "pretokenizers": [_split(chance)] * 9}]
        )
    elif kind == 2:
        found["post_processor"] = _post_processor(chance)
    elif kind == 3:
        _model(found, chance)
    elif kind == 4:
        token = {"id": chance.choice(_IDS), "content": chance.choice(["[CLS]", "fox", "", "new", "x" * 999])}
        flags = {name: chance.random() < 0.5 for name in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        found["added_tokens"] = [*(found.get("added_tokens") or []), {**token, **flags}] * chance.choice([1, 1, 300])
    else:
        cut = {
            "direction": "Right",
            "max_length": chance.choice(_IDS),
            "strategy": "LongestFirst",
            "stride": chance.choice(_IDS),
        }
        pad = {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": chance.choice([None, 0, 2**40])}
        found["truncation"] = chance.choice([cut, found.get("truncation")])
        found["padding"] = {**pad, "pad_id": chance.choice(_IDS), "pad_type_id": 0, "pad_token": "[PAD]"}
    path.write_text(json.dumps(found), encoding="utf-8")
