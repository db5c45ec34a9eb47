"""Texts to tokens and back, in the shapes of text-embeddings-inference: /tokenize and /decode."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from edge_st_runtime.text.tokenizer import TextTokenizer
from edge_st_runtime.text.tokens import with_prompt
from edge_st_runtime.text.word_tokenizer import WordTokenizer

from ..models.classes import Model
from ..models.outputs import Embeddings
from ..models.steps import Steps
from .engine import Answered, Counts, Engine
from .fields import SWITCH, NoSuchTaskError, RequestError, optional, shown
from .texts import Decode, prompt_of, texts_of

_WORDS = "this model's tokenizer is a list of words, without token ids that clients could use"
_IDS = "expected a list of token ids, or a list of such lists"


async def answer_tokenize(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/tokenize: for each text its tokens, with their places in the text after its prompt, in characters.

    Special tokens have no place. A model that reads none, such as a static one, has none here. Nothing is cut.

    Raises RequestError for a field that cannot be used, OptionError for an unknown prompt, and NoSuchTaskError for a
    model whose tokenizer is a list of words.
    """
    texts = texts_of(body, "inputs")
    special = optional(body, "add_special_tokens", SWITCH, default=True)
    prompt_name, task = prompt_of(engine.model, body)
    steps = engine.steps(engine.model, Embeddings(), task, prompt_name)
    rows = await engine.call(partial(_tokenized, steps, texts, special))
    return Answered(rows, Counts(np.array([len(row) for row in rows], np.int64), None))


def _tokenized(steps: Steps, texts: list[str], special: bool) -> list[list[dict[str, Any]]]:
    tokenizer = _tokenizer(steps)
    whole = [text for text in with_prompt(texts, steps.prompt) if isinstance(text, str)]
    return [
        [_token(text, *token) for token in zip(row.ids, row.tokens, row.special_tokens_mask, row.offsets, strict=True)]
        for text, row in zip(whole, tokenizer.encodings(whole, special_tokens=special), strict=True)
    ]


def _token(text: str, token_id: int, token: str, special: int, place: tuple[int, int]) -> dict[str, Any]:
    if special:
        return {"id": token_id, "text": token, "special": True, "start": None, "stop": None}
    start, stop = place
    return {"id": token_id, "text": text[start:stop], "special": False, "start": start, "stop": stop}


async def answer_decode(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/decode: the text of each list of token ids, which are those of the model's own tokenizer.

    Raises RequestError for ids that it does not have, and NoSuchTaskError as `answer_tokenize`.
    """
    ids = body.get("ids")
    skip = optional(body, "skip_special_tokens", SWITCH, default=True)
    if not isinstance(ids, list):
        raise RequestError(f"`ids` is {'missing' if ids is None else shown(ids)}; {_IDS}", "ids")
    if not ids:
        raise RequestError(f"`ids` is an empty list; {_IDS}", "ids", empty=True)
    rows = ids if isinstance(ids[0], list) else [ids]
    decode = decoder(engine.model, skip_special_tokens=skip, name="ids")
    names = [f"ids[{place}]" for place in range(len(rows))] if rows is ids else ["ids"]
    for row, where in zip(rows, names, strict=True):
        if not isinstance(row, list):
            raise RequestError(f"`{where}` is {shown(row)}; {_IDS}", "ids")
    texts = await engine.call(lambda: [decode(row, where) for row, where in zip(rows, names, strict=True)])
    return Answered(texts, Counts(np.array([len(row) for row in rows], np.int64), None))


def decoder(model: Model, *, skip_special_tokens: bool = True, name: str = "inputs") -> Decode:
    """What gives the text of a list of token ids of the ``model``, and takes where they stand in the field ``name``.

    It raises RequestError for anything but ids of the model, NoSuchTaskError as `answer_tokenize`.
    """

    def decode(ids: list[Any], where: str) -> str:
        tokenizer = model.tokenizer
        if isinstance(tokenizer, WordTokenizer):
            raise NoSuchTaskError(_WORDS)
        for place, each in enumerate(ids):
            if not _is_known(each, tokenizer):
                raise RequestError(f"`{where}[{place}]` is {shown(each)}, which is no token id of this model", name)
        text: str = tokenizer.decode([int(each) for each in ids], skip_special_tokens=skip_special_tokens)
        return text

    return decode


def _is_known(value: Any, tokenizer: Any) -> bool:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**31 and value % 1 == 0
    return whole and tokenizer.id_to_token(int(value)) is not None


def _tokenizer(steps: Steps) -> TextTokenizer:
    tokenizer = steps.pipeline.tokenizer
    if not isinstance(tokenizer, TextTokenizer):
        raise NoSuchTaskError(_WORDS)
    return tokenizer
