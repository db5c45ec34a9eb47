"""The shape of text-embeddings-inference's /predict: pairs of texts, classified."""

from collections.abc import Mapping
from typing import Any

from ..models.cross_encoder import CrossEncoder
from ..models.facts import labels_of
from .engine import Answered, Engine, Texts
from .fields import SWITCH, RequestError, check_text, optional, shown
from .scores import best_first, probabilities
from .texts import truncation_of

_PAIRS = "expected a pair of strings, or a list of pairs"


async def answer_predict(engine: Engine, body: Mapping[str, Any]) -> Answered:
    """/predict: the labels of a pair with their scores, highest first; of a list of pairs, a list of such lists.

    Scores are probabilities: the softmax of several labels, the sigmoid of one. With ``raw_scores`` they are logits.
    text-embeddings-inference also takes single texts; a CrossEncoder reads pairs.

    Raises RequestError for a field that cannot be used, and what `Engine.score` raises.
    """
    pairs, single = _pairs(body.get("inputs"))
    raw = optional(body, "raw_scores", SWITCH, default=False)
    truncate, cut_left = truncation_of(body)
    logits, counts = await engine.score(Texts(pairs, "inputs", truncate=truncate, cut_left=cut_left))
    scores = logits if raw else probabilities(logits)
    names = labels_of(engine.model) if isinstance(engine.model, CrossEncoder) else []
    found = [[{"score": row[place], "label": names[place]} for place in best_first(row)] for row in scores]
    return Answered(found[0] if single else found, counts)


def _pairs(inputs: Any) -> tuple[list[tuple[str, str]], bool]:
    """The pairs, and whether it was a single one."""
    if inputs is None:
        raise RequestError(f"`inputs` is missing; {_PAIRS}", "inputs")
    if isinstance(inputs, str) or (isinstance(inputs, list) and inputs and isinstance(inputs[0], str)):
        return [_pair(inputs, "inputs")], True
    if not isinstance(inputs, list):
        raise RequestError(f"`inputs` is {shown(inputs)}; {_PAIRS}", "inputs")
    if not inputs:
        raise RequestError(f"`inputs` is an empty list; {_PAIRS}", "inputs", empty=True)
    return [_pair(each, f"inputs[{place}]") for place, each in enumerate(inputs)], False


def _pair(value: Any, where: str) -> tuple[str, str]:
    if isinstance(value, str) or (isinstance(value, list) and len(value) == 1 and isinstance(value[0], str)):
        raise RequestError(f"`{where}` is a single text; this model scores pairs: send [text, text]", "inputs")
    if not isinstance(value, list) or len(value) != 2:
        raise RequestError(f"`{where}` is {shown(value)}; expected a pair of strings", "inputs")
    for place, text in enumerate(value):
        if not isinstance(text, str):
            raise RequestError(f"`{where}[{place}]` is {shown(text)}; expected a string", "inputs")
        check_text(text, f"{where}[{place}]", "inputs")
    return value[0], value[1]
